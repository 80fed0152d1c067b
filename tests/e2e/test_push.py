# SPDX-License-Identifier: MIT
"""Push to deploy: a push is judged before it is there, by the running edge or by a git host's hook, over ssh and https."""
import http.server
import json
import os
import re
import subprocess
import threading
from types import SimpleNamespace

import pytest

from harness import BINARY, behavior, cache_policy, distribution, header_policy, invalidation, resource, until
from signing import keys, site  # noqa: F401 (fixtures)


def put_mark(repository, port, mark):
    repository.put("shop.yaml", distribution(port, default=behavior(responseHeadersPolicy="mark")), cache_policy(), header_policy(X_Mark=mark))
    return repository.commit(mark)


def push(repository, remote, *arguments, check=0, **env):
    """What the pusher sees, without `remote: `."""
    done = subprocess.run(["git", "push", "--quiet", str(remote), *(arguments or ["HEAD:main"])], cwd=repository.path, capture_output=True,
                          text=True, env={**os.environ, **env})
    assert (done.returncode == 0) == (check == 0), done.stderr
    return "".join(re.sub(r"\s+$", "", line[len("remote: "):]) + "\n" for line in done.stderr.splitlines() if line.startswith("remote: "))


@pytest.fixture
def receiving(run, origin, tmp_path):
    """An edge that is pushed to. Nothing polls."""
    origin.page("/page")

    def start(*flags, **options):
        target = tmp_path / "served" / "site.git"
        edge = run("--receive", target, *flags, source=False, **options)
        edge.remote = target
        return edge

    return start


def mark(edge):
    return edge.get("/page").headers["x-mark"]


def test_a_push_is_planned_and_live_when_it_returns(repository, origin, receiving):
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    said = push(repository, edge.remote)
    assert "+ Distribution shop" in said and re.search(r"headgate: [0-9a-f]{7} is accepted", said)
    assert mark(edge) == "one"  # no waiting: the push returned when it was live
    put_mark(repository, origin.port, "two")
    said = push(repository, edge.remote)
    assert "spec.customHeaders[X-Mark].value: one → two" in said and "is live" in said
    assert mark(edge) == "two"


def test_the_repository_that_is_pushed_to_may_stand_in_the_edge_file(repository, origin, run, tmp_path):
    origin.page("/page")
    target = tmp_path / "site.git"
    (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"source": {"receive": str(target)}}}))
    edge = run("--config", tmp_path / "edge.yaml", source=False, wait=False)
    put_mark(repository, origin.port, "one")
    assert "is accepted" in push(repository, target)
    assert mark(edge) == "one"


def test_a_push_that_would_not_go_live_is_refused_where_it_is_pushed(repository, origin, receiving):
    edge = receiving(wait=False)
    good = put_mark(repository, origin.port, "one")
    push(repository, edge.remote)
    repository.write("broken.yaml", "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: b }\nspec: { minTTL: NO }\n")
    repository.commit("broken")
    said = push(repository, edge.remote, check=1)
    assert re.search(r"broken.yaml:4:17: error: \[HG\d+\]", said)
    assert re.search(r"is refused \(ValidationFailed\); generation 1 serves on", said)
    expect = resource("Expect", "routes", {"distribution": "shop", "cases": [{"request": {"url": "http://shop.test/x"}, "expect": {"status": 403}}]})
    repository.remove("broken.yaml")
    repository.put("expect.yaml", expect)
    repository.commit("expects what is not")
    said = push(repository, edge.remote, check=1)
    assert re.search(r"expect.yaml:\d+:\d+: error: .*status: expected 403", said) and "(ExpectationFailed)" in said
    status = edge.status()
    assert status["revisions"]["applied"] == good and status["refused"] is None and mark(edge) == "one"
    assert repository.git("--git-dir", edge.remote, "rev-parse", "main") == good
    # Nothing of a push that was refused is kept.
    assert repository.git("--git-dir", edge.remote, "count-objects").startswith("0 ") or "tmp_objdir" not in str(list(edge.remote.rglob("*")))
    assert "refused" not in [event["type"] for event in edge.events()]


def test_a_push_tells_what_its_purges_touch(repository, origin, receiving):
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    push(repository, edge.remote)
    edge.get("/page")
    repository.put("purge.yaml", invalidation("prices", "/page"))
    repository.commit("purge")
    assert re.search(r"! prices: /page of shop \(revalidate\): 1 response, ", push(repository, edge.remote))
    assert not edge.get("/page").is_hit


def test_only_the_followed_branch_is_judged_and_it_stays(repository, origin, receiving):
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    push(repository, edge.remote)
    repository.write("broken.yaml", "kind: Nothing\n")
    repository.commit("draft")
    assert "refs/heads/draft is not followed" in push(repository, edge.remote, "HEAD:draft")
    assert "it is not removed" in push(repository, edge.remote, ":main", check=1)
    assert "HG" in push(repository, edge.remote, "HEAD:main", "HEAD:other", check=1)
    assert repository.git("--git-dir", edge.remote, "branch", "--list", "--format=%(refname:short)").split() == ["draft", "main"]


