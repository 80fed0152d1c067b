# SPDX-License-Identifier: MIT
"""The appliance image, booted by QEMU without KVM on both firmwares: what it is made of, how it is configured, what it serves, and that no
upgrade can take the service away."""
import datetime
import functools
import hashlib
import http.server
import json
import os
import re
import subprocess
import threading

import pytest
from conftest import MADE, ROOT
import qemu
from qemu import Machine

from harness import Client, Http3Client, cache_policy, curl, distribution, resource
from sshd import SshServers

HOST = "10.0.2.2"  # this machine, as guests see it
# Operators reach it by its admin listener, from elsewhere.
OPERATED = {"admin": "0.0.0.0:9900", "admin-token": qemu.TOKEN}


def run(*command, check=True, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


# --- What is booted: two versions, signed by one key, that know it ----------------------------------------------------


@pytest.fixture(scope="session")
def built():
    """What images/tests/appliance.sh has made: old and new, and the key that signed them."""
    folder = MADE / "appliance"
    assert (folder / "old").is_dir(), "The images are not there. Make them: images/tests/appliance.sh"
    return folder


@pytest.fixture(scope="session")
def tree(built, tmp_path_factory):
    """The root file system of old, as files."""
    folder = tmp_path_factory.mktemp("tree")
    image = next((built / "old").glob("*.raw"))
    partitions = json.loads(run("sfdisk", "--json", image).stdout)["partitiontable"]["partitions"]
    root = next(one for one in partitions if one["type"] == "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")
    run("dd", f"if={image}", f"of={folder}/root", "bs=512", f"skip={root['start']}", f"count={root['size']}")
    run("fsck.erofs", f"--extract={folder}/tree", "--no-preserve", f"{folder}/root")
    return folder / "tree"


@pytest.fixture(scope="session")
def old(built):
    return next((built / "old").glob("*.qcow2"))


@pytest.fixture(scope="session")
def upgrade(built):
    return next((built / "new").glob("*.upgrade"))


@pytest.fixture(scope="session")
def old_upgrade(built):
    return next((built / "old").glob("*.upgrade"))


@pytest.fixture(scope="session")
def broken(built):
    return next((built / "broken").glob("*.upgrade"))


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Site:
    """A repository on this machine that guests follow over HTTP."""

    def __init__(self, repository, origin, folder, host=HOST):
        self.repository, self.origin, self.host, self.bare = repository, origin, host, folder / "served/site.git"
        origin.page("/page", "one", cache_control="max-age=60")
        self.put("one")
        repository.git("clone", "--quiet", "--bare", ".", self.bare)
        self.push()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=self.bare.parent))
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.port = self.server.server_address[1]

    def put(self, mark):
        main = {"id": "main", "domainName": self.host, "custom": {"originProtocolPolicy": "http-only", "httpPort": self.origin.port}}
        self.repository.put("shop.yaml", distribution([main], httpVersion="http2and3", default={
            "targetOriginId": "main", "viewerProtocolPolicy": "allow-all", "cachePolicy": "cached", "responseHeadersPolicy": "mark"}),
            cache_policy(), resource("ResponseHeadersPolicy", "mark", {"customHeaders": [
                {"header": "X-Mark", "value": mark, "override": True}]}))
        return self.repository.commit(mark)

    def push(self):
        self.repository.git("push", "--quiet", self.bare, "main")
        self.repository.git("--git-dir", self.bare, "update-server-info")

    def release(self, upgrade):
        (self.bare.parent / "releases").mkdir()
        os.link(upgrade, self.bare.parent / "releases" / upgrade.name)

    def wants(self, version, windows=()):
        """A commit that says what machines run, and when commits go live."""
        spec = {"releases": f"http://{self.host}:{self.port}/releases"}
        if version:
            spec["version"] = version
        if windows:
            spec["changeWindows"] = list(windows)
        self.repository.put("fleet.yaml", {"apiVersion": "headgate/v1", "kind": "Fleet", "spec": spec})
        self.repository.commit(f"machines run {version or 'what they have'}")
        self.push()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}/site.git"


