# SPDX-License-Identifier: MIT
"""What opens a source: tokens over https://, proxies, host keys of ssh://."""
import json
from pathlib import Path

import pytest

from harness import cache_policy, distribution, until
from git_server import GitServer, Proxy
from origin import Certificate

TOKEN = "glpat-very-secret-1"


@pytest.fixture
def bare(repository, origin, tmp_path):
    """A folder with a bare clone, repo.git, whose configuration serves `origin`."""
    origin.page("/page", "one")
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    repository.commit("one")
    repository.git("clone", "--quiet", "--bare", ".", tmp_path / "served" / "repo.git")
    return tmp_path / "served"


@pytest.fixture
def certificate():
    return Certificate("IP:127.0.0.1")


@pytest.fixture
def server(bare, certificate):
    servers = []

    def start(**options):
        servers.append(GitServer(bare, certificate, **options))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


@pytest.fixture
def follow(run, tmp_path, certificate):
    """An edge that follows what `source` of an Edge file says."""

    def start(wait=True, env=None, **source):
        file = tmp_path / "edge.yaml"
        file.write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"source": source}}))
        return run("--config", file, source=False, wait=wait, env={"GIT_SSL_CAINFO": certificate.certificate, **(env or {})})

    return start


def condition(edge, type):
    return next((c for c in edge.status()["conditions"] if c["type"] == type), None)


def failure(edge):
    return until(lambda: (condition(edge, "SourceReady") or {}).get("status") == "False" and condition(edge, "SourceReady")["message"],
                 "SourceReady: False")


def publish(repository, bare, message):
    commit = repository.commit(message)
    repository.git("push", "--quiet", bare / "repo.git", "main")
    return commit


