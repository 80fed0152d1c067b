# SPDX-License-Identifier: MIT
"""Operators' overrides: going back and waiting, each visible, kept through restarts, and over in the end."""
import pytest

from harness import behavior, cache_policy, distribution, header_policy, until
from signing import keys, site  # noqa: F401 (fixtures)


def put_mark(repository, port, mark):
    repository.put("shop.yaml", distribution(port, default=behavior(responseHeadersPolicy="mark")), cache_policy(), header_policy(X_Mark=mark))
    return repository.commit(mark)


def mark(edge):
    return edge.get("/page").headers["x-mark"]


def condition(edge, kind):
    """None while it does not hold."""
    found = next((c for c in edge.status()["conditions"] if c["type"] == kind), None)
    assert found is None or found["status"] == "True"
    return found


def reconciled(edge):
    """Asks for a round, and waits until it is over."""
    before = sum(edge.metric("headgate_reconciles_total").values())
    edge.reconcile()
    until(lambda: sum(edge.metric("headgate_reconciles_total").values()) > before, "a round")


@pytest.fixture
def edge(repository, origin, run):
    """One on which `two` followed `one`."""
    origin.page("/page", "good")
    edge_commits = [put_mark(repository, origin.port, "one")]
    edge = run()
    edge_commits.append(put_mark(repository, origin.port, "two"))
    edge.reconcile()
    edge.wait(edge_commits[1])
    edge.commits = edge_commits
    return edge


def test_a_rollback_sticks_until_another_commit_comes(repository, origin, edge, run):
    assert "generation 3" in edge.command("rollback", "--reason", "checkout answers 500", check=0).stdout
    assert mark(edge) == "one"
    held = condition(edge, "RolledBack")
    assert edge.commits[1][:7] in held["message"] and "checkout answers 500" in held["message"]
    newest = edge.status()["history"][0]
    assert newest["generation"] == 3 and newest["commit"] == edge.commits[0]
    event = [e for e in edge.events() if e["type"] == "activated"][-1]
    assert event["rolledBackFrom"] == edge.commits[1] and event["rolledBackTo"] == 1
    reconciled(edge)
    assert mark(edge) == "one"
    edge.stop()
    edge = run()
    reconciled(edge)
    assert mark(edge) == "one" and "checkout answers 500" in condition(edge, "RolledBack")["message"]
    commit = put_mark(repository, origin.port, "three")
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == "three" and condition(edge, "RolledBack") is None


def test_what_the_bad_generation_fetched_is_gone_and_the_rest_is_not(repository, origin, run):
    origin.page("/page", "good")
    origin.page("/other", "good")
    one = put_mark(repository, origin.port, "one")
    edge = run()
    edge.get("/other")
    commit = put_mark(repository, origin.port, "two")
    edge.reconcile()
    edge.wait(commit)
    origin.page("/page", "bad")
    assert edge.get("/page").body == b"bad" and edge.get("/page").is_hit
    origin.page("/page", "good")
    edge.command("rollback", check=0)
    assert edge.get("/page").body == b"good" and edge.get("/other").is_hit
    assert edge.status()["revisions"]["applied"] == one


def test_resume_takes_the_commit_again(edge):
    edge.command("rollback", check=0)
    edge.command("resume", check=0)
    until(lambda: mark(edge) == "two", "the commit to be live again")
    assert condition(edge, "RolledBack") is None
    assert "nothing" in edge.command("resume", check=1).stderr


def test_a_rollback_names_a_generation_that_is_known(repository, origin, edge):
    commit = put_mark(repository, origin.port, "three")
    edge.reconcile()
    edge.wait(commit)
    edge.command("rollback", "1", check=0)
    assert mark(edge) == "one" and edge.status()["generation"] == 4
    assert "99" in edge.command("rollback", "99", check=1).stderr
    assert "which is live" in edge.command("rollback", "1", check=1).stderr
    edge.command("rollback", "0", check=2)
    edge.command("rollback", "x", check=2)
    assert mark(edge) == "one"


def test_there_is_nothing_before_the_first(repository, origin, run):
    origin.page("/page")
    put_mark(repository, origin.port, "one")
    edge = run()
    assert "no other configuration" in edge.command("rollback", check=1).stderr
    assert mark(edge) == "one"


def test_a_rollback_keeps_who_signed_and_what_follows_is_verified(site, origin, run):
    origin.page("/page")

    def put(signer, value):
        site.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), header_policy(X_Mark=value))
        return site.commit(signer)

    put("alice", "one")
    edge = run("--allowed-signers", site.trusted)
    two = put("dave", "two")
    edge.reconcile()
    edge.wait(two)
    edge.command("rollback", check=0)
    newest = edge.status()["history"][0]
    assert newest["verified"] and newest["signers"] == ["alice"]
    three = put("dave", "three")
    edge.reconcile()
    edge.wait(three)
    assert edge.status()["history"][0]["signers"] == ["dave"]


def test_a_suspended_edge_lets_commits_wait(repository, origin, edge, run):
    assert "until" in edge.command("suspend", "--for", "2h", "--reason", "the sale", check=0).stdout
    put_mark(repository, origin.port, "three")
    edge.reconcile()
    until(lambda: next(c for c in edge.status()["conditions"] if c["type"] == "Ready")["reason"] == "NotApplied", "the commit to be seen")
    assert mark(edge) == "two" and edge.get("/page").is_hit
    held = condition(edge, "Suspended")
    assert "the sale" in held["message"]
    edge.command("purge", "shop", "/page", "--mode", "delete", check=0)  # purges are urgent
    assert not edge.get("/page").is_hit
    edge.stop()
    edge = run()
    reconciled(edge)
    assert mark(edge) == "two" and "the sale" in condition(edge, "Suspended")["message"]
    edge.command("resume", check=0)
    until(lambda: mark(edge) == "three", "the commit that waited")
    assert condition(edge, "Suspended") is None
    assert [e["type"] for e in edge.events() if e["type"] in ("suspended", "resumed")] == ["suspended", "resumed"]


def test_a_suspension_ends_by_itself(repository, origin, edge):
    edge.command("suspend", "--for", "1s", "--reason", "short", check=0)
    put_mark(repository, origin.port, "three")
    edge.reconcile()
    until(lambda: mark(edge) == "three", "the suspension to be over")  # nothing polls: it wakes up by itself
    assert condition(edge, "Suspended") is None


@pytest.mark.parametrize("arguments, code", [((), 2), (("--for", "2h"), 2), (("--for", "x", "--reason", "r"), 2),
                                             (("--for", "0s", "--reason", "r"), 1), (("--for", "31d", "--reason", "r"), 1),
                                             (("--for", "1h", "--reason", ""), 1)])
def test_a_suspension_has_an_end_and_a_reason(edge, arguments, code):
    edge.command("suspend", *arguments, check=code)
    assert condition(edge, "Suspended") is None


@pytest.mark.parametrize("target, body, status", [
    ("/rollback", "[]", 400), ("/rollback", '{"generation": -1}', 400), ("/rollback", '{"generation": 7}', 409),
    ("/suspend", "{}", 400), ("/suspend", '{"for": "1h"}', 400), ("/suspend", '{"for": 1, "reason": "r"}', 400),
    ("/suspend", '{"for": "1h", "reason": 1}', 400), ("/resume", "{}", 409), ("/resume", "x", 400)])
def test_the_admin_endpoints_say_what_is_wrong(edge, target, body, status):
    assert edge.admin_get(target, "POST", body).status == status
    assert mark(edge) == "two"
