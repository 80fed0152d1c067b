# SPDX-License-Identifier: MIT
"""A commit that goes live step by step: a share of the viewers is served by it, the same ones all the time, beside all others."""
import re

import pytest

from harness import HTTP3, invalidation, until
from origin import Reply
from test_overrides import condition, mark, reconciled
from test_rollback import apply, events, load, put, restarts, rolled_back

FOREVER = {"steps": ["20%", "50%"], "hold": "1h"}
QUICK = {"steps": ["20%", "50%"], "hold": "1s"}
GUARD = {"minRequests": 20, "window": "1h"}


def stage(edge, repository, origin, value="two", rollout=FOREVER, **options):
    """The next commit; returns when it serves its first share."""
    commit = put(repository, origin.port, value, rollout={**rollout, "guard": GUARD}, **options)
    edge.reconcile()
    until(lambda: commit[:7] in (condition(edge, "RollingOut") or {"message": ""})["message"], "the first step")
    return commit


def address(number):
    return f"10.1.{number // 250}.{number % 250}"


def marks(edge, count=1000, **headers):
    """What each of so many viewers gets."""
    with edge.connect() as client:
        return [client.get("/page", X_Forwarded_For=address(number), **headers).headers["x-mark"] for number in range(count)]


@pytest.fixture
def start(repository, origin, run):
    def make(rollout, **options):
        origin.page("/page", "good")
        origin.page("/api/orders", "good")
        origin.page("/bad/page", "wrong")
        origin.route("/bad/api/orders", Reply(status=500))
        origin.commits = [put(repository, origin.port, "one", rollout={**rollout, "guard": GUARD}, **options)]
        return run("--trusted-proxy", "127.0.0.0/8")

    return make


def test_a_share_of_the_viewers_is_served_and_the_same_ones_all_the_time(repository, origin, start):
    edge = start(FOREVER)
    commit = stage(edge, repository, origin)
    assert "generation 2" in condition(edge, "RollingOut")["message"] and "20 % of viewers, step 1 of 2" in condition(edge, "RollingOut")["message"]
    got = marks(edge, 2000)
    served = got.count("two")
    # Chi-square with one degree of freedom: beyond 10.83 once in a thousand, if 20 % were meant.
    assert (served - 400) ** 2 / 400 + (2000 - served - 1600) ** 2 / 1600 < 10.83, served
    assert marks(edge, 2000) == got
    assert edge.status()["revisions"]["applied"] == origin.commits[0] and edge.status()["revisions"]["desired"] == commit
    assert [e["generation"] for e in events(edge, "staged")] == [2]


def test_each_step_keeps_who_had_it_and_all_get_it_in_the_end(repository, origin, start):
    edge = start(QUICK)
    commit = stage(edge, repository, origin, rollout=QUICK)
    first = marks(edge)
    until(lambda: "step 2 of 2" in (condition(edge, "RollingOut") or {"message": "step 2 of 2"})["message"], "the second step")
    second = marks(edge)
    assert all(after == "two" for before, after in zip(first, second) if before == "two")
    edge.wait(commit)
    assert set(marks(edge, 50)) == {"two"} and condition(edge, "RollingOut") is None
    activated = events(edge, "activated")[-1]
    assert activated["generation"] == 2 and activated["commit"] == commit
    assert condition(edge, "Watched")["reason"] == "GuardWindow"  # for all viewers now


def test_testers_get_it_by_a_header(repository, origin, start):
    rollout = {**FOREVER, "steps": ["0.01%"], "header": {"name": "X-Canary", "value": "yes"}}
    edge = start(rollout)
    stage(edge, repository, origin, rollout=rollout)
    assert set(marks(edge, 20, X_Canary="yes")) == {"two"}
    assert set(marks(edge, 20, X_Canary="no")) == {"one"} == set(marks(edge, 20))


def test_a_cookie_knows_a_viewer_again(repository, origin, start):
    rollout = {**FOREVER, "sticky": "cookie"}
    edge = start(rollout)
    assert "set-cookie" not in edge.get("/page").headers
    stage(edge, repository, origin, rollout=rollout)
    expected = {"Path=/", "Max-Age=7200", "HttpOnly", "SameSite=Lax"} | ({"Secure"} if HTTP3 else set())
    seen = set()
    for _ in range(100):
        first = edge.get("/page")
        cookie, *attributes = first.headers["set-cookie"].split("; ")
        assert cookie.startswith("Headgate-Rollout=2-") and set(attributes) == expected
        again = edge.get("/page", Cookie=f"a=b; {cookie}")
        assert again.headers["x-mark"] == first.headers["x-mark"] and "set-cookie" not in again.headers
        seen.add(first.headers["x-mark"])
    assert seen == {"one", "two"}
    for stranger in ("1-5", "2-10000", "2-", "2", "x", "2-5x", "99999999999999999999-1"):
        assert "set-cookie" in edge.get("/page", Cookie=f"Headgate-Rollout={stranger}").headers, stranger
    assert "Secure" in edge.get("/page", tls=True).headers["set-cookie"]


def test_the_cookie_is_in_no_key_and_goes_to_no_origin(repository, origin, start):
    options = {"rollout": {**FOREVER, "sticky": "cookie"}, "key": {"cookies": {"behavior": "all"}}}
    edge = start(**options)
    stage(edge, repository, origin, **options)
    edge.get("/page")
    assert edge.get("/page", Cookie="Headgate-Rollout=2-0").is_hit and edge.get("/page", Cookie="Headgate-Rollout=2-9999").is_hit
    assert not edge.get("/page", Cookie="a=b; Headgate-Rollout=2-0").is_hit
    assert edge.get("/page", Cookie="Headgate-Rollout=2-9999; a=b").is_hit
    assert [request.header("Cookie") for request in origin.requests_to("/page")] == [None, "a=b"]


