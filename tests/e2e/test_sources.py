# SPDX-License-Identifier: MIT
"""Sources that are not on this machine: https:// and ssh://, both real, both on loopback."""
import functools
import http.server
import os
import ssl
import subprocess
import threading
from types import SimpleNamespace

import pytest

from harness import cache_policy, distribution, until
from origin import Certificate
from sshd import SshServers


@pytest.fixture
def bare(repository, origin, tmp_path):
    """A bare clone whose configuration serves `origin`; `push` publishes another commit there."""
    origin.page("/page", "one")
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    repository.commit("one")
    path = tmp_path / "served" / "repo.git"
    repository.git("clone", "--quiet", "--bare", ".", path)
    repository.git("--git-dir", path, "update-server-info")

    def push():
        commit = repository.commit("two")
        repository.git("push", "--quiet", path, "main")
        repository.git("--git-dir", path, "update-server-info")
        return commit

    return SimpleNamespace(path=path, push=push)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def https_url(bare):
    """git's dumb HTTP over TLS, with a certificate of its own authority."""
    certificate = Certificate("IP:127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=bare.path.parent))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/repo.git", certificate.certificate
    server.shutdown()
    server.server_close()


def test_https(bare, https_url, run):
    url, authority = https_url
    edge = run(source=url, env={"GIT_SSL_CAINFO": authority})
    assert edge.get("/page").body == b"one"
    commit = bare.push()
    edge.reconcile()
    edge.wait(commit)


def source_failure(edge):
    return until(lambda: next((c for c in edge.status()["conditions"] if c["type"] == "SourceReady" and c["status"] == "False"), None),
                 "SourceReady: False")


def test_https_with_a_certificate_that_nobody_vouches_for(https_url, run):
    edge = run(source=https_url[0], wait=False)
    assert "certificate" in source_failure(edge)["message"].lower()
    assert edge.admin_get("/readyz").status == 503


@pytest.fixture
def ssh(bare, tmp_path):
    """An sshd that lets one key in. Gives (url, key file, known hosts file)."""
    servers = SshServers(tmp_path / "ssh")
    port = servers.start()
    yield servers.url(port, bare.path), servers.key, servers.known_hosts(port)
    servers.close()


def edge_file(folder, key, known_hosts):
    (folder / "edge.yaml").write_text(
        f"apiVersion: headgate/v1\nkind: Edge\nspec: {{ source: {{ sshKeyFile: {key}, knownHosts: {known_hosts} }} }}\n")
    return ["--config", folder / "edge.yaml"]


def test_ssh(bare, ssh, run, tmp_path):
    url, key, known_hosts = ssh
    edge = run(*edge_file(tmp_path, key, known_hosts), source=url)
    assert edge.get("/page").body == b"one"
    commit = bare.push()
    edge.reconcile()
    edge.wait(commit)


def test_ssh_with_key_and_host_keys_by_flags(ssh, run):
    url, key, known_hosts = ssh
    edge = run("--ssh-key-file", key, "--known-hosts", known_hosts, source=url)
    assert edge.get("/page").body == b"one"


def test_ssh_to_a_host_whose_key_has_changed(ssh, run, tmp_path):
    url, key, known_hosts = ssh
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    address = known_hosts.read_text().split()[0]
    known_hosts.write_text(f"{address} {' '.join((tmp_path / 'other.pub').read_text().split()[:2])}\n")
    before = known_hosts.read_text()
    edge = run(*edge_file(tmp_path, key, known_hosts), source=url, wait=False)
    message = source_failure(edge)["message"]
    assert "another key than the one known" in message and "knownHosts" in message
    assert known_hosts.read_text() == before


def test_ssh_is_told_to_learn_no_host_key(ssh, run, tmp_path):
    url, key, known_hosts = ssh
    recorder = tmp_path / "bin" / "ssh"
    recorder.parent.mkdir()
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/arguments\nexec /usr/bin/ssh "$@"\n')
    recorder.chmod(0o755)
    run(*edge_file(tmp_path, key, known_hosts), source=url, env={"PATH": f"{recorder.parent}:{os.environ['PATH']}"})
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert {"StrictHostKeyChecking=yes", "UpdateHostKeys=no", "GlobalKnownHostsFile=/dev/null"} <= set(arguments)


def test_ssh_to_a_host_that_is_not_known(ssh, run, tmp_path):
    url, key, known_hosts = ssh
    known_hosts.write_text("")
    edge = run(*edge_file(tmp_path, key, known_hosts), source=url, wait=False)
    message = source_failure(edge)["message"]
    assert "Host key verification failed" in message and "knownHosts" in message
    assert known_hosts.read_text() == ""


def condition(edge, type):
    return next((c for c in edge.status()["conditions"] if c["type"] == type), None)


def states(edge):
    return [remote["state"] for remote in edge.status()["source"]["urls"]]


def rounds(edge):
    return sum(edge.metric("headgate_reconciles_total").values())


def look(edge):
    """Another round, and its end."""
    until(lambda: condition(edge, "Reconciling")["status"] == "False", "the round before to end")
    before = rounds(edge)
    edge.reconcile()
    until(lambda: rounds(edge) > before, "a round")


def test_several_urls(bare, repository, run, tmp_path):
    second = tmp_path / "second.git"
    repository.git("clone", "--quiet", "--bare", bare.path, second)
    edge = run("--mirror", second, source=bare.path)
    assert states(edge) == ["serving", "unasked"]

    commit = bare.push()
    edge.reconcile()
    edge.wait(commit)

    # The second is behind: it takes the edge nowhere, and the edge says so.
    bare.path.rename(tmp_path / "away")
    look(edge)
    assert states(edge) == ["failed", "behind"]
    degraded = condition(edge, "SourceDegraded")
    assert degraded["reason"] == "Behind" and str(bare.path) in degraded["message"] and str(second) in degraded["message"]
    assert edge.status()["revisions"]["applied"] == commit and edge.status()["revisions"]["desired"] == commit
    assert edge.metric("headgate_source_fetches_total")[f'url="{second}",result="behind"'] == 1

    # With a new commit it serves.
    newer = repository.commit("three")
    repository.git("push", "--quiet", second, "main")
    edge.reconcile()
    edge.wait(newer)
    assert states(edge) == ["failed", "serving"]
    assert condition(edge, "SourceDegraded")["reason"] == "FellBack"
    assert str(second) in condition(edge, "SourceReady")["message"]
    assert edge.status()["source"]["url"] == str(second)
    assert edge.metric("headgate_source_serving") == {f'url="{bare.path}"': 0, f'url="{second}"': 1}
    assert [e["url"] for e in edge.events() if e["type"] == "sourceSwitched"] == [str(second)]
    assert f"the source at {bare.path}: " in edge.output.text()

    # A restart begins with the first, and goes nowhere by it.
    (tmp_path / "away").rename(bare.path)
    edge.stop()
    edge.start()
    until(lambda: states(edge) == ["behind", "serving"], "the second to serve")
    assert edge.status()["revisions"]["applied"] == newer


def test_a_range_of_versions(bare, repository, run, tmp_path):
    def release(tag):
        commit = repository.commit(tag)
        repository.git("tag", "--annotate", "--message", tag, tag)
        repository.git("push", "--quiet", bare.path, "main", tag)
        return commit

    commit = release("v1.2.0")
    edge = run("--semver", ">=1.2 <2", source=bare.path)
    assert edge.status()["revisions"]["applied"] == commit
    source = edge.status()["source"]
    assert (source["ref"], source["resolved"]) == (">=1.2 <2", "v1.2.0")
    assert condition(edge, "SourceReady")["message"] == f"v1.2.0 (>=1.2 <2) is at {commit[:7]}"

    release("v2.0.0")
    release("v1.3.0-rc.1")
    look(edge)
    assert edge.status()["revisions"]["applied"] == commit
    newer = release("v1.10.0")
    edge.reconcile()
    edge.wait(newer)
    assert edge.status()["source"]["resolved"] == "v1.10.0"


def test_a_range_that_no_tag_is_in(bare, run):
    edge = run("--semver", "^9", source=bare.path, wait=False)
    assert 'version of "^9"' in source_failure(edge)["message"]
