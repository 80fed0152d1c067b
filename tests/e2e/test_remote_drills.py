# SPDX-License-Identifier: MIT
"""Remotes that hang at every step of the protocol, and that send what is damaged: the edge serves on, says why, and follows again."""
import socket
import subprocess
import threading

import pytest

from git_front import STEPS, GitFront
from harness import until
from origin import Certificate
from sshd import SshServers
from test_reconcile import mark, put_mark
from test_sources import source_failure
from test_state_drills import status_of


@pytest.fixture
def page(origin):
    origin.page("/page")
    return origin


def publish(repository, bare, port, value):
    """A commit with this mark in the bare repository."""
    commit = put_mark(repository, port, value)
    repository.git("push", "--quiet", bare, "main")
    return commit


@pytest.fixture
def bare(repository, page, tmp_path):
    """What is served; `one` is there."""
    path = tmp_path / "served" / "repo.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", path], check=True)
    publish(repository, path, page.port, "one")
    return path


@pytest.fixture
def impatient(tmp_path):
    """Flags for an edge that waits a second for its source, with more of `source`."""
    def make(**source):
        fields = "".join(f", {name}: {value}" for name, value in source.items())
        (tmp_path / "edge.yaml").write_text(f"apiVersion: headgate/v1\nkind: Edge\nspec: {{ source: {{ timeout: 1s{fields} }} }}\n")
        return ["--config", tmp_path / "edge.yaml"]
    return make


@pytest.fixture
def front(bare):
    certificate = Certificate("IP:127.0.0.1")
    served = GitFront(bare.parent, certificate)
    served.authority = certificate.certificate
    yield served
    served.close()


@pytest.fixture
def edge(front, impatient, run):
    return run(*impatient(), source=front.url + "/repo.git", env={"GIT_SSL_CAINFO": front.authority})


def serves_on(edge, value):
    return mark(edge) == value and edge.admin_get("/readyz").status == 200


def recovers(edge, commit, value):
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == value and status_of(edge, "SourceReady") == "True"


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_hangs(repository, page, bare, front, edge, step):
    assert mark(edge) == "one"
    commit = publish(repository, bare, page.port, "two")
    front.hang_at(step)
    edge.reconcile()
    front.wait_hung()
    assert serves_on(edge, "one")  # while it hangs
    failure = source_failure(edge)
    assert failure["reason"] == "FetchFailed" and "no answer within 1s (source.timeout)" in failure["message"]
    assert serves_on(edge, "one")
    until(lambda: edge.events()[-1]["type"] == "sourceFailed", "the event")
    front.release()
    recovers(edge, commit, "two")
    assert [e["type"] for e in edge.events() if e["type"].startswith("source")] == ["sourceFailed", "sourceRecovered"]


@pytest.mark.parametrize("step", ["tls", "head", "pack"])
def test_a_stop_does_not_wait_for_a_server_that_hangs(repository, page, bare, front, edge, step):
    publish(repository, bare, page.port, "two")
    front.hang_at(step)
    edge.reconcile()
    front.wait_hung()
    edge.stop()


def flip(at):
    """One bit of a pack, so far into it."""
    def spoil(pack):
        octet = int(len(pack) * at)
        return pack[:octet] + bytes([pack[octet] ^ 0x10]) + pack[octet + 1:]
    return spoil


