# SPDX-License-Identifier: MIT
"""Rollback that sticks: a commit that makes requests fail goes back by itself, and an origin that fails for both does not roll back anything."""
import contextlib
import re
import threading

import pytest

import harness
from harness import behavior, cache_policy, distribution, header_policy, resource, until
from origin import Reply
from test_overrides import condition, mark, reconciled

GUARD = {"minRequests": 20, "window": "1h"}


def put(repository, port, value, guard=None, *resources, **spec):
    """`/api/*` is not cached, the rest is, by `key`; `path` is the origin's."""
    key = spec.pop("key", {})
    fields = {"originPath": spec.pop("path")} if "path" in spec else {}
    repository.put("shop.yaml", distribution(
        [harness.origin("main", port, **fields)], default=behavior(responseHeadersPolicy="mark"),
        cacheBehaviors=[behavior(pathPattern="/api/*", cachePolicy="Managed-CachingDisabled", responseHeadersPolicy="mark")],
        rollout=spec.pop("rollout", {"guard": guard or GUARD}), **spec), cache_policy(**key), header_policy(X_Mark=value), *resources)
    return repository.commit(value)


@contextlib.contextmanager
def load(edge, *targets):
    """Viewers who never stop asking, each on a connection of their own. A target may come with header fields."""
    over, failures = threading.Event(), []

    def view(target):
        target, headers = target if isinstance(target, tuple) else (target, {})
        try:
            with edge.connect() as client:
                while not over.is_set():
                    client.get(target, **headers)
        except Exception as failure:  # shown in the test's thread
            failures.append(failure)

    viewers = [threading.Thread(target=view, args=(target,)) for target in targets * 2]
    for viewer in viewers:
        viewer.start()
    try:
        yield
    finally:
        over.set()
        for viewer in viewers:
            viewer.join()
    assert not failures


def apply(edge, commit):
    edge.reconcile()
    edge.wait(commit)


def events(edge, kind):
    return [event for event in edge.events() if event["type"] == kind]


def rolled_back(edge):
    return until(lambda: (lambda c: c if c and c["reason"] == "Guard" else None)(condition(edge, "RolledBack")), "the rollback")


def stop_and_start(edge):
    edge.stop()
    edge.start()


def kill_and_start(edge):
    edge.kill()
    edge.start()


restarts = pytest.mark.parametrize("again", [stop_and_start, kill_and_start, lambda edge: edge.hand_over()], ids=["SIGTERM", "SIGKILL", "SIGUSR2"])


@pytest.fixture
def edge(repository, origin, run):
    """One whose origin answers well, and fails below /bad."""
    origin.page("/page", "good")
    origin.page("/api/orders", "good")
    origin.page("/bad/page", "wrong")
    origin.page("/bad/wrong-only", "wrong")
    origin.route("/bad/api/orders", Reply(status=500))
    origin.commits = [put(repository, origin.port, "one")]
    return run()


def test_a_commit_that_makes_requests_fail_goes_back_by_itself_and_stays_away(repository, origin, edge, run):
    with load(edge, "/api/orders"):
        bad = put(repository, origin.port, "two", path="/bad")
        edge.reconcile()
        held = rolled_back(edge)
        assert bad[:7] in held["message"] and "ended as 5xx, most of all in /api/*" in held["message"]
        assert edge.get("/api/orders").status == 200 and mark(edge) == "one"
        reconciled(edge)
        assert mark(edge) == "one"
    event = events(edge, "activated")[-1]
    assert event["rolledBackFrom"] == bad and event["by"] == "guard" and event["generation"] == 3
    assert [e["generation"] for e in events(edge, "suspected")] == [2]
    assert edge.status()["revisions"]["applied"] == origin.commits[0]
    told = edge.command("status", check=1).stdout
    assert re.search(rf"RolledBack +True +Guard: {bad[:7]} is held", told), told
    edge.stop()
    edge = run()
    reconciled(edge)
    assert mark(edge) == "one" and condition(edge, "RolledBack")["reason"] == "Guard"
    apply(edge, put(repository, origin.port, "three"))
    assert mark(edge) == "three" and condition(edge, "RolledBack") is None


