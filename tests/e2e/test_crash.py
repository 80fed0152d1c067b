# SPDX-License-Identifier: MIT
"""kill -9 at any point: what was live before is live after, purges run once, and nothing needs repair."""
import random

from harness import behavior, cache_policy, distribution, header_policy, invalidation

ROUNDS = 25


def test_kill_9_and_restart_at_random_points(repository, origin, run):
    origin.page("/page")
    chance = random.Random(20261120)  # the points are random but the same each time
    repository.commit_of("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                         header_policy(X_Mark="0"))
    edge = run(poll="10ms")
    floor = edge.get("/page").generation
    for number in range(1, ROUNDS + 1):
        repository.put("mark.yaml", invalidation(f"purge-{number}", "/page"))
        commit = repository.commit_of("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")),
                                      cache_policy(), header_policy(X_Mark=str(number)))
        if chance.random() < 0.3:
            edge.wait(commit)
        else:
            for _ in range(chance.randrange(40)):  # somewhere between fetch and activation
                edge.get("/page")
        edge.kill()
        edge.start()
        answer = edge.get("/page")
        assert answer.status == 200
        assert answer.generation >= floor, "a restart went back in time"
        assert answer.headers["x-mark"] in (str(number - 1), str(number))
        edge.wait(commit)
        floor = edge.get("/page").generation
        assert edge.get("/page").headers["x-mark"] == str(number)
    purges = [e.get("invalidations") or [] for e in edge.events()]
    ids = [each if isinstance(each, str) else each["id"] for one in purges for each in one]
    assert sorted(ids) == sorted(set(ids)), "a purge ran twice"