@pytest.mark.parametrize("spoil", [flip(0.1), flip(0.5), flip(0.9), lambda pack: pack[:len(pack) // 2], lambda pack: pack[:4],
                                   lambda pack: b"\0" * len(pack)],
                         ids=["bit at 10 %", "bit at 50 %", "bit at 90 %", "half", "four octets", "zeros"])
def test_a_pack_that_is_damaged_on_its_way(repository, page, bare, front, edge, spoil):
    commit = publish(repository, bare, page.port, "two")
    front.spoil = spoil
    edge.reconcile()
    failure = source_failure(edge)
    assert failure["reason"] == "FetchFailed" and failure["message"]
    assert serves_on(edge, "one") and edge.status()["refused"] is None  # nobody takes it for a broken commit
    front.spoil = None
    recovers(edge, commit, "two")


def damage_every(pattern, change):
    def damage(mirror):
        files = [path for path in mirror.rglob(pattern) if path.is_file()]
        assert files, f"no {pattern}"
        for path in files:  # in its place: SIGBUS for a process that has it mapped
            octets = change(path.read_bytes())
            path.chmod(0o600)
            path.write_bytes(octets)
    return damage


def flip_middle(octets):
    return octets[:len(octets) // 2] + bytes([octets[len(octets) // 2] ^ 0xff]) + octets[len(octets) // 2 + 1:]


DAMAGE = {
    "packs altered": damage_every("*.pack", flip_middle), "packs cut": damage_every("*.pack", lambda octets: octets[:30]),
    "indexes altered": damage_every("*.idx", flip_middle), "indexes empty": damage_every("*.idx", lambda _: b""),
    "HEAD empty": damage_every("HEAD", lambda _: b""), "config is noise": damage_every("config", lambda _: b"\xff\xfe["),
    "the ref is noise": damage_every("followed", lambda _: b"noise\n"),
}


@pytest.mark.parametrize("is_running", [True, False], ids=["while it runs", "while it is down"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_mirror_that_is_damaged_is_fetched_anew(repository, page, bare, front, edge, damage, is_running):
    if not is_running:
        edge.stop()
    damage(edge.state / "repo.git")
    if not is_running:
        edge.start()
    assert mark(edge) == "one"
    commit = publish(repository, bare, page.port, "two")
    recovers(edge, commit, "two")
    assert not [e for e in edge.events() if e["type"] == "refused"]


def test_a_mirror_that_is_damaged_while_a_commit_waits_is_fetched_anew(repository, page, bare, front, edge):
    """Everything is there when it has been fetched; when its turn comes, nothing is."""
    edge.command("suspend", "--for", "1h", "--reason", "drill", check=0)
    commit = publish(repository, bare, page.port, "two")
    edge.reconcile()
    until(lambda: edge.status()["revisions"]["desired"] == commit, "the commit in the mirror")
    for files in "*.pack", "*.idx":
        damage_every(files, lambda octets: octets[:len(octets) // 2])(edge.state / "repo.git")
    edge.command("resume", check=0)
    recovers(edge, commit, "two")
    assert not [e for e in edge.events() if e["type"] == "refused"]


# --- ssh -----------------------------------------------------------------------------------------------------------


class Switch:
    """A port whose connections go to another one, the `target`, or, when that is text, hear no more than it."""

    def __init__(self, target):
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                viewer, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(viewer)
            if isinstance(self.target, bytes):
                viewer.sendall(self.target)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                viewer.close()
                continue
            self._sockets.append(server)
            for pair in ((viewer, server), (server, viewer)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    @staticmethod
    def _copy(source, sink):
        try:
            while octets := source.recv(65536):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for one in [self._listener, *self._sockets]:
            one.close()


@pytest.fixture
def ssh_servers(tmp_path):
    servers = SshServers(tmp_path / "ssh")
    yield servers
    servers.close()


# What the edge meets instead of a server that works, by the step at which it hangs.
HANGS = {
    "banner": lambda servers: b"",
    "key exchange": lambda servers: b"SSH-2.0-OpenSSH_9.2\r\n",
    "authentication": lambda servers: servers.start("AuthorizedKeysCommand /bin/sleep 120", "AuthorizedKeysCommandUser root", keys="AuthorizedKeysFile none"),
    "channel": lambda servers: servers.start("ForceCommand exec sleep 120"),
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS.keys())
def test_an_ssh_server_that_hangs(repository, page, bare, ssh_servers, impatient, run, hang):
    good = ssh_servers.start()
    switch = Switch(good)
    edge = run(*impatient(sshKeyFile=ssh_servers.key, knownHosts=ssh_servers.known_hosts(switch.port)),
               source=ssh_servers.url(switch.port, bare))
    assert mark(edge) == "one"
    commit = publish(repository, bare, page.port, "two")
    switch.target = hang(ssh_servers)
    edge.reconcile()
    failure = source_failure(edge)
    assert failure["reason"] == "FetchFailed" and "no answer within 1s (source.timeout)" in failure["message"]
    assert serves_on(edge, "one")
    switch.target = good
    recovers(edge, commit, "two")
    switch.close()