def processes():
    """(argument list, environment) of every git that runs, as far as may be read."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_bytes(), (entry / "environ").stat().st_mode
            except OSError:
                continue


def test_a_token_opens_a_repository_and_may_change(repository, bare, server, follow, tmp_path):
    served = server(user=("x-access-token", TOKEN))
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    edge = follow(url=served.url(), token={"valueFrom": {"file": str(token)}})
    assert edge.get("/page").body == b"one"

    served.user = ("x-access-token", "another")
    commit = publish(repository, bare, "two")
    edge.reconcile()
    message = failure(edge)
    assert "Authentication failed" in message and "source.token" in message
    assert TOKEN not in message

    token.write_text("another")
    edge.reconcile()
    edge.wait(commit)
    for text in (edge.output.text(), edge.admin_get("/status").body.decode(), edge.admin_get("/metrics").body.decode(),
                 edge.admin_get("/events").body.decode(), (edge.state / "journal").read_bytes().decode(errors="replace"),
                 (edge.state / "gitconfig").read_text(), (edge.state / "repo.git/config").read_text()):
        assert TOKEN not in text and "another" not in text


def test_a_token_is_on_no_command_line(bare, server, follow, tmp_path):
    seen = []
    served = server(user=("x-access-token", TOKEN))
    before = served.asked.append
    served.asked = type("Spy", (list,), {"append": lambda self, one: (seen.extend(processes()), list.append(self, one))})()
    assert before
    (tmp_path / "token").write_text(TOKEN)
    follow(url=served.url(), token={"valueFrom": {"file": str(tmp_path / "token")}})
    gits = [(arguments, mode) for arguments, mode in seen if b"git" in arguments]
    assert any(b"fetch" in arguments for arguments, _ in gits)
    assert all(TOKEN.encode() not in arguments for arguments, _ in gits)
    assert all(mode & 0o077 == 0 for _, mode in gits)  # nobody else reads the environment


def test_a_token_by_flag_and_a_user_of_its_own(bare, server, run, certificate, tmp_path):
    served = server(user=("deployer", TOKEN))
    (tmp_path / "token").write_text(TOKEN)
    edge = run("--token-file", tmp_path / "token", source=served.url(user="deployer"), env={"GIT_SSL_CAINFO": certificate.certificate})
    assert edge.get("/page").body == b"one"
    assert edge.status()["source"]["url"] == served.url()


def test_each_host_is_shown_its_own_token(bare, server, follow, tmp_path):
    one, two = server(user=("a", "token-a")), server(user=("b", "token-b"))
    one.user = ("a", "changed")  # so that the second is asked
    for name in "ab":
        (tmp_path / name).write_text(f"token-{name}")
    edge = follow(urls=[one.url(), two.url()], credentials=[
        {"host": server.authority, "user": name, "token": {"valueFrom": {"file": str(tmp_path / name)}}}
        for server, name in ((one, "a"), (two, "b"))])
    assert edge.get("/page").body == b"one"
    assert {user for _, user in one.asked if user} == {("a", "token-a")}
    assert {user for _, user in two.asked if user} == {("b", "token-b")}


def test_a_token_does_not_follow_a_redirect_to_another_host(bare, server, follow, tmp_path):
    real, other = server(), server(user=("x-access-token", TOKEN))
    real.redirect = other.url("").rstrip("/")
    (tmp_path / "token").write_text(TOKEN)
    edge = follow(wait=False, url=real.url(), token={"valueFrom": {"file": str(tmp_path / "token")}})
    assert "credentials" in failure(edge)
    assert other.asked and all(user is None for _, user in other.asked)


def test_a_token_that_cannot_be_read(bare, server, follow, tmp_path):
    edge = follow(wait=False, url=server().url(), token={"valueFrom": {"file": str(tmp_path / "nowhere")}})
    assert str(tmp_path / "nowhere") in failure(edge)


def test_a_repository_that_wants_a_token(bare, server, follow):
    edge = follow(wait=False, url=server(user=("a", "b")).url())
    assert "source.token" in failure(edge)


@pytest.fixture
def proxy():
    proxies = []

    def start(**options):
        proxies.append(Proxy(**options))
        return proxies[-1]

    yield start
    for one in proxies:
        one.close()


def test_a_proxy_by_the_edge_file(bare, server, follow, proxy):
    served, between = server(), proxy()
    edge = follow(url=served.url(), proxy=f"http://{between.authority}")
    assert edge.get("/page").body == b"one"
    assert ("CONNECT", served.authority) in between.asked


def test_a_proxy_that_speaks_socks(bare, server, follow, proxy):
    served, between = server(), proxy(socks=True)
    edge = follow(url=served.url(), proxy=f"socks5h://{between.authority}")
    assert edge.get("/page").body == b"one"
    assert ("SOCKS5", served.authority) in between.asked


def test_a_proxy_by_flag_before_the_variable(bare, server, run, certificate, proxy):
    served, between, unused = server(), proxy(), proxy()
    edge = run("--proxy", f"http://{between.authority}", source=served.url(),
               env={"GIT_SSL_CAINFO": certificate.certificate, "https_proxy": f"http://{unused.authority}"})
    assert edge.get("/page").body == b"one"
    assert between.asked and not unused.asked


def test_a_proxy_by_variable(bare, server, follow, proxy):
    served, between = server(), proxy()
    edge = follow(url=served.url(), env={"https_proxy": f"http://{between.authority}"})
    assert edge.get("/page").body == b"one"
    assert ("CONNECT", served.authority) in between.asked


def test_a_proxy_that_wants_a_password(bare, server, follow, proxy):
    between = proxy(user="squid:pass-word")
    edge = follow(wait=False, url=server().url(), proxy=f"http://squid:wrong-word@{between.authority}")
    message = failure(edge)
    assert "407" in message and "source.proxy" in message
    assert "wrong-word" not in message and "wrong-word" not in edge.output.text()


def test_a_proxy_with_its_password(bare, server, follow, proxy):
    between = proxy(user="squid:pass-word")
    edge = follow(url=server().url(), proxy=f"http://squid:pass-word@{between.authority}")
    assert edge.get("/page").body == b"one"


def test_a_proxy_that_is_not_there(bare, server, follow, proxy):
    between = proxy()
    between.close()
    assert between.authority.split(":")[1] in failure(follow(wait=False, url=server().url(), proxy=f"http://{between.authority}"))