@pytest.fixture
def site(repository, origin, tmp_path):
    made = Site(repository, origin, tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def ssh_servers(tmp_path):
    made = SshServers(tmp_path / "ssh")
    yield made
    made.close()


@pytest.fixture
def machine(old, tmp_path, request):
    machines = []

    def start(**options):
        machines.append(Machine(options.pop("image", old), tmp_path / f"machine{len(machines)}", **options).boot())
        return machines[-1]

    yield start
    for one in machines:
        if one.process.poll() is None:
            one.cut_power()


def marked(machine, mark):
    """Waits until the machine serves, with this mark."""
    def served():
        status, headers, body = machine.get()
        return (status, body) == (200, b"one") and headers.get("x-mark") == mark
    machine.wait_for(served, f"the page with the mark {mark}")


def good(machine, version):
    machine.wait_said(rf"headgate-slots: {re.escape(version)} is good$")


# --- Files -----------------------------------------------------------------------------------------------------------


def test_what_was_made_is_listed_and_signed(built):
    folder = built / "old"
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=folder)
    assert {line.split()[1].rpartition(".")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()} == \
        {"raw", "qcow2", "upgrade", "json"}
    verify = ["ssh-keygen", "-Y", "verify", "-f", built / "signers", "-I", "release@headgate", "-n", "headgate-image",
              "-s", folder / "SHA256SUMS.sig"]
    with open(folder / "SHA256SUMS") as sums:
        assert subprocess.run([*map(str, verify)], stdin=sums, capture_output=True).returncode == 0
    document = json.loads(next(folder.glob("*.spdx.json")).read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    packages = {package["name"]: package for package in document["packages"]}
    assert {"headgate", "linux-image-cloud-amd64", "git", "libhyperscan5", "h2o"} <= set(packages)
    assert all(package["versionInfo"] for package in packages.values())
    assert len({package["SPDXID"] for package in document["packages"]}) == len(document["packages"])


def test_made_twice_it_is_the_same(built):
    """The second time with packages fetched anew."""
    sums = [(built / name / "SHA256SUMS").read_text() for name in ("old", "again")]
    # An upgrade bears a signature, which ed25519 makes the same of the same.
    assert sums[0] == sums[1]


def test_no_private_key_is_in_it_and_nobody_can_log_in(built, tree):
    key = (built / "key").read_text().splitlines()
    assert key[0] == "-----BEGIN OPENSSH PRIVATE KEY-----"
    found = run("grep", "-rlaE", "^-----BEGIN [A-Z ]*PRIVATE KEY-----$", tree, check=False)
    assert found.stdout == "", found.stdout
    assert (tree / "usr/share/headgate/release-signers").read_text() == (built / "signers").read_text()
    shadow = (tree / "etc/shadow").read_text()
    assert not [line for line in shadow.splitlines() if line.split(":")[1] not in ("*", "!", "!*")], "somebody could log in"
    assert os.readlink(tree / "etc/systemd/system/serial-getty@.service") == "/dev/null"
    assert os.readlink(tree / "etc/systemd/system/getty@.service") == "/dev/null"


def test_its_units_may_do_next_to_nothing(tree):
    """At most 2.0, by `systemd-analyze security`."""
    units = sorted(unit.name for unit in (tree / "usr/lib/systemd/system").glob("headgate*.service"))
    assert [unit.removeprefix("headgate").removesuffix(".service") for unit in units] == [
        "-bless", "-configure", "-fetch", "-health", "-slots", "-updater", "-upgrade", "-volume", ""]
    for unit in units:
        run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--root={tree}", "--threshold=20", unit)


def test_its_kernel_network_journal_and_clock_are_an_edges(tree):
    kernel = dict(line.split(" = ") for line in (tree / "usr/lib/sysctl.d/60-headgate.conf").read_text().splitlines() if " = " in line)
    assert kernel["net.ipv4.tcp_syncookies"] == "1" and int(kernel["net.core.somaxconn"]) >= 4096
    enabled = {link.name for link in (tree / "etc/systemd/system").glob("*.wants/*")}
    assert {"nftables.service", "systemd-timesyncd.service", "systemd-networkd.service"} <= enabled, enabled
    assert 'include "/usr/share/headgate/headgate.nft"' in (tree / "etc/nftables.conf").read_text()
    assert "notrack" in (tree / "usr/share/headgate/headgate.nft").read_text()
    journal = (tree / "usr/lib/systemd/journald.conf.d/headgate.conf").read_text()
    assert re.search(r"^SystemMaxUse=\d+M$", journal, re.MULTILINE)


# --- Upgrades --------------------------------------------------------------------------------------------------------


def volume(path, upgrade):
    """A volume labelled HEADGATE-UP with an upgrade on it."""
    run("truncate", "--size", "320M", path)
    run("mkfs.vfat", "-n", "HEADGATE-UP", path)
    run("mcopy", "-i", path, upgrade, "::/headgate.upgrade")
    return path


def changed(upgrade, folder, change):
    """An upgrade whose files `change` has been at."""
    tree = folder / "tree"
    tree.mkdir()
    run("tar", "-xf", upgrade, "-C", tree)
    change(tree)
    run("tar", "-cf", folder / "changed.upgrade", "-C", tree, ".")
    return folder / "changed.upgrade"


def flip(tree):
    """One bit of the root file system."""
    with open(tree / "root", "r+b") as root:
        root.seek(10_000_000)
        octet = root.read(1)
        root.seek(10_000_000)
        root.write(bytes([octet[0] ^ 1]))


def lighten(tree):
    """Nothing but what says what it is."""
    for name in ("root", "verity", "efi", "vmlinuz", "initrd"):
        (tree / name).unlink()


def unsign(tree):
    lighten(tree)
    (tree / "SHA256SUMS.sig").unlink()


def sign_by_a_stranger(folder):
    def sign_again(tree):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "stranger")
        unsign(tree)
        run("ssh-keygen", "-Y", "sign", "-f", folder / "stranger", "-n", "headgate-image", tree / "SHA256SUMS")
    return sign_again