def test_a_new_host_is_there_for_all_viewers_or_for_none(repository, origin, start):
    rollout = {**FOREVER, "header": {"name": "X-Canary", "value": "yes"}}
    edge = start(rollout, aliases=["shop.test"])
    stage(edge, repository, origin, rollout=rollout, aliases=["shop.test", "new.test"])
    with edge.connect() as client:
        assert {client.request("GET", "/page", host="new.test", X_Forwarded_For=address(number)).status for number in range(100)} == {421}
        assert client.request("GET", "/page", host="new.test", X_Canary="yes").headers["x-mark"] == "two"
    assert set(marks(edge, 200)) == {"one", "two"}


def test_a_commit_that_fails_goes_back_to_nobody_and_stays_away(repository, origin, start, run):
    edge = start(FOREVER)
    viewers = [{"X_Forwarded_For": address(number)} for number in range(40)]
    bad = stage(edge, repository, origin, path="/bad")
    with load(edge, *[("/api/orders", viewer) for viewer in viewers]):
        held = rolled_back(edge)
    assert bad[:7] in held["message"] and "ended as 5xx, most of all in /api/*" in held["message"]
    assert set(marks(edge, 200)) == {"one"} and condition(edge, "RollingOut") is None
    assert {edge.get("/api/orders", **viewer).status for viewer in viewers} == {200}
    assert edge.get("/page", **viewers[0]).generation == 3  # nobody sees a generation go back
    reconciled(edge)
    edge.stop()
    edge = run("--trusted-proxy", "127.0.0.0/8")
    reconciled(edge)
    assert set(marks(edge, 200)) == {"one"} and condition(edge, "RolledBack")["reason"] == "Guard"


def test_an_outage_that_hits_both_does_not_stop_it(repository, origin, start):
    edge = start(QUICK)
    origin.route("/api/orders", Reply(status=500))
    viewers = [{"X_Forwarded_For": address(number)} for number in range(20)]
    with load(edge, *[("/api/orders", viewer) for viewer in viewers]):
        apply(edge, put(repository, origin.port, "two", rollout={**QUICK, "guard": GUARD}))
    assert mark(edge) == "two" and condition(edge, "RolledBack") is None


def test_what_the_staged_commit_fetched_is_gone_with_it(repository, origin, start):
    rollout = {**FOREVER, "header": {"name": "X-Canary", "value": "yes"}}
    edge = start(rollout)
    origin.page("/bad/new", "wrong")
    origin.page("/new", "good")
    stage(edge, repository, origin, path="/bad", rollout=rollout)
    assert edge.get("/new", X_Canary="yes").body == b"wrong"
    edge.command("rollback", "--reason", "not yet", check=0)
    assert edge.get("/new", X_Canary="yes").body == b"good"
    assert "not yet" in condition(edge, "RolledBack")["message"] and condition(edge, "RollingOut") is None


def test_invalidations_come_with_the_last_step(repository, origin, start):
    edge = start(QUICK)
    assert not edge.get("/page").is_hit and edge.get("/page").is_hit
    repository.put("purge.yaml", invalidation("now", "/page"))
    commit = stage(edge, repository, origin, rollout=QUICK)
    edge.wait(commit)
    assert "invalidations" not in events(edge, "staged")[0]
    assert [e["id"] for e in events(edge, "activated")[-1]["invalidations"]] == ["now"] and not edge.get("/page").is_hit


def test_another_commit_takes_its_place(repository, origin, start):
    edge = start(FOREVER)
    stage(edge, repository, origin)
    stage(edge, repository, origin, "three")
    assert set(marks(edge, 200)) == {"one", "three"}
    assert [e["generation"] for e in events(edge, "staged")] == [2, 3]


def test_a_source_that_goes_back_ends_it(repository, origin, start):
    edge = start(FOREVER)
    stage(edge, repository, origin)
    repository.git("reset", "--quiet", "--hard", origin.commits[0])
    edge.reconcile()
    until(lambda: condition(edge, "RollingOut") is None, "the end")
    assert set(marks(edge, 200)) == {"one"} and edge.get("/page").generation == 3
    assert condition(edge, "RolledBack") is None


def step(edge):
    return int(re.search(r"step (\d+) of 7", condition(edge, "RollingOut")["message"])[1])


@restarts
def test_a_restart_leaves_it_at_its_step(repository, origin, start, again):
    rollout = {"steps": [f"{share}%" for share in range(20, 90, 10)], "hold": "1s"}
    edge = start(rollout)
    commit = stage(edge, repository, origin, rollout=rollout)
    until(lambda: step(edge) > 1, "the second step")
    edge.command("suspend", "--for", "1h", "--reason", "the drill", check=0)
    reached, before = step(edge), marks(edge)
    again(edge)
    assert step(edge) == reached and marks(edge) == before and set(before) == {"one", "two"}
    assert {edge.get("/page", X_Forwarded_For=address(number)).generation for number in range(100)} == {1, 2}
    reconciled(edge)
    assert [e["step"] for e in events(edge, "widened")] == list(range(2, reached + 1)) and len(events(edge, "staged")) == 1
    edge.command("resume", check=0)
    edge.wait(commit)
    assert set(marks(edge, 50)) == {"two"} and edge.get("/page").generation == 2


def test_resume_takes_what_was_rolled_back_at_once(repository, origin, start):
    edge = start(FOREVER)
    stage(edge, repository, origin)
    edge.command("rollback", check=0)
    assert set(marks(edge, 200)) == {"one"}
    edge.command("resume", check=0)
    until(lambda: set(marks(edge, 50)) == {"two"}, "the commit to be live for all")
    assert condition(edge, "RollingOut") is None and condition(edge, "Watched") is None