def test_a_push_to_a_suspended_edge_is_told_that_it_waits(repository, origin, receiving):
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    push(repository, edge.remote)
    edge.command("suspend", "--for", "1h", "--reason", "the sale", check=0)
    put_mark(repository, origin.port, "two")
    said = push(repository, edge.remote)
    assert "is accepted" in said and re.search(r"waits: suspended until .*: the sale", said)
    assert mark(edge) == "one"


def test_a_push_returns_when_its_commit_goes_live_by_steps(repository, origin, receiving):
    edge = receiving(wait=False)
    for value in ("one", "two"):
        repository.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark"), rollout={"steps": ["0.01%"]}),
                       cache_policy(), header_policy(X_Mark=value))
        commit = repository.commit(value)
        said = push(repository, edge.remote)
    assert f"{commit[:7]} goes live by steps" in said and "serves a share of the viewers" in said
    assert edge.status()["revisions"]["staged"] == commit and mark(edge) == "one"


def test_no_push_is_taken_while_the_appliance_is_down(repository, origin, receiving):
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    push(repository, edge.remote)
    edge.stop()
    put_mark(repository, origin.port, "two")
    assert "is `headgate run` up?" in push(repository, edge.remote, check=1)
    edge = receiving()
    assert mark(edge) == "one"
    push(repository, edge.remote)  # the hooks have the new address
    assert mark(edge) == "two"


def test_signatures_are_asked_for_when_it_is_pushed(site, origin, receiving):
    edge = receiving("--allowed-signers", site.trusted, wait=False)
    put = lambda signer, value: (site.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")),  # noqa: E731
                                          header_policy(X_Mark=value)), site.commit(signer))[1]
    put("alice", "one")
    assert "signed by alice" in push(site, edge.remote)
    unsigned = put(None, "two")
    said = push(site, edge.remote, check=1)
    assert f"{unsigned[:12]}: error: [HG1602]" in said and "(CommitUnsigned)" in said
    site.git("reset", "--quiet", "--hard", "HEAD~1")
    put("dave", "two")
    assert "signed by dave" in push(site, edge.remote)
    site.git("reset", "--quiet", "--hard", "HEAD~1")
    put("dave", "rewritten")
    assert "(HistoryRewritten)" in push(site, edge.remote, "--force", "HEAD:main", check=1)
    assert mark(edge) == "two"


