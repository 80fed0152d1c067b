"""0013: a peer that does not take what is sent to it loses the connection or the stream; a slow but steady one does not."""
import time

import pytest

from http1 import responses
from http2 import CANCEL, INITIAL_WINDOW_SIZE, setting, window_update

FAST = {"write_progress.window": 500, "write_progress.min_bytes": 2000}
HEAD = b" HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("path", ["/object/5000000", "/stream/5000000/65536", "/stream/5000000/500"])
def test_http_1_client_that_stops_reading_is_closed(start, path):
    server = start(FAST | {"send_buffer": 4096})
    client = server.http1(receive_buffer=2048)
    client.send(b"GET " + path.encode() + HEAD)
    server.wait_for(lambda stats: stats["requests"] == 1 and stats["connections"] == 0, "the end of the connection")


def test_tls_client_that_stops_reading_is_closed(start):
    server = start(FAST | {"send_buffer": 4096})
    client = server.https(receive_buffer=2048)
    client.send(b"GET /object/5000000" + HEAD)
    server.wait_for(lambda stats: stats["requests"] == 1 and stats["connections"] == 0, "the end of the connection")


def test_http_2_client_that_stops_reading_is_closed(start):
    server = start(FAST | {"send_buffer": 4096})
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24), receive_buffer=2048, window=1 << 24)
    client.request(1, "/object/5000000")
    server.wait_for(lambda stats: stats["requests"] == 1 and stats["connections"] == 0, "the end of the connection")


@pytest.mark.guard
def test_idle_clients_and_waiting_requests_are_not_stalled(start):
    server = start(FAST)
    idle, waiting = server.http1(), server.http1()
    idle.send(b"GET /object/100" + HEAD)
    idle.read_until(b"x" * 100)
    waiting.send(b"GET /hold" + HEAD)
    http2 = server.http2()
    http2.request(1, "/hold")
    http2.request(3, "/object/1000")
    http2.wait_for_response(3)
    time.sleep(1.5)  # three windows
    server.release()
    waiting.read_until(b"held\n")
    http2.wait_for_response(1)
    idle.send(b"GET /object/100" + HEAD)
    idle.read_until(b"x" * 100)


@pytest.mark.parametrize("trickle", [False, True], ids=["shut", "opened octet by octet"])
def test_stream_whose_window_stays_shut_is_cancelled_alone(start, trickle):
    server = start(FAST)
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 100))
    client.request(1, "/object/1000000")
    client.request(3, "/hold")
    end = time.monotonic() + client.timeout
    while trickle and 1 not in client.resets and time.monotonic() < end:
        client.send(window_update(1, 1))
        client.read(0)
        time.sleep(0.05)
    client.wait_for_response(1)
    assert client.resets == {1: [CANCEL]} and not client.goaways
    server.release()
    client.wait_for_response(3)
    assert client.status[3] == 200


def test_connection_whose_window_stays_shut_is_closed(start):
    client = start(FAST).http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24))
    client.request(1, "/object/1000000")
    client.wait_for_end()
    assert client.goaways


@pytest.mark.guard
def test_slow_but_steady_clients_are_served(start):
    server = start({"write_progress.window": 1000, "write_progress.min_bytes": 2000, "send_buffer": 4096})
    http1 = server.http1(receive_buffer=2048)
    http1.send(b"GET /object/65536 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    http2 = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 4000), window=1 << 20)
    http2.request(1, "/object/65536")
    taken, end = b"", time.monotonic() + 3
    while time.monotonic() < end:  # three windows, about 10,000 octets in each
        taken += http1.receive(2000)
        http2.read(0.1)
        http2.send(window_update(1, 2000))
        time.sleep(0.1)
    [response] = responses(taken + http1.read_to_end())
    assert len(response.body) == 65536
    http2.send(window_update(1, 65536))
    http2.wait_for_response(1)
    assert len(http2.body[1]) == 65536


def test_idle_timeout_does_not_cut_a_response_that_is_being_taken(start):
    server = start({"http2.idle_timeout": 200, "send_buffer": 4096})
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24), receive_buffer=4096, window=1 << 24)
    client.request(1, "/object/60000")  # fits into one write, so that nothing is left to be processed
    server.wait_for(lambda stats: stats["requests"] == 1, "the request")
    client.send(window_update(0, 1))  # any frame restarts the clock, which ran although the response was being written
    time.sleep(1)  # several times the timeout
    client.wait_for(lambda _: 1 in client.ended, "the response")
    assert len(client.body[1]) == 60000
