# SPDX-License-Identifier: MIT
"""The container image, run by podman with everything taken from it that can be taken."""
import http.client
import json
import os
import re
import subprocess
import tarfile

import pytest
from conftest import MADE
from test_sources import bare, https_url, ssh  # noqa: F401, fixtures

from harness import DEADLINE, Client, Http3Client, behavior, cache_policy, curl, distribution, resource, until

ARCHIVE = MADE / "oci/headgate-oci.tar"
HARDENED = ["--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges"]
# What the machine of the tests needs: it has neither systemd nor a network for containers.
HERE = ["--network", "host", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096", "--log-driver", "k8s-file"]
# The default ports may be taken on the machine of the tests.
ANY_PORT = {"HEADGATE_HTTP": "127.0.0.1:0", "HEADGATE_HTTPS": "127.0.0.1:0", "HEADGATE_HEALTH": "127.0.0.1:0",
            "HEADGATE_ADMIN": "unix:/var/lib/headgate/admin.sock", "HEADGATE_POLL": "100ms"}


class Podman:
    def __init__(self, folder):
        self._command = ["podman", "--storage-driver", "vfs", "--root", folder / "root", "--runroot", folder / "run",
                         "--runtime", "runc", "--cgroup-manager", "cgroupfs"]

    def __call__(self, *arguments, check=True):
        done = subprocess.run([*map(str, self._command), *map(str, arguments)], capture_output=True, text=True,
                              timeout=5 * DEADLINE, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"podman {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    assert ARCHIVE.is_file(), f"{ARCHIVE} is not there. Make it: images/oci/build.sh"
    run = Podman(tmp_path_factory.mktemp("podman"))
    run("load", "--quiet", "--input", ARCHIVE)
    yield run
    run("rm", "--all", "--force", "--time", "0", check=False)
    run("system", "prune", "--all", "--force", "--volumes", check=False)


@pytest.fixture(scope="session")
def image(podman):
    return podman("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()[0]


class Container:
    """A container of the image, and its state in a volume."""

    def __init__(self, podman, image, name, *options, **environment):
        self.podman, self.name = podman, name
        variables = [f"--env={key}={value}" for key, value in {**ANY_PORT, **environment}.items()]
        podman("run", "--detach", "--name", name, "--pull", "never", *HARDENED, *HERE, *variables,
               "--volume", f"{name}:/var/lib/headgate", *options, image)

    def logs(self):
        done = self.podman("logs", self.name)
        return done.stdout + done.stderr

    def address(self, what):
        """Where the newest run of it listens."""
        found = until(lambda: re.findall(rf"^headgate: {what} on (\S+)$", self.logs(), re.MULTILINE) or self.must_run(),
                      f"{what} to listen")
        return found[-1]

    def must_run(self):
        assert self.running(), f"the container has ended:\n{self.logs()}"

    def running(self):
        return self.inspect("{{.State.Running}}") == "true"

    def inspect(self, form):
        return self.podman("inspect", self.name, "--format", form).stdout.strip()

    def healthy(self):
        return self.podman("healthcheck", "run", self.name, check=False).returncode == 0

    def wait_healthy(self):
        until(lambda: self.healthy() or self.must_run(), f"HEALTHCHECK to succeed; {self.logs()}")

    def execute(self, *command):
        return self.podman("exec", self.name, *command, check=False)

    def get(self, target):
        with Client(self.address("http")) as client:
            return client.get(target)


@pytest.fixture
def container(podman, image, request):
    made = []

    def start(*options, **environment):
        made.append(Container(podman, image, f"edge{abs(hash(request.node.name)) % 100000}x{len(made)}", *options, **environment))
        return made[-1]

    yield start
    for one in made:
        if request.node.stash.get(FAILED, False):
            print(one.logs())
        podman("rm", "--force", "--time", "0", one.name)
        podman("volume", "rm", "--force", one.name)


FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    item.stash[FAILED] = (yield).get_result().failed


@pytest.fixture
def site(repository, origin):
    """A repository that serves `origin`, and the options that bring it into a container."""
    origin.page("/page", "one", cache_control="max-age=60")
    repository.put("shop.yaml", distribution(origin.port, httpVersion="http2and3"), cache_policy())
    repository.commit("one")
    return ["--volume", f"{repository.path}:/site:ro"]


# --- What is in it -------------------------------------------------------------------------------------------------


def test_it_is_small_and_has_no_tools_and_no_way_to_become_root(podman, image, tmp_path):
    size = int(podman("images", "--format", "{{.Size}}", "--noheading", image).stdout.split()[0].partition(".")[0])
    assert size < 80, "MB"
    configuration = json.loads(podman("image", "inspect", image).stdout)[0]["Config"]
    assert configuration["User"] == "65532:65532"
    assert configuration["StopSignal"] == "SIGTERM"
    assert list(configuration["Volumes"]) == ["/var/lib/headgate"]
    with tarfile.open(ARCHIVE) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        names, privileged, keys = set(), [], []
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as tree:
                for member in tree:
                    names.add(member.name)
                    if member.isfile() and re.search(rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----$", tree.extractfile(member).read(), re.MULTILINE):
                        keys.append(member.name)
                    if member.isfile() and member.mode & 0o6000:
                        privileged.append(member.name)
    assert "usr/bin/headgate" in names
    assert not privileged and not keys
    assert not {"usr/bin/apt", "usr/bin/dpkg", "usr/bin/perl", "usr/bin/bash", "usr/bin/curl"} & names
    assert not [name for name in names if re.search(r"id_(rsa|ed25519)|\.key$|ssh_host_", name)]


def test_every_debian_package_in_it_is_named(podman, image):
    done = podman("run", "--rm", "--pull", "never", *HERE, "--entrypoint", "/usr/bin/sh", image, "-c",
                  "cd /var/lib/dpkg/status.d && for f in *; do while read -r line; do echo \"$line\"; done <$f; done")
    packages = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", done.stdout, re.MULTILINE))
    assert {"headgate", "git", "openssh-client", "libhyperscan5", "modsecurity-crs", "ca-certificates", "libc6"} <= set(packages)
    listed = json.loads((MADE / "oci/headgate-oci.spdx.json").read_text())
    assert listed["spdxVersion"] == "SPDX-2.3"
    versions = {each["name"]: each["versionInfo"] for each in listed["packages"]}
    assert versions.items() >= packages.items()
    assert {"h2o", "libngtcp2-dev"} <= set(versions)


# --- What it does --------------------------------------------------------------------------------------------------


def test_it_serves_every_protocol_with_nothing_but_a_source_and_a_volume(container, site, origin):
    edge = container(*site, HEADGATE_SOURCE="/site")
    edge.wait_healthy()
    assert edge.get("/page").body == b"one"
    assert edge.get("/page").is_hit
    answer = curl("--http2", f"https://{edge.address('https')}/page")
    assert (answer.status, answer.body, answer.version) == (200, b"one", "2")
    with Http3Client(edge.address("https")) as client:
        assert client.get("/page").body == b"one"
    health = http.client.HTTPConnection(edge.address("health"), timeout=DEADLINE)
    health.request("GET", "/readyz")
    assert health.getresponse().status == 200
    assert edge.inspect("{{.State.Healthcheck.Status}}{{.State.Health.Status}}").endswith("healthy")


def test_a_commit_goes_live(container, site, repository, origin):
    edge = container(*site, HEADGATE_SOURCE="/site")
    edge.wait_healthy()
    commit = repository.commit_of("mark.yaml", resource("ResponseHeadersPolicy", "mark", {"customHeaders": [
        {"header": "X-Mark", "value": "two", "override": True}]}), distribution(
            origin.port, name="marked", aliases=["marked.test"], default=behavior(responseHeadersPolicy="mark")))
    done = edge.execute("/usr/bin/headgate", "wait", "--commit", commit, "--timeout", f"{int(DEADLINE)}s")
    assert done.returncode == 0, done.stderr
    with Client(edge.address("http")) as client:
        assert client.get("/page", host="marked.test").headers["x-mark"] == "two"


def test_it_is_not_healthy_while_there_is_nothing_to_serve(container, site):
    edge = container(HEADGATE_SOURCE="/nowhere")
    edge.address("http")
    assert not edge.healthy()
    assert edge.running()


def test_killed_it_resumes_from_its_volume_with_the_source_away(container, site, repository):
    edge = container(*site, HEADGATE_SOURCE="/site")
    edge.wait_healthy()
    edge.podman("kill", "--signal", "KILL", edge.name)
    until(lambda: not edge.running(), "the container to end")
    assert edge.inspect("{{.State.ExitCode}}") == "137"
    for entry in list(repository.path.iterdir()):  # what is mounted stays, and is empty
        entry.rename(repository.path.parent / f"away{entry.name}")
    served = edge.logs().count("headgate: http on ")
    edge.podman("start", edge.name)
    until(lambda: edge.logs().count("headgate: http on ") > served or edge.must_run(), "another start")
    answer = edge.get("/page")
    assert answer.body == b"one" and answer.generation == 1


def test_sigterm_ends_it_with_0(container, site):
    edge = container(*site, HEADGATE_SOURCE="/site")
    edge.wait_healthy()
    edge.podman("stop", "--time", "30", edge.name)
    assert edge.inspect("{{.State.ExitCode}}") == "0"


def test_without_a_source_it_says_what_to_do(container):
    edge = container()
    until(lambda: not edge.running(), "the container to end")
    assert edge.inspect("{{.State.ExitCode}}") == "2"
    assert "no source: give --source PATH-or-URL, HEADGATE_SOURCE" in edge.logs()


def test_the_firewall_works_in_it(container, site, repository, origin):
    acl = resource("WebACL", "firewall", {"rules": [
        {"name": "crs", "managed": {"group": "owasp-crs", "paranoia": 1}}]})
    repository.put("shop.yaml", distribution(origin.port, webAclRef="firewall"), cache_policy(), acl)
    repository.commit("with a firewall")
    edge = container(*site, HEADGATE_SOURCE="/site")
    edge.wait_healthy()
    assert edge.get("/page").status == 200
    assert edge.get("/page?q=%3Cscript%3Ealert(1)%3C/script%3E").status == 403


def test_it_follows_a_repository_over_ssh(container, ssh, tmp_path):
    url, key, known_hosts = ssh
    (tmp_path / "ssh").chmod(0o755)
    for file in (key, known_hosts):
        os.chown(file, 65532, 65532)
    edge = container("--volume", f"{tmp_path}/ssh:/keys:ro", HEADGATE_SOURCE=url, HEADGATE_SSH_KEY_FILE=f"/keys/{key.name}",
                     HEADGATE_KNOWN_HOSTS=f"/keys/{known_hosts.name}")
    edge.wait_healthy()
    assert edge.get("/page").body == b"one"


def test_it_follows_a_repository_over_https(container, https_url):
    url, authority = https_url
    edge = container("--volume", f"{authority}:/authority.pem:ro", HEADGATE_SOURCE=url, GIT_SSL_CAINFO="/authority.pem")
    edge.wait_healthy()
    assert edge.get("/page").body == b"one"
