# SPDX-License-Identifier: MIT
"""A state folder that two want, and a disk that is full: the edge serves on, says so, and goes on when there is room again."""
import resource
import subprocess

import pytest

from harness import until
from test_reconcile import mark, put_mark
from test_sources import source_failure


def status_of(edge, kind):
    """Of a condition; None when there is none of this type."""
    return next((c["status"] for c in edge.status()["conditions"] if c["type"] == kind), None)


@pytest.fixture
def edge(repository, origin, run):
    origin.page("/page")
    put_mark(repository, origin.port, "one")
    return run()


def test_a_second_process_is_refused_and_the_first_goes_on(repository, origin, edge):
    before = {path.name: path.read_bytes() for path in edge.state.iterdir() if path.is_file()}
    second = subprocess.run(edge.arguments, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"--state {edge.state}: another headgate uses this folder; stop it, or give each its own" in second.stderr
    assert {path.name: path.read_bytes() for path in edge.state.iterdir() if path.is_file()} == before
    put_mark(repository, origin.port, "two")
    edge.apply(repository)
    assert mark(edge) == "two"


def test_a_killed_process_leaves_no_lock(repository, edge):
    edge.kill()
    edge.start()
    assert mark(edge) == "one"


def limit_files(edge, octets):
    """No file of the edge's, or of the programs that it starts, may grow beyond that: writes fail as on a disk that is full."""
    resource.prlimit(edge.process.pid, resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))


def make_room(edge):
    limit_files(edge, resource.RLIM_INFINITY)


def recovers(edge, commit, value):
    make_room(edge)
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == value and status_of(edge, "Stalled") == "False"
    edge.kill()
    edge.start()  # and what was written in part is no harm
    assert mark(edge) == value


def test_a_journal_that_cannot_grow(repository, origin, edge):
    for number in range(20):  # it becomes the largest of all files, so that it alone cannot grow
        edge.command("purge", "shop", f"/{number}", check=0)
    commit = put_mark(repository, origin.port, "two")
    limit_files(edge, (edge.state / "journal").stat().st_size + 7)  # the next record is torn
    edge.reconcile()
    until(lambda: status_of(edge, "Stalled") == "True", "Stalled: True")
    stalled = next(c for c in edge.status()["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "StateWriteFailed" and "write" in stalled["message"]
    assert mark(edge) == "one" and edge.admin_get("/readyz").status == 200
    recovers(edge, commit, "two")
    assert [e["generation"] for e in edge.events() if e["type"] == "activated"] == [1, 2]


def test_a_mirror_that_cannot_grow(repository, origin, edge):
    commit = put_mark(repository, origin.port, "two")
    limit_files(edge, 20)
    edge.reconcile()
    failure = source_failure(edge)
    assert failure["reason"] == "FetchFailed" and failure["message"]
    assert mark(edge) == "one" and edge.admin_get("/readyz").status == 200
    recovers(edge, commit, "two")


def test_an_operator_hears_that_nothing_can_be_kept(repository, origin, edge):
    put_mark(repository, origin.port, "two")
    edge.apply(repository)
    limit_files(edge, 20)
    for command in (["rollback"], ["suspend", "--for", "1h", "--reason", "x"], ["purge", "shop", "/*"]):
        done = edge.command(*command)
        assert done.returncode != 0 and "write" in done.stderr, (command, done.stdout, done.stderr)
    assert mark(edge) == "two" and status_of(edge, "Suspended") is None
    make_room(edge)
    edge.command("rollback", check=0)
    assert mark(edge) == "one"