def never():
    """A change window that is not open, and will not be while this test runs."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=40)
    return {"cron": f"0 0 {min(then.day, 28)} {then.month} *", "for": "1m"}


def damage(disk, label):
    """Overwrites the beginning of a partition's file system, which nothing can mount without."""
    run("qemu-img", "convert", "-O", "raw", disk, f"{disk}.raw")
    partitions = json.loads(run("sfdisk", "--json", f"{disk}.raw").stdout)["partitiontable"]["partitions"]
    start = 512 * next(one["start"] for one in partitions if one.get("name") == label)
    os.unlink(f"{disk}.raw")
    run("qemu-io", "-f", "qcow2", "-c", f"write -P 0x5a {start} 4096", disk)


# --- The life of a machine -------------------------------------------------------------------------------------------


def serves(one, site, firmware):
    """What a machine does that has just been given a repository: every protocol, and a commit goes live. Its version."""
    marked(one, "one")
    version = one.machine_status()["version"]
    good(one, version)
    one.wait_machine({"version": version, "firmware": firmware, "slots": [
        {"slot": "a", "version": version, "state": "runs"}, {"slot": "b", "state": "empty"}]})
    answer = curl("--http2", f"https://{one.address(443)}/page")
    assert (answer.status, answer.body, answer.version) == (200, b"one", "2")
    with Http3Client(one.address(443, "UDP")) as client:
        assert client.get("/page").body == b"one"
    with Client(one.address(80)) as client:
        assert client.get("/page").is_hit
    site.put("two")
    site.push()
    marked(one, "two")
    return version


