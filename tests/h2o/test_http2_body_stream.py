"""0012: handlers read request bodies as they arrive: back-pressure, early responses, errors (RFC 9113 5.2, 6.9, 8.1, 8.1.1)."""
import os
import time

import pytest

from http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    NO_ERROR,
    PADDED,
    PROTOCOL_ERROR,
    data,
    frame,
    rst_stream,
)

STREAM = {"stream_request_body": 1}
SMALL = STREAM | {"http2.stream_window": 100000, "http2.connection_window": 300000}


def checksum(body):
    value = 0
    for octet in body:
        value = (value * 31 + octet) & 0xFFFFFFFF
    return value


def test_handler_runs_when_the_head_is_complete_and_reads_what_arrives(start):
    server = start(STREAM)
    client = server.http2()
    body = os.urandom(200000)
    client.post(1, "/upload")
    server.wait_for(lambda stats: stats["requests"] == 1, "the handler")
    for offset in range(0, len(body), 16000):
        client.send(data(1, body[offset : offset + 16000], end=offset + 16000 >= len(body)))
        sent = min(offset + 16000, len(body))
        server.wait_for(lambda stats: stats["upload_bytes"] == sent, "the octets sent so far")
    client.wait_for_response(1)
    assert b"bytes=200000 sum=%d " % checksum(body) in client.body[1] and not client.resets


def test_padding_and_trailers_are_not_content(start):
    client = start(STREAM).http2()
    client.post(1, "/upload", fields=[("content-length", "5")])
    client.send(frame(DATA, PADDED, 1, b"\4abc\0\0\0\0"), data(1, b"de"))
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, client.encoder.encode([("x-trailer", "1")])))
    client.wait_for_response(1)
    assert b"bytes=5 sum=%d " % checksum(b"abcde") in client.body[1]


@pytest.mark.guard
def test_no_body_means_no_stream(start):
    client = start(STREAM).http2()
    client.request(1, "/upload", method="POST")
    client.wait_for_response(1)
    assert client.body[1] == b"buffered bytes=0\n"


def test_body_that_waits_for_the_handler_arrives_whole(start):
    server = start(STREAM)
    client = server.http2()
    client.post(1, "/upload/step")
    client.send(data(1, b"abc"), data(1, b"de", end=True))
    client.sync()
    server.release()
    client.wait_for_response(1)
    assert b"bytes=5 sum=%d " % checksum(b"abcde") in client.body[1]


def test_windows_open_only_when_the_handler_reads(start):
    server = start(SMALL)
    client = server.http2()
    client.wait_for(lambda _: client.settings, "SETTINGS")
    assert client.settings[0][INITIAL_WINDOW_SIZE] == 100000
    client.wait_for(lambda _: client.windows.get(0) == 300000 - 65535, "the window of the connection")
    client.post(1, "/upload/step")
    client.send(*[data(1, b"x" * 10000)] * 10)
    client.sync()
    assert 1 not in client.windows and server.stats()["upload_bytes"] == 0
    server.release()  # reads everything; what has been read is given back by the read that follows
    server.wait_for(lambda stats: stats["upload_bytes"] == 100000 and stats["held"] == 1, "the piece")
    client.sync()
    assert 1 not in client.windows
    server.release()
    client.wait_for(lambda _: client.windows.get(1) == 100000, "the window of the stream")


def test_peer_that_exceeds_a_window_is_stopped(start):
    server = start(SMALL)
    client = server.http2()
    client.post(1, "/upload/step")
    client.send(*[data(1, b"x" * 10000)] * 11)
    client.wait_for_response(1)
    assert client.resets == {1: [FLOW_CONTROL_ERROR]}
    for stream in (3, 5, 7, 9):
        client.post(stream, "/upload/step")
        client.send(*[data(stream, b"x" * 10000)] * 9)
    client.wait_for_end()
    assert [error for _, error in client.goaways] == [FLOW_CONTROL_ERROR]


def test_whole_connection_is_bounded_by_default(start):
    server = start(STREAM)
    client = server.http2()
    client.wait_for(lambda _: client.settings and client.windows.get(0), "the windows")
    assert client.settings[0][INITIAL_WINDOW_SIZE] == 256 << 10
    assert client.windows[0] + 65535 == 1 << 20


def test_early_response_ends_the_upload_without_an_error(start):
    server = start(STREAM)
    client = server.http2()
    client.post(1, "/upload/early/5000")
    client.send(*[data(1, b"x" * 3000)] * 2)
    client.wait_for(lambda _: 1 in client.ended and 1 in client.resets, "response and reset")
    assert client.status[1] == 403 and client.resets[1] == [NO_ERROR]
    trailers = client.encoder.encode([("x-trailer", "1")])
    client.send(*[data(1, b"x" * 1000)] * 200, frame(HEADERS, END_STREAM | END_HEADERS, 1, trailers))
    client.post(3, "/upload/unread")
    client.send(data(3, b"x" * 3000))
    client.post(5, "/upload/unread")
    client.send(data(5, b"x" * 3000, end=True))
    client.sync()
    server.release()
    client.wait_for(lambda _: {3, 5} <= client.ended and 3 in client.resets, "responses and reset")
    assert client.status[3] == client.status[5] == 200 and client.resets == {1: [NO_ERROR], 3: [NO_ERROR]}


