# SPDX-License-Identifier: MIT
"""Clients of HTTP/1 that are slow on purpose: each kind has a deadline of its own, is counted, and costs next to nothing meanwhile."""
import json
import socket
import struct
import threading

import pytest

from harness import DEADLINE, behavior, memory, slow_client, until
from origin import Reply

PLAIN = behavior(cachePolicy="Managed-CachingDisabled", allowedMethods=["ALL"])
CLIENTS = 1000


@pytest.fixture
def limited(serve, tmp_path):
    """Starts an edge with `limits` of the machine's own file."""

    def start(limits, **spec):
        (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"limits": limits}}))
        return serve(flags=["--config", tmp_path / "edge.yaml"], **spec)

    return start


def exceeded(edge, limit, count=1):
    return until(lambda: edge.metric("headgate_limit_exceeded_total")[f'limit="{limit}"'] >= count, f"{count} times {limit}")


def rest(client):
    received = b""
    while True:
        try:
            part = client.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def test_slowloris(limited, origin, clients):
    """A thousand heads that never end: closed at their deadline however busily they trickle, others are served all the while."""
    origin.page("/page")
    edge = limited({"requestHeaderTimeout": "2s"})
    for _ in range(CLIENTS):
        clients.append(slow_client(edge, b"GET /page HTTP/1.1\r\nHost: shop.test\r\nX: "))
    open_ones = list(clients)

    def trickle():
        for client in list(open_ones):
            try:
                client.sendall(b"y")
            except OSError:
                open_ones.remove(client)
        assert edge.get("/page").status == 200
        return not open_ones
    until(trickle, "the end of all of them")
    exceeded(edge, "requestHeaderTimeout", CLIENTS)


def test_a_connection_that_says_nothing(limited):
    edge = limited({"requestHeaderTimeout": "300ms", "idleTimeout": "1h"})
    with edge.socket() as client:
        assert rest(client) == b""
    exceeded(edge, "requestHeaderTimeout")


def test_being_idle_between_requests_is_no_fault(limited, origin):
    origin.page("/page")
    edge = limited({"requestHeaderTimeout": "1h", "idleTimeout": "300ms"})
    with edge.socket() as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert rest(client).startswith(b"HTTP/1.1 200")  # and then the end
    assert sum(edge.metric("headgate_limit_exceeded_total").values()) == 0


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_post_that_never_sends(limited, origin, framing):
    origin.page("/upload")
    edge = limited({"bodyTimeout": "300ms"}, default=PLAIN)
    with edge.socket() as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.test\r\n" + framing.encode() + b"\r\n\r\n")
        assert rest(client).startswith(b"HTTP/1.1 408")
    exceeded(edge, "bodyTimeout")


def test_a_post_that_waits_for_100_continue_and_never_sends(limited, origin):
    origin.page("/upload")
    edge = limited({"bodyTimeout": "300ms"}, default=PLAIN)
    with edge.socket() as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.test\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 408" in answer


def test_uploads_are_as_slow_as_they_like_while_they_move(limited, origin):
    """The deadline of the head does not hold for the body."""
    origin.route("/upload", lambda request: Reply(body=request.body))
    edge = limited({"requestHeaderTimeout": "300ms", "bodyTimeout": "30s", "minUploadRate": 0}, default=PLAIN)
    with edge.socket() as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            client.sendall(b"x")
            edge.get("/page-that-takes-some-time")
        with edge.socket() as silent:  # two deadlines of a head pass meanwhile
            rest(silent)
        assert rest(client).endswith(b"x" * 20)


def test_uploads_that_nobody_reads_are_not_read(serve, origin, clients):
    """Back-pressure: what the origin does not take, the edge does not keep."""
    held = []

    def hold(request):
        held.append(request)
        return Reply(body=b"done")
    origin.route("/upload", hold)
    edge = serve(default=PLAIN)
    before = memory(edge)
    size = 1 << 30
    sent = []
    for _ in range(20):
        host, port = edge.http.rsplit(":", 1)
        client = socket.create_connection((host, int(port)), timeout=DEADLINE)
        clients.append(client)
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % size)
        client.setblocking(False)
        sent.append(0)

    def stuffed():
        moved = 0
        for number, client in enumerate(clients):
            try:
                moved += (count := client.send(b"x" * 65536))
                sent[number] += count
            except BlockingIOError:
                pass
        return moved == 0 or sum(sent) > 20 * (64 << 20)
    until(stuffed, "every buffer on the way to be full")
    grown = memory(edge) - before
    assert grown < 20 * (4 << 20), f"{grown / 20 / 1024:.0f} KiB an upload"


def test_slow_read(limited, origin, clients):
    """A client that takes nothing of a large response is closed; one that takes a little, steadily, is not."""
    size = 32 << 20
    origin.page("/large", b"x" * size)
    edge = limited({"sendTimeout": "1s", "minSend": "2KiB"})
    assert len(edge.get("/large").body) == size
    steady = slow_client(edge, b"GET /large HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    steady.settimeout(DEADLINE)
    for _ in range(100):
        clients.append(slow_client(edge, b"GET /large HTTP/1.1\r\nHost: shop.test\r\n\r\n"))

    def all_closed():
        taken = steady.recv(65536)
        assert taken, "the steady one was closed"
        counts = edge.metric("headgate_limit_exceeded_total")
        return counts['limit="sendTimeout"'] >= 100
    until(all_closed, "the end of those who do not read")
    assert edge.metric("headgate_limit_exceeded_total")['limit="sendTimeout"'] == 100
    steady.close()


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_client_that_leaves_is_noticed_while_the_origin_thinks(serve, origin, how):
    thinking = threading.Event()
    origin.route("/slow", Reply(wait=thinking))
    edge = serve(default=PLAIN)
    client = edge.socket()
    client.sendall(b"GET /slow HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    assert origin.wait_count("/slow", 1)
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: edge.metric("headgate_origin_requests_in_flight")[""] == 0, "the end of the request to the origin")
    until(lambda: edge.metric("headgate_connections_open")[""] == 0, "the end of the connection")
    thinking.set()