def test_by_uefi_it_serves_is_upgraded_by_a_commit_comes_back_from_a_bad_one_and_forgets(machine, site, upgrade, broken):
    one = machine(firmware="uefi", credentials={"source": site.url, "labels": "pop=fra\nrack=\"7\"", **OPERATED})
    old = serves(one, site, "UEFI")

    # A commit upgrades the machine.
    new = f"{old}.1"
    site.release(upgrade)
    site.wants(new)
    one.wait_upgrade(new, "Done")
    one.wait_machine({"version": new, "slots": [
        {"slot": "a", "version": old, "state": "good"}, {"slot": "b", "version": new, "state": "runs"}]})
    assert f"{new}, UEFI" in one.headgate("status").stdout
    marked(one, "two")

    # An operator sends one whose edge does not run: it is taken back, and everybody is told why.
    site.wants("")
    said = one.headgate("upgrade", broken).stdout
    assert "restarts" in said
    told = one.wait_upgrade(f"{old}.2", "Reverted")
    assert re.search(r"the edge has ended \d+ times since the start", told["message"]), told
    assert told["message"].endswith(f"back on {new}")
    assert len(re.findall(r"headgate-health: the edge has ended", one.said())) == 1, "it is tried again although it cannot come up"
    conditions = {each["type"]: each["reason"] for each in one.status()["conditions"]}
    assert conditions["UpgradeFailed"] == "Reverted"
    assert [slot["state"] for slot in one.machine_status()["slots"]] == ["failed", "runs"]
    marked(one, "two")

    # All that the machine knows goes, but for what it is configured by, and the slots.
    assert one.generation() > 1
    site.put("three")
    site.push()
    marked(one, "three")
    one.headgate("factory-reset", "--yes")
    one.wait_for(lambda: one.generation() == 1, "a machine that knows nothing")
    marked(one, "three")
    assert one.machine_status()["version"] == new
    assert "login:" not in one.said()
    one.power_off()


