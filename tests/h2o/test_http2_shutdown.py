"""0008: a graceful shutdown loses nothing and ends (RFC 9113 6.8)."""
import time

import pytest

from http2 import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST,
    NO_ERROR,
    REFUSED_STREAM,
    data,
    frame,
    rst_stream,
    setting,
    window_update,
)


def wait_for_goaways(client, count):
    client.wait_for(lambda _: len(client.goaways) == count, f"{count} GOAWAY")


def test_requests_and_uploads_in_flight_complete(server):
    client = server.http2()
    client.request(1, "/hold")
    client.post(3, "/echo")
    client.send(data(3, b"abc"))
    client.sync()
    server.shut_down()
    wait_for_goaways(client, 1)
    client.post(5, "/echo")  # between the two GOAWAYs: still accepted
    wait_for_goaways(client, 2)
    assert client.goaways == [(LARGEST, NO_ERROR), (5, NO_ERROR)]
    client.request(7, "/echo", fields=[("x-new", "v" * 30)])  # refused, but it feeds the header table
    trailers = client.encoder.encode([("x-new", "v" * 30)])
    client.send(data(3, b"def"), frame(HEADERS, END_STREAM | END_HEADERS, 3, trailers), data(5, b"late", end=True))
    server.release()
    client.wait_for_response(1, 3, 5, 7)
    assert b"entity=6:abcdef" in client.body[3] and b"entity=4:late" in client.body[5] and client.body[1] == b"held\n"
    assert client.resets == {7: [REFUSED_STREAM]}
    client.close()
    server.wait_for_exit()


def test_continuation_during_the_shutdown_does_not_spin_the_loop(server):
    client = server.http2()
    block = client.block("/echo")
    client.send(frame(HEADERS, END_STREAM, 1, block[:3]))
    server.stats()
    server.shut_down()
    wait_for_goaways(client, 2)
    client.send(frame(CONTINUATION, END_HEADERS, 1, block[3:]))
    client.wait_for_response(1)
    assert client.status[1] == 200
    client.close()
    server.wait_for_exit()


def test_last_response_is_not_truncated(start):
    server = start({"send_buffer": 4096})
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24), receive_buffer=4096, window=1 << 24)
    client.request(1, "/object/200000")
    server.wait_for(lambda stats: stats["requests"] == 1, "the request")
    server.shut_down()
    time.sleep(1.5)  # GOAWAY follows GOAWAY after a second, while the client does not read
    client.wait_for_end()
    assert len(client.body[1]) == 200000 and 1 in client.ended
    server.wait_for_exit()


def test_shutdown_has_a_deadline(start):
    server = start({"http2.graceful_shutdown_timeout": 300, "send_buffer": 4096})
    held = server.http2()
    held.request(1, "/hold")
    blocked = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24), receive_buffer=4096, window=1 << 24)
    blocked.request(1, "/object/3000000")
    server.wait_for(lambda stats: stats["requests"] == 2, "the requests")
    server.shut_down()
    server.wait_for_exit()


def test_connection_that_opens_during_the_shutdown_is_served_once(start):
    server = start({"listening": 1})
    server.shut_down()
    server.wait_for(lambda stats: stats["shutting_down"] == 1, "the shutdown")
    client = server.http2()
    client.request(1)
    client.wait_for_end()
    assert client.status == {1: 200} and [last for last, _ in client.goaways] == [LARGEST, 1]


@pytest.mark.guard
def test_connection_whose_upload_is_reset_closes(server):
    idle, client = server.http2(), server.http2()
    client.post(1, "/echo")
    client.sync()
    idle.sync()
    server.shut_down()
    wait_for_goaways(client, 2)
    client.send(rst_stream(1))
    client.wait_for_end()
    idle.wait_for_end()
    server.wait_for_exit()
