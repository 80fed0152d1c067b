# SPDX-License-Identifier: MIT
"""Clients that are slow, many or rude do not grow memory without bound nor stop others."""
import socket

import pytest

from harness import behavior, cache_policy, memory, slow_client
from origin import Reply

CLIENTS = 1000


def test_slow_readers_of_a_cached_body_share_it(serve, origin, clients):
    size = 8 << 20
    origin.page("/large", b"x" * size)
    edge = serve(flags=["--cache-memory", "512MiB"])
    assert len(edge.get("/large").body) == size
    assert edge.get("/large").is_hit
    before = memory(edge)
    for _ in range(CLIENTS):
        clients.append(slow_client(edge, b"GET /large HTTP/1.1\r\nHost: shop.test\r\n\r\n"))
    assert all(one.recv(12) == b"HTTP/1.1 200" for one in clients)  # every one is being served
    grown = memory(edge) - before
    assert grown < CLIENTS * 128 * 1024, f"{grown / CLIENTS / 1024:.0f} KiB a client"
    assert edge.get("/large").is_hit


def test_slow_readers_of_an_uncached_body_hold_the_origin_back(serve, origin, clients):
    """Back-pressure end to end: what no client takes, the edge does not fetch."""
    bodies = []

    def endless(_):
        bodies.append(Reply(size=1 << 40, framing="chunked", headers={"Cache-Control": "no-store"}))
        return bodies[-1]

    origin.route("/endless", endless)
    edge = serve(default=behavior(cachePolicy="Managed-CachingDisabled"))
    before = memory(edge)
    count = 50
    for _ in range(count):
        clients.append(slow_client(edge, b"GET /endless HTTP/1.1\r\nHost: shop.test\r\n\r\n"))
    assert all(one.recv(12) == b"HTTP/1.1 200" for one in clients)
    assert all(body.progress.wait_blocked(60) for body in bodies)  # every buffer on the way is full
    grown = memory(edge) - before
    assert grown < count * (2 << 20), f"{grown / count / 1024:.0f} KiB a client"


def test_clients_that_never_finish_their_request_cost_little(serve, origin, clients):
    origin.page("/page")
    edge = serve()
    edge.get("/page")
    before = memory(edge)
    for _ in range(CLIENTS):
        clients.append(slow_client(edge, b"GET /page HTTP/1.1\r\nHost: shop.test\r\nX-Slow: "))
    assert edge.get("/page").is_hit
    grown = memory(edge) - before
    assert grown < CLIENTS * 64 * 1024, f"{grown / CLIENTS / 1024:.0f} KiB a client"


def test_the_cache_stays_within_its_memory(serve, origin):
    origin.route("/object", Reply(size=1 << 20))
    edge = serve(cache_policy("all", queryStrings={"behavior": "all"}), default=behavior(cachePolicy="all"))  # --cache-memory 64MiB
    before = memory(edge)
    with edge.connect() as client:
        for number in range(200):
            assert client.get(f"/object?{number}").status == 200
    assert memory(edge) - before < (64 << 20) * 2


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"GET / HTTP/1.1\nHost: a\n\n",
], ids=["no-host", "two-hosts", "length-and-chunked", "two-lengths", "bare-lf"])
def test_a_malformed_request_gets_400_and_the_connection_ends(serve, origin, request_bytes):
    edge = serve()
    with edge.socket() as client:
        client.sendall(request_bytes)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert origin.requests == []


def test_a_request_body_over_the_limit_gets_413(serve, origin, tmp_path):
    (tmp_path / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { maxRequestBody: 1KiB } }\n")
    edge = serve(flags=["--config", tmp_path / "edge.yaml"],
                 default=behavior(cachePolicy="Managed-CachingDisabled", allowedMethods=["ALL"]))
    origin.page("/upload")
    assert edge.request("POST", "/upload", b"x" * 1024).status == 200
    assert edge.request("POST", "/upload", b"x" * 1025).status == 413