def test_a_hook_of_somebody_elses_is_left_alone(repository, tmp_path):
    target = tmp_path / "site.git"
    repository.git("init", "--quiet", "--bare", target)
    hook = target / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 0\n")
    done = subprocess.run([BINARY, "run", "--receive", target, "--state", tmp_path / "state", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "somebody else's" in done.stderr
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"


def test_what_is_followed_is_either_pushed_or_fetched(repository, tmp_path):
    done = subprocess.run([BINARY, "run", "--receive", tmp_path / "r", "--source", repository.path, "--http", "127.0.0.1:0"], capture_output=True,
                          text=True)
    assert done.returncode == 2 and "exclude each other" in done.stderr
    done = subprocess.run([BINARY, "run", "--receive", repository.path, "--state", tmp_path / "state", "--http", "127.0.0.1:0", "--admin",
                           "127.0.0.1:0"], capture_output=True, text=True)
    assert done.returncode == 1 and "working folder" in done.stderr


def test_what_the_admin_endpoint_takes_is_a_push_of_this_repository(repository, origin, receiving, tmp_path):
    edge = receiving(wait=False)
    for objects in ("../../outside", "pack", "tmp_objdir-incoming-/../../x"):
        body = json.dumps({"objects": objects, "updates": []})
        assert edge.admin_get("/hooks/receive", "POST", body).status == 400
    for body in ("", "[]", "{}", '{"updates": 1}', '{"updates": [1]}', '{"updates": [{"ref": "refs/heads/main", "after": "x"}]}'):
        assert edge.admin_get("/hooks/receive", "POST", body).status == 400, body
    assert edge.admin_get("/hooks/receive", "POST", '{"updates": []}').status == 200


def test_an_appliance_that_fetches_takes_no_pushes(serve):
    edge = serve()
    assert edge.admin_get("/hooks/receive", "POST", '{"updates": []}').status == 404


# --- Transports ----------------------------------------------------------------------------------------------------


def test_over_ssh_with_git_shell(repository, origin, receiving, tmp_path):
    """sshd runs git-shell, which runs nothing but git's own programs."""
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    forced = 'command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict '
    (folder / "authorized").write_text(forced + (folder / "user.pub").read_text())
    (folder / "config").write_text(f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nUsePAM no\nStrictModes no\n"
                                   "PermitRootLogin prohibit-password\nPasswordAuthentication no\n")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
    ssh = (f"ssh -i {folder}/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
           f"-o ProxyCommand='/usr/sbin/sshd -i -f {folder}/config'")
    edge = receiving(wait=False)
    put_mark(repository, origin.port, "one")
    assert "is accepted" in push(repository, f"ssh://localhost{edge.remote}", GIT_SSH_COMMAND=ssh)
    assert mark(edge) == "one"
    repository.write("broken.yaml", "kind: Nothing\n")
    repository.commit("broken")
    assert "is refused (ValidationFailed)" in push(repository, f"ssh://localhost{edge.remote}", GIT_SSH_COMMAND=ssh, check=1)
    assert mark(edge) == "one"


class _Backend(http.server.BaseHTTPRequestHandler):
    """CGI (RFC 3875) for git http-backend, of which only what it reads; the user is always `ci`."""

    root = None

    def _serve(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        environment = {**os.environ, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                       "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("content-type", ""), "REMOTE_USER": "ci",
                       "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                       "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", "")}
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def _chunk(self):
        octets = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return octets

    do_GET = do_POST = _serve

    def log_message(self, *arguments):
        pass


def test_over_http_with_git_http_backend(repository, origin, receiving):
    edge = receiving(wait=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Backend", (_Backend,), {"root": edge.remote.parent}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/{edge.remote.name}"
        put_mark(repository, origin.port, "one")
        assert "is accepted" in push(repository, url)
        assert mark(edge) == "one"
        repository.write("broken.yaml", "kind: Nothing\n")
        repository.commit("broken")
        assert "is refused (ValidationFailed)" in push(repository, url, check=1)
        assert mark(edge) == "one"
    finally:
        server.shutdown()
        server.server_close()


# --- Any git host, and authors -------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path, repository):
    """A bare repository somewhere, whose pre-receive hook is ours, without an appliance."""
    path = tmp_path / "host.git"
    repository.git("init", "--quiet", "--bare", "--initial-branch=main", path)

    def install(*flags):
        hook = path / "hooks" / "pre-receive"
        hook.write_text(f"#!/bin/sh\nexec '{BINARY}' hook pre-receive {' '.join(map(str, flags))}\n")
        hook.chmod(0o755)

    install()
    return SimpleNamespace(path=path, install=install)


def test_any_git_host_refuses_what_no_edge_would_apply(repository, origin, host):
    put_mark(repository, origin.port, "one")
    assert "+ Distribution shop" in push(repository, host.path)
    good = put_mark(repository, origin.port, "two")
    assert "X-Mark].value: one → two" in push(repository, host.path)
    repository.write("broken.yaml", "kind: Nothing\n")
    repository.commit("broken")
    assert re.search(r"broken.yaml:1:\d+: error: \[HG\d+\][\s\S]*is refused \(ValidationFailed\)", push(repository, host.path, check=1))
    assert repository.git("--git-dir", host.path, "rev-parse", "main") == good
    push(repository, host.path, "HEAD:draft")
    assert "not removed" in push(repository, host.path, ":main", check=1)


def test_any_git_host_asks_for_signatures(site, host):
    push(site, host.path)
    unsigned = site.change(None, "page.txt")
    assert f"{unsigned[:12]}: error: [HG1602]" in push(site, host.path, check=1)
    site.git("reset", "--quiet", "--hard", "HEAD~1")
    site.change("dave", "page.txt")
    assert "signed by dave" in push(site, host.path)


def test_any_git_host_asks_who_signed_the_first_push(site, host):
    host.install("--allowed-signers", site.trusted)
    site.change("dave", "page.txt")
    assert "(SignerUnknown)" in push(site, host.path, check=1)
    site.change("alice", "page.txt")
    assert "signed by alice" in push(site, host.path)


def test_authors_do_not_commit_what_no_edge_would_apply(repository, origin):
    put_mark(repository, origin.port, "one")
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\nexec '{BINARY}' hook pre-commit\n")
    hook.chmod(0o755)

    def commit(*arguments):
        return subprocess.run(["git", "commit", "--quiet", "--message", "change", *arguments], cwd=repository.path, capture_output=True, text=True)

    before = repository.git("rev-parse", "HEAD")
    repository.write("broken.yaml", "kind: Nothing\n")
    repository.git("add", "broken.yaml")
    done = commit()
    assert done.returncode == 1 and "broken.yaml:1:" in done.stdout + done.stderr and "no edge would apply this" in done.stderr
    assert repository.git("rev-parse", "HEAD") == before
    # What is staged counts, not what lies in the folder.
    repository.git("reset", "--quiet")
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    assert commit("--all").returncode == 0
    assert repository.git("rev-parse", "HEAD") != before
