# SPDX-License-Identifier: MIT
"""The appliance image, booted by QEMU without KVM on both firmwares: what it is made of, how it is configured, what it serves, and that no
upgrade can take the service away."""
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
from qemu import Machine

from harness import Client, cache_policy, curl, distribution, resource

HOST = "10.0.2.2"  # this machine, as guests see it
FIRMWARES = ("uefi", "bios")


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
def old(built):
    return next((built / "old").glob("*.qcow2"))


@pytest.fixture(scope="session")
def upgrade(built):
    return next((built / "new").glob("*.upgrade"))


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


def test_no_private_key_is_in_it(built, tmp_path):
    image = next((built / "old").glob("*.raw"))
    key = (built / "key").read_text().splitlines()
    assert key[0] == "-----BEGIN OPENSSH PRIVATE KEY-----"
    partitions = json.loads(run("sfdisk", "--json", image).stdout)["partitiontable"]["partitions"]
    root = next(one for one in partitions if one["type"] == "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")
    run("dd", f"if={image}", f"of={tmp_path}/root", "bs=512", f"skip={root['start']}", f"count={root['size']}")
    run("fsck.erofs", f"--extract={tmp_path}/tree", "--no-preserve", f"{tmp_path}/root")
    found = run("grep", "-rlaE", "^-----BEGIN [A-Z ]*PRIVATE KEY-----$", f"{tmp_path}/tree", check=False)
    assert found.stdout == "", found.stdout
    assert (tmp_path / "tree/usr/share/headgate/release-signers").read_text() == (built / "signers").read_text()
    shadow = (tmp_path / "tree/etc/shadow").read_text()
    assert not [line for line in shadow.splitlines() if line.split(":")[1] not in ("*", "!", "!*")], "somebody could log in"
    assert os.readlink(tmp_path / "tree/etc/systemd/system/serial-getty@.service") == "/dev/null"
    assert os.readlink(tmp_path / "tree/etc/systemd/system/getty@.service") == "/dev/null"


# --- Serving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_it_follows_a_repository_and_serves_it(machine, site, firmware):
    one = machine(firmware=firmware, credentials={"source": site.url, "labels": "pop=fra\nrack=\"7\""})
    marked(one, "one")
    one.wait_said(r"headgate-slots: \S+ is good$")
    answer = curl("--http2", f"https://{one.address(443)}/page")
    assert (answer.status, answer.body, answer.version) == (200, b"one", "2")
    with Client(one.address(80)) as client:
        assert client.get("/page").is_hit
    site.put("two")
    site.push()
    marked(one, "two")
    # The state outlives a cut of the power, with the repository away; and so does the slot.
    one.cut_power()
    site.bare.rename(site.bare.parent / "away")
    one.boot()
    marked(one, "two")
    one.wait_said(r"headgate-slots: \S+ is good$")
    one.power_off()


def test_a_machine_that_nobody_configured_says_how_and_stays(machine):
    one = machine()
    one.wait_said(r"headgate-configure: Nothing says which repository")
    one.wait_said(r"headgate-slots: \S+ is good$")
    one.power_off()


def test_a_volume_configures_it(machine, site, tmp_path):
    seed = tmp_path / "seed.img"
    run("truncate", "--size", "4M", seed)
    run("mkfs.vfat", "-n", "CIDATA", seed)
    run("mmd", "-i", seed, "::/headgate")
    for name, value in {"source": site.url + "\n", "ref": "main\n", "http": "0.0.0.0:80\n"}.items():
        (tmp_path / name).write_text(value)
        run("mcopy", "-i", seed, tmp_path / name, f"::/headgate/{name}")
    one = machine(seed=seed, firmware="bios")
    marked(one, "one")


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


# --- Upgrades --------------------------------------------------------------------------------------------------------


def volume(path, upgrade):
    """A volume labelled HEADGATE-UP with an upgrade on it."""
    run("truncate", "--size", "320M", path)
    run("mkfs.vfat", "-n", "HEADGATE-UP", path)
    run("mcopy", "-i", path, upgrade, "::/headgate.upgrade")
    return path


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_an_upgrade_is_written_started_and_kept(machine, site, upgrade, tmp_path, firmware):
    one = machine(firmware=firmware, credentials={"source": site.url}, seed=volume(tmp_path / "up.img", upgrade))
    one.wait_said(r"headgate-slots: upgraded from \S+ to \S+\+next$")
    marked(one, "one")
    one.cut_power()
    one.boot()
    one.wait_said(r"headgate-slots: \S+\+next is good$")
    marked(one, "one")


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_an_upgrade_that_does_not_serve_is_taken_back(machine, site, built, tmp_path, firmware):
    broken = next((built / "broken").glob("*.upgrade"))
    one = machine(firmware=firmware, credentials={"source": site.url}, seed=volume(tmp_path / "up.img", broken))
    one.wait_said(r"headgate-slots: \S+\+broken did not come up in good health: back on \S+$")
    marked(one, "one")


def changed(upgrade, folder, change):
    """An upgrade whose files `change` has been at."""
    tree = folder / "tree"
    tree.mkdir()
    run("tar", "-xf", upgrade, "-C", tree)
    change(tree)
    run("tar", "-cf", folder / "changed.upgrade", "-C", tree, ".")
    return folder / "changed.upgrade"


def test_an_upgrade_that_nobody_signed_or_that_was_changed_is_refused(machine, site, upgrade, tmp_path):
    def flip(tree):
        with open(tree / "root", "r+b") as root:
            root.seek(10_000_000)
            octet = root.read(1)
            root.seek(10_000_000)
            root.write(bytes([octet[0] ^ 1]))

    one = machine(firmware="bios", credentials={"source": site.url}, seed=volume(tmp_path / "up.img", changed(upgrade, tmp_path, flip)))
    one.wait_said(r"root in \S+ is not what was signed; the other slot stays empty$")
    marked(one, "one")
    one.cut_power()

    def sign_again(tree):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "stranger")
        (tree / "SHA256SUMS.sig").unlink()
        run("ssh-keygen", "-Y", "sign", "-f", tmp_path / "stranger", "-n", "headgate-image", tree / "SHA256SUMS")

    (tmp_path / "again").mkdir()
    one.seed = volume(tmp_path / "up2.img", changed(upgrade, tmp_path / "again", sign_again))
    one.boot()
    one.wait_said(r"is not signed by a release signer of this image$")
    marked(one, "one")
