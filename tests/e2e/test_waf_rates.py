# SPDX-License-Identifier: MIT
"""Rate rules over real HTTP, with clients that come at the same time on all workers."""
import json
import threading

from harness import cache_policy
from test_waf import acl, guarded, rule, samples  # noqa: F401, the fixture


def rate(limit, action="block", name="rate", **spec):
    return {"name": name, "rate": {"limit": limit, "window": "1h", **spec}, "action": action}


def test_exactly_as_many_pass_as_the_limit_says_whoever_serves_them(guarded):
    edge = guarded(rate(100), flags=("--threads", "4"))
    statuses, barrier, lock = [], threading.Barrier(12), threading.Lock()

    def client():
        barrier.wait()
        for _ in range(3):  # each on a connection, and so on a worker, of its own
            with edge.connect() as connection:
                mine = [connection.get("/page").status for _ in range(10)]
            with lock:
                statuses.extend(mine)

    threads = [threading.Thread(target=client) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(429)) == (100, 260)
    assert samples(edge)["rate", "block"] == 260


def test_who_comes_too_often_is_told_when_to_come_again_and_may(guarded):
    edge = guarded(rate(2, window="1s"))
    answers = [edge.get("/page") for _ in range(3)]
    while answers[-1].status == 200:  # a slow machine: the window has moved on
        answers.append(edge.get("/page"))
    refused = answers[-1]
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["proxy-status"] == 'headgate; error=http_request_denied; details="rate_limit rate"'
    while edge.get("/page").status == 429:
        pass  # the clock alone lets it pass


def test_keys_tell_clients_apart_and_only_what_counts_is_counted(guarded):
    edge = guarded(rate(1, key=["header:X-Key", "path"], when={"method": {"exact": "GET"}}))
    assert edge.get("/page", X_Key="a").status == 200
    assert edge.get("/page", X_Key="a").status == 429
    assert edge.get("/page", X_Key="b").status == 200
    assert edge.get("/other", X_Key="a").status == 200
    assert [edge.get("/page").status for _ in range(3)] == [200] * 3
    assert [edge.request("HEAD", "/page", X_Key="a").status for _ in range(2)] == [200] * 2


def test_a_custom_answer_of_a_rate_rule_has_retry_after_too(guarded):
    edge = guarded(rate(1, {"block": {"status": 503, "body": "later"}}))
    edge.get("/page")
    answer = edge.get("/page")
    assert (answer.status, answer.body) == (503, b"later")
    assert 3590 <= int(answer.headers["retry-after"]) <= 3600


def test_a_rate_rule_that_only_counts(guarded):
    edge = guarded(rate(1, "count"))
    assert [edge.get("/page").status for _ in range(3)] == [200] * 3
    assert samples(edge)["rate", "count"] == 2


def test_counters_survive_a_commit_that_leaves_the_rule_alone(guarded, repository):
    edge = guarded(rate(2))
    assert [edge.get("/page").status for _ in range(3)] == [200, 200, 429]
    shop = json.loads((repository.path / "shop.yaml").read_text().split("\n---\n")[0])

    def commit(*rules):
        edge.apply(repository, "shop.yaml", shop, cache_policy(), acl(*rules))

    commit(rule("new", {"path": {"exact": "/x"}}), rate(2))
    assert edge.get("/page").status == 429
    commit(rate(3))
    assert [edge.get("/page").status for _ in range(4)] == [200, 200, 200, 429]


def test_many_keys_stay_within_memory(guarded):
    edge = guarded(rate(5, key=["arg:k"]))
    with edge.connect() as client:
        for number in range(3000):
            client.get(f"/page?k={number}")
    assert edge.metric("headgate_waf_rate_keys")[""] == 3000
    assert 0 < edge.metric("headgate_waf_rate_bytes")[""] < 1 << 20
