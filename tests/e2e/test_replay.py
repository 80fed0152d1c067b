# SPDX-License-Identifier: MIT
"""`headgate diff --replay`: requests that an edge has served, under the configuration before and after a change."""
import json

import pytest

from harness import behavior, cache_policy, distribution, headgate, until


@pytest.fixture
def served(serve, origin):
    """An edge that has served /a (twice), /api/1 and /api/2 with a token, and what asks for the difference to HEAD~1."""
    for path in ("/a", "/api/1", "/api/2"):
        origin.page(path, Cache_Control="max-age=60")
    edge = serve()
    for target in ("/a", "/a", "/api/1", "/api/2?token=hunter2"):
        assert edge.get(target, User_Agent="tester").status == 200
    recorded(edge, 4)
    return edge


def recorded(edge, count):
    """The requests that the edge remembers, when there are so many: each is recorded after its answer."""
    return until(lambda: (lambda lines: lines if len(lines) >= count else None)(edge.admin_get("/requests").body.decode().splitlines()), "requests")


def commit_other(repository, origin):
    api = {"pathPattern": "/api/*", **behavior(viewerProtocolPolicy="https-only")}
    return repository.commit_of("shop.yaml", distribution(origin.port, cacheBehaviors=[api]), cache_policy())


@pytest.mark.http1
def test_the_last_requests_of_an_edge(served, repository, origin):
    commit_other(repository, origin)
    requests = origin.count()
    done = headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--admin", served.admin, "--replay", "last", check=1)
    assert origin.count() == requests, "nothing is fetched"
    assert "Replay of 4 requests: 2 would be decided in another way" in done.stdout
    assert "answer: origin main → 403 https_only" in done.stdout and "behavior: * → /api/*" in done.stdout
    assert "refused             0 → 2" in done.stdout
    report = json.loads(headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, "--admin", served.admin, "--replay", "last", "--json", check=1).stdout)["replay"]
    assert (report["requests"], report["changed"], report["skipped"]) == (4, 2, 0)
    assert report["before"] == {"cacheable": 4, "hits": 1, "originRequests": 3, "originBytes": report["before"]["originBytes"], "refused": 0}
    assert report["after"]["originRequests"] == 1


def test_no_secret_leaves_the_edge(served):
    served.get("/a?Signature=hunter3", Cookie="session=hunter4", Authorization="Bearer hunter5", Referer="https://x.test/?password=hunter6")
    text = "\n".join(recorded(served, 5))
    assert "hunter" not in text and text.count("redacted-") == 3
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line.get("user_agent") for line in lines].count("tester") == 4
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_an_access_log(serve, repository, origin, tmp_path):
    origin.page("/api/1", Cache_Control="max-age=60")
    log = tmp_path / "access.log"
    edge = serve(flags=("--access-log", log))
    edge.get("/api/1")
    edge.stop()
    commit_other(repository, origin)
    done = headgate("diff", "HEAD~1", "--repo", repository.path, "--replay", log, check=1)
    assert "Replay of 1 requests: 1 would be decided in another way" in done.stdout
    with log.open("a") as file:
        file.write("not a request\n")
    done = headgate("diff", "HEAD~1", "--repo", repository.path, "--replay", log, check=1)
    assert "1 lines are no requests; the first is line 2" in done.stderr


def test_what_cannot_be_replayed_is_said(served, repository, tmp_path):
    def diff(*arguments):
        return headgate("diff", "HEAD..HEAD", "--repo", repository.path, *arguments, check=2).stderr
    assert "--admin" in diff("--replay", "last")
    assert "No such file" in diff("--replay", tmp_path / "missing")
    served.stop()
    assert served.admin in diff("--replay", "last", "--admin", served.admin)


def test_a_replay_of_an_equal_configuration(served, repository):
    done = headgate("diff", "HEAD..HEAD", "--repo", repository.path, "--admin", served.admin, "--replay", "last", check=0)
    assert "Replay of 4 requests: 0 would be decided in another way" in done.stdout
