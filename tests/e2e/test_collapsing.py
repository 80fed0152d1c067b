# SPDX-License-Identifier: MIT
"""One request to the origin for a thousand viewers of one page: streaming to all, whoever is slow or leaves."""
import select
import selectors
import socket
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import DEADLINE, ROOT
from origin import Reply

sys.path.append(str(ROOT / "tests/h2o"))
import http2  # noqa: E402

VIEWERS = 1000
SLOW = 50
HALF = 256 * 1024
BODY = b"".join(b"%015d\n" % number for number in range(2 * HALF // 16))
REQUEST = b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n"


class Viewer:
    """A connection that counts and sums up what it gets, instead of keeping it."""

    def __init__(self, edge, receive_buffer=None):
        host, port = edge.http.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, int(port)))
        self.socket.sendall(REQUEST)
        self.head, self.octets, self.sum = b"", 0, 0  # no head: it has come

    def read(self):
        received = self.socket.recv(1 << 18)
        assert received, f"the connection ended after {self.octets} octets"
        if self.head is not None:
            self.head, end, received = (self.head + received).partition(b"\r\n\r\n")
            if end:
                assert self.head.startswith(b"HTTP/1.1 200"), self.head
                self.head = None
        self.octets += len(received)
        self.sum = zlib.crc32(received, self.sum)


def read_until(viewers, octets):
    """Until each has so many octets of the body."""
    with selectors.DefaultSelector() as selector:
        waiting = {viewer for viewer in viewers if viewer.octets < octets}
        for viewer in waiting:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        while waiting:
            ready = selector.select(DEADLINE)
            assert ready, f"{len(waiting)} viewers wait for {octets} octets; one has {next(iter(waiting)).octets}"
            for key, _ in ready:
                key.data.read()
                if key.data.octets >= octets:
                    selector.unregister(key.data.socket)
                    waiting.remove(key.data)


def test_a_thousand_viewers_on_all_workers_make_one_origin_request_and_stream_while_it_comes(serve, origin, many_files):
    rest = threading.Event()
    origin.route("/page", Reply(body=BODY, headers={"Cache-Control": "max-age=600"}, wait_after=(HALF, rest)))
    edge = serve(flags=("--threads", "4"))
    viewers = []
    try:
        viewers.append(Viewer(edge))
        assert origin.wait_count("/page", 1)
        slow = [Viewer(edge, receive_buffer=2048) for _ in range(SLOW)]  # they read nothing until everybody else has everything
        viewers += slow
        fast = [Viewer(edge) for _ in range(VIEWERS - SLOW - 1)]
        viewers += fast
        read_until(fast, HALF)  # the origin sends no more before all of them have this
        assert {viewer.octets for viewer in fast} == {HALF}
        viewers[0].socket.close()  # whose request is the one at the origin
        rest.set()
        read_until(fast, len(BODY))
        read_until(slow, len(BODY))
        assert {(viewer.octets, viewer.sum) for viewer in viewers[1:]} == {(len(BODY), zlib.crc32(BODY))}
    finally:
        rest.set()
        for viewer in viewers:
            viewer.socket.close()
    assert origin.count("/page") == 1
    assert edge.get("/page").is_hit


def test_those_who_wait_for_what_turns_out_too_large_to_be_kept_get_it_whole(serve, origin):
    """They were reset: the beginning had gone by before they were told of the answer."""
    go = threading.Event()
    size = 1 << 20  # of a length that is not announced: it is to be stored, until it is too large

    def answer(_):
        return Reply(size=size, framing="chunked", headers={"Cache-Control": "max-age=600"}, wait=go)

    edge = serve(flags=("--cache-memory", "8MiB", "--threads", "4"))
    port = int(edge.http.rsplit(":", 1)[1])
    settings = http2.setting(http2.INITIAL_WINDOW_SIZE, http2.LARGEST)
    for attempt in range(20):
        go.clear()
        origin.route(f"/{attempt}", answer)
        connections = [http2.Client(port, DEADLINE, settings, window=http2.LARGEST - 65535) for _ in range(8)]
        for connection in connections:
            connection.request(1, f"/{attempt}")
            connection.request(3, f"/{attempt}")
            connection.sync()  # both wait for the one answer
        go.set()
        with ThreadPoolExecutor(len(connections)) as pool:
            list(pool.map(lambda connection: connection.wait_for_response(1, 3), connections))
        for connection in connections:
            assert connection.resets == {}
            assert [len(connection.body[stream]) for stream in (1, 3)] == [size, size]
            connection.close()


@pytest.mark.http1
def test_what_came_before_a_request_is_not_given_to_it_unasked_although_it_still_arrives(serve, origin):
    """A response that needs validation was reused for as long as its body took, however late the request."""
    rest = threading.Event()
    control = {"Cache-Control": "no-cache", "ETag": '"1"'}
    origin.route("/page", Reply(body=b"one one", headers=control, wait_after=(3, rest)), Reply(body=b"two", headers=control))
    edge = serve()
    with edge.connect() as first:
        first.connection.request("GET", "/page", headers={"Host": "shop.test"})
        response = first.connection.getresponse()
        assert response.read(3) == b"one"
        assert edge.get("/page").body == b"two"
        rest.set()
        assert response.read() == b" one"
    assert origin.count("/page") == 2


@pytest.mark.parametrize("both_are_stuck_for", [0, 6], ids=["at-once", "after-both-were"])
def test_one_who_reads_nothing_holds_up_nobody_though_it_becomes_too_large_to_store(serve, origin, both_are_stuck_for):
    size = 48 << 20  # of unknown length; 256 MiB of cache keep 16 MiB in one piece, four times what a socket's buffer takes
    go = threading.Event()
    origin.route("/page", Reply(size=size, framing="chunked", headers={"Cache-Control": "max-age=60"}, wait_after=(1 << 20, go)))
    edge = serve(flags=("--cache-memory", "256MiB"))
    stuck, fast = Viewer(edge, receive_buffer=4096), Viewer(edge, receive_buffer=65536)
    read_until([stuck, fast], 1)
    go.set()
    time.sleep(both_are_stuck_for)  # longer than the patience with those who are slow: then nobody is slower than others
    end = time.monotonic() + DEADLINE
    while fast.octets < size:
        if select.select([fast.socket], [], [], DEADLINE / 4)[0]:
            fast.read()
            continue
        assert time.monotonic() < end, f"held up after {fast.octets} octets"
        read_until([stuck], stuck.octets + 12288)  # who takes nothing at all for a minute is closed anyway
    assert origin.count("/page") == 1
    assert edge.metric("headgate_cache_resident_bytes")[""] < 16 << 20
    for viewer in (stuck, fast):
        viewer.socket.close()