def test_by_bios_it_serves_refuses_what_is_not_signed_changed_or_old_and_leaves_a_damaged_slot(machine, site, old_upgrade, upgrade, tmp_path):
    one = machine(firmware="bios", credentials={"source": site.url, **OPERATED})
    old = serves(one, site, "BIOS")
    new = f"{old}.1"
    # Signature and version are looked at before anything that is large.
    for number, (sent, change, why) in enumerate((
            (upgrade, sign_by_a_stranger(tmp_path), r"is not signed by a release signer of this image$"),
            (upgrade, unsign, r"is not signed$"),
            (old_upgrade, lighten, rf"is version {re.escape(old)}, and {re.escape(old)} runs: only newer ones are taken$"),
            (upgrade, flip, r"root in \S+ is not what was signed, .*; the other slot stays empty$"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        one.headgate("upgrade", changed(sent, folder, change))
        told = one.wait_upgrade(None, "Refused", why)
        assert [slot["state"] for slot in one.machine_status()["slots"]] == ["runs", "empty"], told

    # What a commit asks for and is not there; then it is. It waits for a change window.
    site.release(upgrade)
    site.wants(f"{old}.7")
    one.wait_upgrade(f"{old}.7", "NotFetched", "404")
    site.wants(new, windows=[never()])
    one.wait_upgrade(new, "Written")
    assert "waits for the window that opens at" in one.machine_status()["wanted"]["restart"]
    assert [slot["state"] for slot in one.machine_status()["slots"]] == ["runs", "written"]

    # The power is cut, and the slot damaged meanwhile: a block of its file system. The state is still there, with the repository away.
    one.cut_power()
    damage(one.disk, f"headgate_{new}")
    site.bare.rename(site.bare.parent / "away")
    one.boot()
    marked(one, "two")
    (site.bare.parent / "away").rename(site.bare)
    assert one.machine_status()["upgrade"]["state"] == "Written"
    site.wants(new)
    # The commit that takes the window away waits for it, too, unless an operator lets it go.
    one.wait_for(lambda: one.headgate("resume", check=None).returncode == 0, "a commit that waits")
    told = one.wait_upgrade(new, "Reverted", "did not come as far as its edge")
    assert one.machine_status()["version"] == old
    marked(one, "two")


def signed_by(name, repository, folder):
    """Commits of the repository are signed by this key from now on; as a line of allowed signers."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    for key, value in {"gpg.format": "ssh", "user.signingKey": folder / name, "commit.gpgSign": "true"}.items():
        repository.git("config", key, value)
    return f'{name}@test namespaces="git" {(folder / f"{name}.pub").read_text()}'


def test_by_bios_a_volume_configures_it_another_one_upgrades_it_and_a_stranger_changes_nothing(
        machine, repository, origin, ssh_servers, upgrade, tmp_path):
    """The repository is one that asks for a key, on a server that has to have one."""
    signers = signed_by("alice", repository, tmp_path)
    site = Site(repository, origin, tmp_path)
    port = ssh_servers.start()
    source = ssh_servers.url(port, site.bare, host=HOST)
    keys = {"ssh-key": ssh_servers.key.read_text(), "known-hosts": ssh_servers.known_hosts(port, host=HOST).read_text()}
    seed = tmp_path / "seed.img"
    run("truncate", "--size", "4M", seed)
    run("mkfs.vfat", "-n", "CIDATA", seed)
    run("mmd", "-i", seed, "::/headgate")
    for name, value in {"source": source + "\n", "ref": "main\n", "http": "0.0.0.0:80\n", "allowed-signers": signers, **keys, **OPERATED}.items():
        (tmp_path / f"{name}.setting").write_text(value)
        run("mcopy", "-i", seed, tmp_path / f"{name}.setting", f"::/headgate/{name}")
    one = machine(seeds=[seed, volume(tmp_path / "up.img", upgrade)], firmware="bios")
    one.wait_said(r"headgate-slots: upgraded from \S+ to \S+\.1$")
    marked(one, "one")
    site.put("two")
    site.push()
    marked(one, "two")
    signed_by("mallory", repository, tmp_path)
    site.put("three")
    site.push()

    def refused():
        return {each["type"]: each["status"] for each in one.status().get("conditions", [])}.get("SourceVerified") == "False"

    one.wait_for(refused, "the stranger's commit to be refused")
    marked(one, "two")
    site.server.shutdown()


def test_secure_boot_starts_what_is_signed_and_nothing_else_and_who_is_not_configured_says_how(machine, built, old):
    one = machine(image=next((built / "secure").glob("*.qcow2")), firmware="secure")
    one.wait_said(r"[Ss]ecure boot enabled")
    one.wait_said(r"headgate-configure: Nothing says which repository")
    one.wait_said(r"headgate-slots: \S+ is good$")
    # This image lets everybody in who has the serial line, as was asked for; the other ones nobody.
    one.wait_said(r"root@headgate:~#")
    one.power_off()
    other = machine(image=old, firmware="secure")
    other.wait_said(r"(Access Denied|Security Violation)")
    assert "initrd:" not in other.said()


class _Metadata(http.server.BaseHTTPRequestHandler):
    """The metadata services of Google and of EC2, of the second, tokens too."""

    def do_PUT(self):
        self.answer("token42" if self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else None)

    def do_GET(self):
        if self.path == "/latest/user-data" and self.headers["X-aws-ec2-metadata-token"] == "token42":
            return self.answer(f"#! user data\nheadgate.source={self.server.source}\nheadgate.ref=main\n")
        prefix = "/computeMetadata/v1/instance/attributes/"
        if self.headers["Metadata-Flavor"] == "Google" and self.path.startswith(prefix):
            return self.answer({"": "headgate-source\nssh-keys\n", "headgate-source": self.server.source}.get(self.path[len(prefix):]))
        self.answer(None)

    def answer(self, text):
        body = (text or "").encode()
        self.send_response(404 if text is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("vendor", ["Google", "Amazon EC2"])
def test_the_metadata_of_a_cloud_configure_it(machine, repository, origin, tmp_path, vendor):
    # The metadata's network takes the place of the other one: this machine has another address in it.
    site = Site(repository, origin, tmp_path, host="169.254.0.2")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Metadata)
    server.source = site.url
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        one = machine(vendor=vendor, metadata=server.server_address[1], firmware="bios")
        marked(one, "one")
    finally:
        server.shutdown()
        site.server.shutdown()
