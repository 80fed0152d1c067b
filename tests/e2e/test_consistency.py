# SPDX-License-Identifier: MIT
"""A commit changes everything in one instant: 16 connections at full speed while 200 commits flip two coupled headers."""
import threading

import pytest

from harness import behavior, cache_policy, distribution, header_policy

COMMITS = 200
CONNECTIONS = 16


def coupled(number):
    """A headers policy that gives one number in two headers, and an expectation that goes with the commit."""
    return header_policy(X_One=str(number), X_Two=str(number))


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_every_response_carries_exactly_one_generation(serve, origin, repository, tls):
    origin.page("/page", b"x" * 1024)
    edge = serve(coupled(0), default=behavior(responseHeadersPolicy="mark"))
    edge.get("/page")
    stop = threading.Event()
    problems, counts, seen = [], [], set()

    def client():
        last, count = 0, 0
        with edge.connect(tls) as connection:
            while not stop.is_set():
                try:
                    answer = connection.get("/page")
                except Exception as failure:  # a connection that is closed is a problem too
                    problems.append((last, count, repr(failure)))
                    return
                count += 1
                one, two = answer.headers.get("x-one"), answer.headers.get("x-two")
                fields = [name for name, _ in answer.fields if name == "headgate-generation"]
                if answer.status != 200 or one is None or one != two or len(fields) != 1 or answer.generation < last:
                    problems.append((last, answer))
                    return
                last = answer.generation
                seen.add((answer.headers["headgate-generation"], one))
        counts.append(count)

    clients = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for one in clients:
        one.start()
    try:
        for number in range(1, COMMITS + 1):
            repository.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                           coupled(number))
            commit = repository.commit(str(number))
            edge.reconcile()
            if number % 20 == 0:
                edge.wait(commit)  # the rest come as fast as git makes them
    finally:
        stop.set()
        for one in clients:
            one.join(60)
    assert not problems, problems[:3]
    assert len(counts) == CONNECTIONS
    generations = [generation for generation, _ in seen]
    assert len(generations) == len(set(generations)), "one generation, two contents"
    assert len(generations) >= COMMITS // 20
    assert edge.get("/page").headers["x-one"] == str(COMMITS)
    assert origin.count("/page") == 1  # the cache has survived every commit
