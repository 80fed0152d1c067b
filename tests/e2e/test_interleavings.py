# SPDX-License-Identifier: MIT
"""Random interleavings of everything: after an invalidation is in force no body is older than it, and none is ever torn or mixed.

Viewers, purges, commits, origin's faults and restarts run side by side; the model in interleavings/ knows which octets are
which version's. HEADGATE_SEED=7 runs seed 7 alone, HEADGATE_ROUNDS=100 that many seeds, HEADGATE_SECONDS=60 each for so long.
"""
import os
import time

import pytest

from harness import DEADLINE, until
from interleavings.model import World
from interleavings.operators import Api, Committer, Restarter
from interleavings.viewers import Http1Viewer, Http2Viewer

SECONDS = float(os.environ.get("HEADGATE_SECONDS", "6"))
FIRST = int(os.environ.get("HEADGATE_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("HEADGATE_ROUNDS", "1")))
PAGES = 200
#: A run goes on until all of this has happened.
WANTED = {"hit", "collapsed", "fwd=stale", "fwd-status=304", "206", "multipart", "304", "416", "purges", "commits", "changes", "undone"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", ["steady", "faults", "restarts", "large"])
def test_nothing_is_older_than_its_purge_nor_torn_nor_mixed(run, repository, origin, scenario, seed):
    large = scenario == "large"
    world = World(seed, 8 if large else PAGES, faults=scenario == "faults", large=large)
    origin.otherwise(world.answer)
    committer = Committer(world, None, "git", repository, origin)
    committer.configure()
    repository.commit("shop")
    # A sixteenth is what is kept in one piece, and what a slice has to fit in.
    cache = "8MiB" if scenario == "steady" else world.chance("cache").choice(("24MiB", "64MiB"))
    edge = committer.edge = run("--cache-memory", cache)
    actors = [committer, Api(world, edge, "api-1"), Api(world, edge, "api-2"),
              *[Http1Viewer(world, edge, f"http1-{number}") for number in range(4)], Http1Viewer(world, edge, "https", tls=True),
              *[Http2Viewer(world, edge, f"http2-{number}") for number in range(2)]]
    if scenario == "restarts":
        actors.append(Restarter(world, edge, "restarter"))
    wanted = WANTED | {"large": {"slices"}, "faults": {"broken", "error"}, "restarts": {"restarts"}}.get(scenario, set())
    end = time.monotonic() + SECONDS
    for actor in actors:
        actor.start()
    try:
        until(lambda: world.done.is_set() or time.monotonic() > end and all(world.counts[name] for name in wanted),
              "everything to have happened", SECONDS + 2 * DEADLINE)
    finally:
        world.done.set()
        until(lambda: world.turn() or not any(actor.is_alive() for actor in actors), "the last answers", 3 * DEADLINE)
        print(f"seed {seed}, {scenario}, {cache}: {dict(world.counts)}")
    assert not world.problems, world.problems[0]
    if scenario == "steady":
        assert edge.metric("headgate_cache_evictions_total")[""] > 0