def test_what_the_commit_that_failed_fetched_is_gone(repository, origin, edge):
    assert edge.get("/page").body == b"good"
    with load(edge, "/api/orders", "/wrong-only"):
        put(repository, origin.port, "two", path="/bad")
        edge.reconcile()
        rolled_back(edge)
    assert origin.count("/bad/wrong-only") >= 1  # it was fetched under the commit, and stored
    origin.page("/wrong-only", "good")
    assert edge.get("/wrong-only").body == b"good"
    assert edge.get("/page").is_hit  # what it did not fetch is still there


def test_an_outage_that_hits_both_alike_does_not_roll_back(repository, origin, edge):
    with load(edge, "/api/orders"):
        apply(edge, put(repository, origin.port, "two"))
        assert condition(edge, "Watched")["reason"] == "GuardWindow"
        origin.route("/api/orders", Reply(status=503))
        cleared = until(lambda: events(edge, "cleared"), "the comparison to be over")
        assert "the same under the configuration before" in cleared[0]["reason"]
        origin.page("/api/orders", "good")
        until(lambda: edge.get("/api/orders").status == 200, "the origin to be back")
    assert mark(edge) == "two" and condition(edge, "RolledBack") is None
    assert len(events(edge, "activated")) == 2


def test_resume_takes_the_commit_again_and_it_stays(repository, origin, edge):
    with load(edge, "/api/orders"):
        put(repository, origin.port, "two", path="/bad")
        edge.reconcile()
        rolled_back(edge)
        edge.command("resume", check=0)
        until(lambda: mark(edge) == "two", "the commit to be live again")
        assert condition(edge, "Watched") is None and condition(edge, "RolledBack") is None
    assert {edge.get("/api/orders").status for _ in range(50)} == {500}
    assert mark(edge) == "two" and [e["generation"] for e in events(edge, "suspected")] == [2]


def test_going_back_further_lets_no_held_commit_through(repository, origin, edge):
    apply(edge, put(repository, origin.port, "two"))
    with load(edge, "/api/orders"):
        put(repository, origin.port, "three", path="/bad")
        edge.reconcile()
        rolled_back(edge)
    edge.command("rollback", "1", "--reason", "older is better", check=0)
    reconciled(edge)
    assert mark(edge) == "one"
    assert "are held" in condition(edge, "RolledBack")["message"]
    edge.command("resume", check=0)
    until(lambda: mark(edge) == "three", "what the source names")


def test_refusals_count_where_the_guard_says_so(repository, origin, edge):
    apply(edge, put(repository, origin.port, "two", {**GUARD, "maxBlockRatioIncrease": "5%"}))
    acl = resource("WebACL", "all", {"defaultAction": "block", "rules": [{"name": "none", "when": {"path": {"exact": "/none"}}, "action": "allow"}]})
    with load(edge, "/api/orders"):
        put(repository, origin.port, "three", None, acl, webAclRef="all")
        edge.reconcile()
        assert "were refused" in rolled_back(edge)["message"]
        assert mark(edge) == "two"


def test_a_guard_that_is_off_lets_everything_through(repository, origin, edge):
    apply(edge, put(repository, origin.port, "two", {"onFail": "ignore"}))
    apply(edge, put(repository, origin.port, "three", path="/bad"))
    assert condition(edge, "Watched") is None
    assert {edge.get("/api/orders").status for _ in range(50)} == {500}


@restarts
def test_a_restart_does_not_end_the_guard_window(repository, origin, edge, again):
    origin.page("/bad/api/orders", "good yet")
    bad = put(repository, origin.port, "two", path="/bad")
    apply(edge, bad)
    again(edge)
    assert condition(edge, "Watched")["reason"] == "GuardWindow" and edge.get("/api/orders").body == b"good yet"
    origin.route("/bad/api/orders", Reply(status=500))
    with load(edge, "/api/orders"):
        assert bad[:7] in rolled_back(edge)["message"]
    assert edge.get("/api/orders").body == b"good" and mark(edge) == "one"
    assert edge.get("/page").generation == 3


def test_the_guard_window_ends(repository, origin, run):
    origin.page("/page", "good")
    put(repository, origin.port, "one", {"minRequests": 20, "window": "1s"})
    edge = run()
    apply(edge, put(repository, origin.port, "two", {"minRequests": 20, "window": "1s"}))
    until(lambda: condition(edge, "Watched") is None, "the end of the window")
    assert mark(edge) == "two" and [e["generation"] for e in events(edge, "confirmed")] == [2]
