# SPDX-License-Identifier: MIT
"""0018: a handler sends interim responses before the final one (RFC 9110 15.2, RFC 8297)."""
import pytest

from http1 import statuses
from http2 import rst_stream

HEAD = b" HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def interim_heads(data):
    return [part for part in data.split(b"\r\n\r\n") if part.startswith(b"HTTP/1.1 103 Early Hints\r\n")]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("count", [1, 2, 16])
def test_http1_sends_them_in_order_before_the_final_response(server, count, tls):
    client = server.https() if tls else server.http1()
    client.send(b"GET /interim/%d" % count + CLOSE)
    data = client.read_to_end()
    assert statuses(data) == [103] * count + [200]
    for number, head in enumerate(interim_heads(data)):
        assert head.lower().endswith(b"link: </a>; rel=preload\r\nx-number: %d" % number)
    assert data.endswith(b"\r\n\r\nfinal\n")


def test_http1_sends_them_at_once(server):
    client = server.http1()
    client.send(b"GET /interim/1/hold" + HEAD)
    assert statuses(client.read_until(b"\r\n\r\n")) == [103]
    server.release()
    assert b"held\n" in client.read_until(b"held\n")


def test_http1_keeps_the_connection(server):
    client = server.http1()
    client.send(b"GET /interim/2" + HEAD + b"GET /interim/1" + CLOSE)
    assert statuses(client.read_to_end()) == [103, 103, 200, 103, 200]


@pytest.mark.guard
def test_http_1_0_gets_none(server):
    client = server.http1()
    client.send(b"GET /interim/3 HTTP/1.0\r\n\r\n")
    assert statuses(client.read_to_end()) == [200]


@pytest.mark.parametrize("count", [1, 2, 16])
def test_http2_sends_them_in_order_before_the_final_response(server, count):
    client = server.http2()
    client.request(1, f"/interim/{count}")
    client.wait_for_response(1)
    assert client.statuses[1] == [103] * count + [200]
    assert client.body[1] == b"final\n"


def test_http2_sends_them_at_once(server):
    client = server.http2()
    client.request(1, "/interim/1/hold")
    client.wait_for(lambda c: c.statuses.get(1) == [103], "an interim response")
    server.release()
    client.wait_for_response(1)
    assert client.statuses[1] == [103, 200]


def test_http2_header_table_stays_in_step(server):
    client = server.http2()
    for stream in range(1, 40, 2):
        client.request(stream, "/interim/2")
    client.wait_for_response(*range(1, 40, 2))
    assert all(client.statuses[stream] == [103, 103, 200] for stream in range(1, 40, 2))


def test_http2_stream_that_is_reset_meanwhile(server):
    client = server.http2()
    client.request(1, "/interim/1/hold")
    client.wait_for(lambda c: c.statuses.get(1) == [103], "an interim response")
    client.send(rst_stream(1))
    server.wait_for(lambda stats: stats["cancelled"] == 1, "the cancellation")
    client.request(3, "/interim/1")
    client.wait_for_response(3)
    assert client.statuses[3] == [103, 200]
