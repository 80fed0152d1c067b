"""0023: each limit that a client exceeds is told, once, and nothing is told of clients that exceed none."""
import socket

import pytest

from http1 import statuses
from http2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY, SETTINGS
from http2 import data, frame, get, rst_stream, setting, u32, window_update

# In the order of h2o_limit_t.
NAMES = ("handshake_time head_time request_line head_size continuations malformed body_time body_rate body_size "
         "write_progress concurrent_streams resets pings settings priorities window_updates empty_data useless").split()
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
SLOW = {"write_progress.window": 300, "write_progress.min_bytes": 2000, "send_buffer": 4096}
MANY = [("h%d" % i, "1") for i in range(300)]


def told(stats):
    return {name: stats[f"limit_{i}"] for i, name in enumerate(NAMES) if stats[f"limit_{i}"]}


def expect(server, **limits):
    stats = server.wait_for(lambda stats: told(stats) == limits, f"{limits}")
    assert told(stats) == limits


@pytest.mark.parametrize("limit, settings, request_bytes", [
    ("head_time", {"http1.req_timeout": 300}, b""),
    ("head_time", {"http1.req_timeout": 300}, b"GET / HTTP/1.1\r\nHo"),
    ("request_line", {"http1.max_request_line": 100}, b"GET /" + b"x" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("head_size", {"http1.max_headers": 5}, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 9 + b"\r\n"),
    ("head_size", {"http1.max_header_bytes": 99}, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 999 + b"\r\n\r\n"),
    ("malformed", {}, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("malformed", {}, b"GET / HTTP/1.9\r\nHost: a\r\n\r\n"),
    ("body_time", {"http1.body_timeout": 300}, POST + b"Content-Length: 10\r\n\r\nabc"),
    ("body_time", {"http1.body_timeout": 300, "stream_request_body": 1}, b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"),
    ("body_size", {"max_request_entity_size": 10}, POST + b"Content-Length: 11\r\n\r\n"),
    ("body_size", {"max_request_entity_size": 10}, POST + b"Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_http_1(start, limit, settings, request_bytes):
    server = start(settings)
    client = server.http1()
    client.send(request_bytes)
    client.read_to_end()
    expect(server, **{limit: 1})


def test_too_slow_an_upload(start):
    for settings in ({}, {"stream_request_body": 1}):
        server = start({"http1.body_min_rate": 1000000, "http1.body_min_rate_grace": 1, **settings})
        client = server.http1()
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" if settings else POST + b"Content-Length: 1000\r\n\r\n")
        while client.send(b"x"):
            client.socket.settimeout(0.05)
            try:
                if not client.socket.recv(4096):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
        expect(server, body_rate=1)


def test_a_handshake_that_never_ends(start):
    server = start({"handshake_timeout": 300})
    with socket.create_connection(("127.0.0.1", server.ports["https"])) as silent:
        assert silent.recv(1) == b""
    expect(server, handshake_time=1)


def test_clients_that_do_not_read(start):
    server = start(SLOW)
    client = server.http1(receive_buffer=2048)
    client.send(b"GET /object/5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(server, write_progress=1)

    server = start(SLOW)
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 100))
    client.request(1, "/object/1000000")
    client.wait_for(lambda _: 1 in client.resets, "the end of the stream")
    expect(server, write_progress=1)

    server = start(SLOW)
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24))
    client.request(1, "/object/1000000")
    client.wait_for_end()
    expect(server, write_progress=1)


@pytest.mark.parametrize("limit, settings, frames", [
    ("head_time", {"http2.header_timeout": 300}, [frame(HEADERS, 0, 1, b"\x82")]),
    ("head_size", {}, [lambda client: frame(HEADERS, END_STREAM | END_HEADERS, 1, client.block(fields=MANY))]),
    ("head_size", {}, [frame(HEADERS, END_STREAM, 1, b"\x82"), *[frame(CONTINUATION, 0, 1, b"\0" * 16000)] * 12]),
    ("continuations", {}, [frame(HEADERS, END_STREAM, 1, b"\x82"), frame(CONTINUATION, 0, 1)]),
    ("body_time", {"http2.body_timeout": 300, "stream_request_body": 1}, [lambda client: frame(HEADERS, END_HEADERS, 1, client.block("/upload", "POST"))]),
    ("body_size", {"max_request_entity_size": 10}, [lambda client: frame(HEADERS, END_HEADERS, 1, client.block("/echo", "POST")), data(1, b"x" * 11)]),
    ("body_size", {"max_request_entity_size": 10},
     [lambda client: frame(HEADERS, END_HEADERS, 1, client.block("/echo", "POST", [("content-length", "11")]))]),
    ("concurrent_streams", {"http2.max_concurrent_streams": 2}, [get(s, "/hold") for s in (1, 3, 5)]),
    ("resets", {}, [get(s, "/hold") + rst_stream(s) for s in range(1, 461, 2)]),
    ("pings", {}, [frame(PING, 0, 0, b"12345678")] * 600),
    ("settings", {}, [frame(SETTINGS, 0, 0)] * 150),
    ("priorities", {}, [frame(PRIORITY, 0, 1, u32(0) + b"\0")] * 1100),
    ("window_updates", {}, [window_update(0, 1)] * 11000),
    ("empty_data", {}, [lambda client: frame(HEADERS, END_HEADERS, 1, client.block("/echo", "POST")), *[frame(DATA, 0, 1)] * 600]),
    ("useless", {}, [frame(0x42, 0, 0)] * 1100),
], ids=lambda value: value if isinstance(value, str) else "")
def test_http_2(start, limit, settings, frames):
    server = start(settings)
    client = server.http2()
    client.send(*[each(client) if callable(each) else each for each in frames])
    expect(server, **{limit: 1})


def test_nothing_is_told_of_those_who_keep_to_the_limits(start):
    server = start({"http1.req_timeout": 300, "http1.idle_timeout": 300})
    client = server.http1()
    client.send(POST + b"Content-Length: 3\r\n\r\nabc")
    client.read_to_end()  # was idle, which is no fault
    refused = server.http1()
    refused.send(b"GET / HTTP/1.1\r\n\r\n")
    assert statuses(refused.read_to_end()) == [400]
    expect(server, malformed=1)  # and not the end of the lingering close
