# SPDX-License-Identifier: MIT
"""The way of a commit: seen, refused or live, kept through restarts, whatever happens to the source."""
import hashlib
import hmac
import json
import os
import re
import socket
import stat
import subprocess

import pytest

from harness import behavior, cache_policy, distribution, header_policy, headgate, invalidation, until


def put_mark(repository, port, mark):
    """A distribution whose responses carry X-Mark: mark; the commit."""
    return repository.commit_of("shop.yaml", distribution(port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                                header_policy(X_Mark=mark))


def mark(edge):
    return edge.get("/page").headers.get("x-mark")


@pytest.fixture
def page(origin):
    origin.page("/page")
    return origin


def test_a_commit_goes_live_by_poll(repository, page, run):
    put_mark(repository, page.port, "one")
    edge = run(poll="100ms")
    assert mark(edge) == "one"
    commit = put_mark(repository, page.port, "two")
    edge.wait(commit)
    answer = edge.get("/page")
    assert answer.headers["x-mark"] == "two" and answer.is_hit  # the cache survives
    assert answer.headers["headgate-generation"].endswith("-" + commit[:7])


def test_a_commit_goes_live_on_sighup(repository, page, run):
    put_mark(repository, page.port, "one")
    edge = run()
    commit = put_mark(repository, page.port, "two")
    assert mark(edge) == "one"
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == "two"


def webhook_edge(folder):
    (folder / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { source: { webhookSecret: { value: s3cret } } }\n")
    return ["--config", folder / "edge.yaml"]


@pytest.mark.parametrize("name", ["X-Hub-Signature-256", "X-Gitea-Signature", "X-Gitlab-Token"])
def test_a_commit_goes_live_by_a_signed_webhook(repository, page, run, tmp_path, name):
    put_mark(repository, page.port, "one")
    edge = run(*webhook_edge(tmp_path))
    commit = put_mark(repository, page.port, "two")
    body = json.dumps({"ref": "refs/heads/main", "after": commit})
    digest = hmac.new(b"s3cret", body.encode(), hashlib.sha256).hexdigest()
    proof = {"X-Hub-Signature-256": f"sha256={digest}", "X-Gitea-Signature": digest, "X-Gitlab-Token": "s3cret"}[name]
    assert edge.admin_get("/hooks/git", "POST", body, {name: proof}).status in (200, 202, 204)
    edge.wait(commit)
    assert mark(edge) == "two"


def test_a_webhook_without_proof_is_refused(repository, page, run, tmp_path):
    put_mark(repository, page.port, "one")
    edge = run(*webhook_edge(tmp_path))
    for headers in ({}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Gitlab-Token": "wrong"}):
        assert edge.admin_get("/hooks/git", "POST", "{}", headers).status in (401, 403)


def test_a_broken_commit_is_refused_with_a_position_and_the_old_one_serves_on(repository, page, run):
    good = put_mark(repository, page.port, "one")
    edge = run()
    repository.write("shop2.yaml", "apiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: other }\nspec:\n  originz: []\n")
    status = edge.refuse(repository)
    text = json.dumps(status)
    assert "shop2.yaml:5:3" in text and "originz" in text and "origins" in text
    assert status["revisions"]["applied"] == good
    assert mark(edge) == "one"
    assert edge.command("status").returncode == 1
    assert "shop2.yaml:5:3: error: [HG" in edge.command("status").stdout + edge.output.text()
    assert any("shop2.yaml:5:3" in json.dumps(event) for event in edge.events())
    assert edge.admin_get("/readyz").status == 200  # it serves
    repository.remove("shop2.yaml")
    edge.apply(repository)
    edge.command("status", check=0)


def test_a_commit_that_fails_an_expectation_is_refused(repository, page, run):
    good = put_mark(repository, page.port, "one")
    edge = run()
    repository.write("expect.yaml", """apiVersion: headgate/v1
kind: Expect
metadata: { name: routing }
spec:
  distribution: shop
  cases:
    - request: { url: "http://shop.test/" }
      expect: { status: 403 }
""")
    status = edge.refuse(repository)
    assert "expect.yaml:7" in json.dumps(status) and "expected 403" in json.dumps(status)
    assert status["revisions"]["applied"] == good
    headgate("test", repository.path, check=3)


def test_all_diagnostics_are_told_at_once_and_validate_agrees(repository):
    repository.write("a.yaml", "apiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: a }\nspec: { aliass: [x.test] }\n")
    repository.write("b.yaml", "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: b }\nspec: { minTTL: NO }\n")
    done = headgate("validate", repository.path, check=2)
    assert "a.yaml:4:9: error: [HG" in done.stdout and "aliases" in done.stdout
    assert "b.yaml:4:17: error: [HG" in done.stdout


def test_diff_says_what_a_commit_changes_and_exits_with_1(repository, page):
    put_mark(repository, page.port, "one")
    put_mark(repository, page.port, "two")
    done = headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, check=1)
    assert "mark" in done.stdout and "one" in done.stdout and "two" in done.stdout
    plan = json.loads(headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--json", check=1).stdout)
    assert "two" in json.dumps(plan)
    headgate("diff", "HEAD..HEAD", "--repo", repository.path, check=0)
    assert headgate("diff", "HEAD~9..HEAD", "--repo", repository.path, check=2).stderr


def test_diff_tells_the_blast_radius(repository, origin, run):
    """Hosts that go, behaviors that are shadowed, and what purges touch in the cache of a running edge."""
    for path in ("/a/1", "/a/2", "/b"):
        origin.page(path)
    repository.put("shop.yaml", distribution(origin.port, aliases=["*", "old.test"], cacheBehaviors=[{**behavior(), "pathPattern": "/a/*"}]),
                   cache_policy())
    repository.commit()
    edge = run()
    for path in ("/a/1", "/a/2", "/b"):
        edge.get(path)
    behaviors = [{**behavior(), "pathPattern": pattern} for pattern in ("/a*", "/a/*")]
    repository.put("shop.yaml", distribution(origin.port, cacheBehaviors=behaviors), cache_policy())
    repository.put("purge.yaml", invalidation("prices", "/a/*"))
    repository.commit()
    text = headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--admin", edge.admin, check=1).stdout
    assert "- old.test: no longer answered; it was by shop" in text
    assert re.search(r"New: shop.yaml:\d+:\d+: warning: \[HG\d+\].*/a/\*", text)
    assert re.search(r"! prices: /a/\* of shop \(revalidate\): 2 responses, \d", text)
    plan = json.loads(headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--admin", edge.admin, "--json", check=1).stdout)
    assert plan["summary"]["responses"] == 2 and plan["summary"]["bytes"] > 0
    assert plan["hosts"] == [{"host": "old.test", "before": "shop", "after": None}] and len(plan["warnings"]) == 1
    assert edge.get("/a/1").is_hit  # nothing was purged
    assert json.loads(edge.command("purge", "shop", "/*", "--dry-run", "--json", check=0).stdout)["responses"] == 3
    assert edge.get("/a/2").is_hit and json.loads(edge.command("get", "invalidations", "--json").stdout) == []
    edge.stop()
    headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--admin", edge.admin, check=2)
    assert "responses" not in headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, check=1).stdout


def test_a_bare_repository_and_another_branch(repository, page, run, tmp_path):
    put_mark(repository, page.port, "main")
    repository.git("checkout", "--quiet", "-b", "release")
    put_mark(repository, page.port, "release")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.path, bare], check=True)
    assert mark(run("--ref", "release", source=bare)) == "release"


def test_a_force_push_goes_live(repository, page, run):
    put_mark(repository, page.port, "one")
    put_mark(repository, page.port, "two")
    edge = run()
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    commit = put_mark(repository, page.port, "other history")
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == "other history"


def test_the_edge_boots_and_serves_from_its_last_good_state_with_git_gone(repository, page, run, tmp_path):
    commit = put_mark(repository, page.port, "one")
    edge = run()
    assert mark(edge) == "one"
    generation = edge.get("/page").headers["headgate-generation"]
    edge.stop()
    repository.path.rename(tmp_path / "away")
    edge.start()
    assert mark(edge) == "one"
    assert edge.get("/page").headers["headgate-generation"] == generation
    status = edge.status()
    assert status["revisions"]["applied"] == commit
    until(lambda: any(c["type"] == "SourceReady" and c["status"] == "False" for c in edge.status()["conditions"]), "SourceReady: False")
    (tmp_path / "away").rename(repository.path)
    edge.wait(put_mark_and_tell(edge, repository, page))
    assert mark(edge) == "back"


def put_mark_and_tell(edge, repository, page):
    commit = put_mark(repository, page.port, "back")
    edge.reconcile()
    return commit


@pytest.mark.http1
def test_an_unreachable_source_at_first_boot_leaves_the_edge_alive_and_not_ready(page, run, tmp_path, repository):
    edge = run(source=tmp_path / "nowhere", wait=False, poll="100ms")
    assert edge.admin_get("/healthz").status == 200
    assert edge.admin_get("/readyz").status == 503
    assert edge.get("/page").status == 503
    assert edge.command("status").returncode == 1
    put_mark(repository, page.port, "one")
    repository.path.rename(tmp_path / "nowhere")
    edge.wait_ready()
    assert mark(edge) == "one"


def test_an_invalid_repository_at_first_boot_leaves_the_edge_alive_and_not_ready(page, run, repository):
    repository.write("shop.yaml", "kind: Distribution\n")
    repository.commit("broken")
    edge = run(wait=False)
    until(lambda: "shop.yaml:1" in json.dumps(edge.status()), "the diagnostic in /status")
    assert edge.admin_get("/readyz").status == 503
    put_mark(repository, page.port, "one")
    edge.reconcile()
    edge.wait_ready()
    assert mark(edge) == "one"


def test_a_remote_that_hangs_does_not_stop_the_edge(repository, page, run, tmp_path):
    put_mark(repository, page.port, "one")
    run().stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts in the kernel and never says a word
        (tmp_path / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { source: { timeout: 1s } }\n")
        edge = run("--config", tmp_path / "edge.yaml", source=f"https://127.0.0.1:{silent.getsockname()[1]}/repo.git", wait=False)
        edge.wait_ready()
        assert mark(edge) == "one"  # from its last good state
        until(lambda: any(c["type"] == "SourceReady" and c["status"] == "False" for c in edge.status()["conditions"]), "SourceReady: False")
        edge.stop()


def test_truncated_state_files_are_survived(repository, page, run):
    put_mark(repository, page.port, "one")
    edge = run()
    edge.apply(repository, "shop.yaml", distribution(page.port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
               header_policy(X_Mark="two"))
    edge.stop()
    journal = edge.state / "journal"
    whole = journal.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 3, 0):
        journal.write_bytes(whole[:length])
        edge.start()
        assert mark(edge) == "two"  # the source is there: whatever was lost is made again
        edge.stop()
    (edge.state / "journal").write_bytes(b"\xff" * 1000)
    edge.start()
    assert mark(edge) == "two"


def test_a_mutilated_last_good_snapshot_is_not_served(repository, page, run, tmp_path):
    put_mark(repository, page.port, "one")
    edge = run()
    edge.stop()
    files = [f for f in (edge.state / "snapshots").rglob("*") if f.is_file()]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:-1])
    edge.start()
    assert mark(edge) == "one"  # fetched again


def test_it_runs_as_root_in_a_folder_that_only_root_can_read(page, repository, run, tmp_path):
    put_mark(repository, page.port, "one")
    os.chmod(tmp_path, stat.S_IRWXU)
    edge = run()
    assert mark(edge) == "one"
    for path in [edge.state, *edge.state.iterdir()]:
        assert not path.stat().st_mode & 0o077, f"others can reach {path}"


def test_wait_gives_up_and_says_why(repository, page, run):
    put_mark(repository, page.port, "one")
    edge = run()
    done = edge.command("wait", "--commit", "0" * 40, "--timeout", "200ms", check=1)
    assert "0000000" in done.stderr
