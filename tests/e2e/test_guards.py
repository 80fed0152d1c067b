# SPDX-License-Identifier: MIT
"""What `kind: Fleet` lets a commit do at once, and when: commits that take too much away are refused, others wait for their window."""
import datetime
import re

import pytest

from harness import API, behavior, cache_policy, distribution, header_policy, invalidation, until
from signing import keys, site  # noqa: F401 (fixtures)
from test_overrides import condition, mark, reconciled

FAR = f"0 0 1 {(datetime.datetime.now(datetime.timezone.utc).month + 5) % 12 + 1} *"  # half a year away


def fleet(**spec):
    return {"apiVersion": API, "kind": "Fleet", "metadata": {"name": "all"}, "spec": spec}


def put(repository, port, value, names=("*",), **spec):
    repository.put("shop.yaml", distribution(port, aliases=names, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                   header_policy(X_Mark=value))
    repository.put("fleet.yaml", fleet(**spec))


def refusal(edge, commit):
    edge.reconcile()
    until(lambda: (edge.status()["refused"] or {}).get("commit") == commit, "the refusal")
    return edge.status()["refused"]


NAMES = ["*", *(f"host{n}.test" for n in range(9))]


def test_a_commit_that_takes_too_much_away_says_that_it_means_it(repository, origin, run):
    origin.page("/page")
    put(repository, origin.port, "one", NAMES)
    repository.commit()
    edge = run()
    put(repository, origin.port, "two", NAMES[:5], guards={"prune": 100})  # its own guard does not count
    commit = repository.commit("clean up")
    refused = refusal(edge, commit)
    assert refused["stage"] == "guard" and refused["reason"] == "TooMuchPruned"
    assert "[HG1701] 5 of 10 host names" in edge.status()["diagnostics"][0] and "Headgate-Prune: 5" in edge.status()["diagnostics"][0]
    assert condition(edge, "Guarded")["reason"] == "TooMuchPruned" and mark(edge) == "one"
    repository.git("commit", "--quiet", "--allow-empty", "--message", "it is meant\n\nHeadgate-Prune: 5")
    edge.reconcile()
    edge.wait(repository.git("rev-parse", "HEAD"))
    assert mark(edge) == "two" and condition(edge, "Guarded") is None


def test_a_commit_that_purges_too_much_says_that_it_means_it(repository, origin, run):
    for number in range(10):
        origin.page(f"/page{number}")
    put(repository, origin.port, "one", guards={"purge": 50})
    repository.commit()
    edge = run()
    for number in range(10):
        edge.get(f"/page{number}")
    repository.put("purge.yaml", invalidation("all", "/*"))
    assert refusal(edge, repository.commit("purge"))["reason"] == "TooMuchPurged"
    assert "[HG1702] the invalidations would touch 100 %" in edge.status()["diagnostics"][0] and edge.get("/page1").is_hit
    repository.put("purge.yaml", invalidation("some", "/page1", "/page2"))
    commit = repository.commit("less")
    edge.reconcile()
    edge.wait(commit)
    assert not edge.get("/page1").is_hit and edge.get("/page3").is_hit


@pytest.fixture
def closed(repository, origin, run):
    """An edge whose only window is half a year away."""
    origin.page("/page")
    put(repository, origin.port, "one", changeWindows=[{"cron": FAR, "for": "1h"}])
    repository.commit()
    return run()


def test_a_commit_waits_for_its_window(repository, origin, closed, run):
    put(repository, origin.port, "two", changeWindows=[{"cron": "* * * * *", "for": "2m"}])
    repository.commit("two")
    reconciled(closed)
    pending = until(lambda: condition(closed, "Pending"), "Pending")
    assert pending["reason"] == "ChangeWindow" and re.search(r"opens at \d{4}-\d\d-01T00:00:00Z", pending["message"])
    assert mark(closed) == "one"
    closed.command("purge", "shop", "/page", check=0)  # purges are urgent
    closed.stop()
    closed = run()
    reconciled(closed)
    assert mark(closed) == "one" and condition(closed, "Pending")
    # The operator lets it through; from then on there is always a window.
    closed.command("resume", check=0)
    until(lambda: mark(closed) == "two", "the commit that waited")
    assert condition(closed, "Pending") is None
    put(repository, origin.port, "three", changeWindows=[{"cron": FAR, "for": "1h"}])
    commit = repository.commit("three")
    closed.reconcile()
    closed.wait(commit)
    assert mark(closed) == "three"


def test_what_was_let_through_is_one_commit(repository, origin, closed):
    put(repository, origin.port, "two", changeWindows=[{"cron": FAR, "for": "1h"}])
    repository.commit("two")
    reconciled(closed)
    until(lambda: condition(closed, "Pending"), "Pending")
    closed.command("resume", check=0)
    until(lambda: mark(closed) == "two", "the commit that waited")
    put(repository, origin.port, "three", changeWindows=[{"cron": FAR, "for": "1h"}])
    repository.commit("three")
    reconciled(closed)
    assert until(lambda: condition(closed, "Pending"), "Pending") and mark(closed) == "two"


def test_a_commit_that_is_taken_back_waits_no_more(repository, origin, closed):
    live = repository.git("rev-parse", "HEAD")
    put(repository, origin.port, "two", changeWindows=[{"cron": FAR, "for": "1h"}])
    repository.commit("two")
    reconciled(closed)
    until(lambda: condition(closed, "Pending"), "Pending")
    repository.git("reset", "--quiet", "--hard", live)
    reconciled(closed)
    until(lambda: condition(closed, "Pending") is None, "nothing to wait")


def test_an_emergency_needs_two_people_who_say_so(site, origin, run):
    """One signs a commit with the trailer, another one merges it and says the same; neither can alone."""
    origin.page("/page")
    window = [{"cron": FAR, "for": "1h"}]

    def waits():
        reconciled(edge)
        assert until(lambda: condition(edge, "Pending"), "Pending") and mark(edge) == "one"

    (site.path / "policies" / "cached.yaml").unlink()  # `put` brings it
    put(site, origin.port, "one", changeWindows=window)
    first = site.commit("alice")
    edge = run("--allowed-signers", site.trusted)
    site.change("alice", "page.txt")  # somebody else's, which waits
    put(site, origin.port, "two", changeWindows=window)
    alone = site.commit("dave", "two\n\nHeadgate-Override: the shop is down")
    waits()
    site.commit("dave", "again\n\nHeadgate-Override: it is, really")
    waits()
    site.git("reset", "--quiet", "--hard", first)
    site.git("branch", "emergency", alone)
    merge = site.merge("alice", "emergency", "--message", "Headgate-Override: yes, it is down")
    edge.reconcile()
    edge.wait(merge)
    assert mark(edge) == "two"
    assert [e["commit"] for e in edge.events() if e["type"] == "overridden"] == [merge]


def test_without_signatures_nobody_can_tell_two_people_from_one(repository, origin, closed):
    put(repository, origin.port, "two")
    repository.git("add", "--all")
    for _ in range(2):
        repository.git("commit", "--quiet", "--allow-empty", "--message", "two\n\nHeadgate-Override: the shop is down")
    reconciled(closed)
    assert until(lambda: condition(closed, "Pending"), "Pending") and mark(closed) == "one"