def test_peer_that_goes_away_ends_the_reading(start):
    server = start(STREAM)
    client = server.http2()
    client.post(1, "/upload")
    client.send(data(1, b"abc"))
    server.wait_for(lambda stats: stats["upload_bytes"] == 3, "the piece")
    client.send(rst_stream(1))
    server.wait_for(lambda stats: stats["upload_errors"] == 1 and stats["uploads_alive"] == 0, "the error")
    client.post(3, "/upload")
    client.send(data(3, b"abc"))
    client.post(5, "/upload/step")
    client.sync()
    client.close()
    server.wait_for(lambda stats: stats["upload_errors"] == 2 and stats["uploads_alive"] == 0, "the end of both")
    assert server.stats()["cancelled"] == 1


@pytest.mark.parametrize("body", [[(b"abc", True)], [(b"abcdef", False)], [(b"abcd", False), (b"ef", False)]])
def test_body_that_is_not_as_long_as_declared_is_malformed(start, body):
    server = start(STREAM)
    client = server.http2()
    client.post(1, "/upload", fields=[("content-length", "5")])
    client.send(*[data(1, part, end) for part, end in body])
    client.wait_for_response(1)
    assert client.resets == {1: [PROTOCOL_ERROR]} and not client.status
    stats = server.wait_for(lambda stats: stats["uploads_alive"] == 0, "the end of the upload")
    assert (stats["upload_errors"], stats["upload_ends"]) == (1, 0)
    client.request(3)
    client.wait_for_response(3)
    assert client.status[3] == 200


def test_too_large_a_body_is_413(start):
    server = start(STREAM | {"max_request_entity_size": 50000})
    client = server.http2()
    client.post(1, "/upload", fields=[("content-length", "60000")])
    client.post(3, "/upload")
    client.send(*[data(3, b"x" * 15000)] * 4)
    client.wait_for(lambda _: {1, 3} <= client.ended and {1, 3} <= client.resets.keys(), "responses and resets")
    assert client.status == {1: 413, 3: 413} and client.resets == {1: [NO_ERROR], 3: [NO_ERROR]}
    assert server.stats()["upload_errors"] == 1 and server.stats()["requests"] == 1


def test_100_continue_is_sent_when_the_handler_wants_the_body(start):
    server = start(STREAM)
    client = server.http2()
    expect = [("expect", "100-continue")]
    client.post(1, "/upload/step", fields=expect)
    client.sync()
    assert not client.status
    server.release()
    client.wait_for_status(1)
    client.send(data(1, b"abc", end=True))
    server.wait_for(lambda stats: stats["upload_ends"] == 1, "the body")
    client.wait_for_response(1)
    client.post(3, "/upload/refused", fields=expect)
    client.wait_for_response(3)
    assert client.statuses == {1: [100, 200], 3: [403]}


def test_stalled_body_is_408_and_a_steady_one_is_not(start):
    client = start(STREAM | {"http2.body_timeout": 600}).http2()
    client.post(1, "/upload")
    client.send(data(1, b"a"))
    client.post(3, "/upload")
    for _ in range(8):
        time.sleep(0.15)  # slower than the timeout in total, faster octet by octet
        client.send(data(3, b"a"))
    client.send(data(3, b"a", end=True))
    client.wait_for(lambda _: {1, 3} <= client.ended, "the responses")
    assert client.status == {1: 408, 3: 200}


def test_too_slow_a_body_is_408_although_it_never_stalls(start):
    server = start(STREAM | {"http2.body_timeout": 5000, "http2.body_min_rate": 1000, "http2.body_min_rate_grace": 300})
    client = server.http2()
    client.post(1, "/upload")
    end = time.monotonic() + 3
    while 1 not in client.status and time.monotonic() < end:
        client.send(data(1, b"a"))
        client.read(0.05)
    client.wait_for_response(1)
    assert client.status == {1: 408} and server.stats()["upload_errors"] == 1


@pytest.mark.guard
def test_upload_is_not_late_while_other_streams_hold_the_window(start):
    server = start(SMALL | {"http2.body_timeout": 300, "http2.body_min_rate": 100000, "http2.body_min_rate_grace": 100})
    client = server.http2()
    client.wait_for(lambda _: client.windows.get(0), "the window of the connection")
    for stream in (1, 3, 5):  # nobody reads these
        client.post(stream, "/upload/step")
        client.send(*[data(stream, b"x" * 16000)] * 6)
    client.sync()
    client.post(7, "/upload")
    time.sleep(1)  # several times the timeout, without a window to send into
    client.sync()
    assert not client.status and not client.resets
    server.release()
    server.wait_for(lambda stats: stats["held"] == 3, "the pieces")
    server.release()  # what they have read is given back
    client.wait_for(lambda _: client.windows[0] > 300000, "the window")
    client.send(data(7, b"abc", end=True))
    client.wait_for_response(7)
    assert client.status == {7: 200}


def test_streamed_upload_survives_a_graceful_shutdown(start):
    server = start(STREAM)
    client = server.http2()
    client.post(1, "/upload")
    client.send(data(1, b"abc"))
    server.wait_for(lambda stats: stats["upload_bytes"] == 3, "the piece")
    server.shut_down()
    client.wait_for(lambda _: len(client.goaways) == 2, "both GOAWAY")
    client.send(data(1, b"def", end=True))
    client.wait_for_response(1)
    assert b"bytes=6 " in client.body[1]
    client.close()
    server.wait_for_exit()
