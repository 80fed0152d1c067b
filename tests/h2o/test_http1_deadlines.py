"""0002: the head has a deadline, the body an idle timeout and a minimum rate of its own (RFC 9110 15.5.9, RFC 9112 9.5)."""
import time

import pytest

from http1 import responses, statuses

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


def trickle(client, piece, until):
    """Sends `piece` every 50 ms until `until` seconds have passed or the server has closed."""
    end = time.monotonic() + until
    while time.monotonic() < end and client.send(piece):
        time.sleep(0.05)  # the slowness is what is tested


def test_slow_upload_outlives_the_deadline_of_the_head(start):
    server = start({"http1.req_timeout": 300, "http1.body_timeout": 5000})
    for head, piece, end in (
        (b"Content-Length: 1000\r\n\r\n", b"x", None),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", b"0\r\n\r\n"),
    ):
        client = server.http1()
        client.send(POST + head)
        trickle(client, piece, 1)
        client.send(end or b"x" * 1000)
        assert b" 200 " in client.read_until(b"\r\n\r\n")


def test_stalled_upload_is_408(start):
    server = start({"http1.body_timeout": 300})
    client = server.http1()
    client.send(POST + b"Content-Length: 10\r\n\r\nabc")
    assert statuses(client.read_to_end()) == [408]


def test_too_slow_upload_is_408_although_it_never_stalls(start):
    server = start({"http1.body_timeout": 5000, "http1.body_min_rate": 1000, "http1.body_min_rate_grace": 300})
    client = server.http1()
    client.send(POST + b"Content-Length: 1000\r\n\r\n")
    trickle(client, b"x", 2)
    assert statuses(client.read_to_end()) == [408]


@pytest.mark.guard
def test_fast_enough_upload_passes(start):
    server = start({"http1.body_timeout": 5000, "http1.body_min_rate": 100, "http1.body_min_rate_grace": 100})
    client = server.http1()
    client.send(POST + b"Content-Length: 50000\r\n\r\n")
    trickle(client, b"x" * 1000, 1)
    client.send(b"x" * 50000)
    assert b" 200 " in client.read_until(b"\r\n\r\n")


def test_upload_slower_than_the_default_rate_is_not_tolerated(start):
    server = start({"http1.req_timeout": 60000, "http1.body_timeout": 60000, "http1.body_min_rate_grace": 300})
    client = server.http1()
    client.send(POST + b"Content-Length: 1000\r\n\r\n")
    trickle(client, b"x", 2)
    assert statuses(client.read_to_end()) == [408]


@pytest.mark.guard
def test_slow_head_and_idle_connection_are_closed(start):
    server = start({"http1.req_timeout": 300})
    idle, slow = server.http1(), server.http1()
    slow.send(b"GET /echo HTTP/1.1\r\n")
    trickle(slow, b"X: y\r\n", 2)
    assert slow.read_to_end() == idle.read_to_end() == b""


def test_being_idle_between_requests_has_a_deadline_of_its_own(start):
    """0022"""
    get = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
    patient = start({"http1.req_timeout": 300, "http1.idle_timeout": 60000})
    client = patient.http1()
    for _ in range(2):
        client.send(get)
        client.read_until(b"none\n")
        time.sleep(1)  # three times req_timeout
    client.send(get[:10])  # from here on it is a head
    assert client.read_to_end() == b""

    hasty = start({"http1.req_timeout": 60000, "http1.idle_timeout": 300})
    client = hasty.http1()
    time.sleep(1)
    client.send(get)  # the first request is not waited for by idle_timeout
    client.read_until(b"none\n")
    assert client.read_to_end() == b""


def test_time_being_idle_is_not_taken_from_the_head(start):
    server = start({"http1.req_timeout": 3000})
    client = server.http1()
    client.send(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read_until(b"none\n")
    time.sleep(2)
    client.send(b"GET /echo HTTP/1.1\r\n")
    time.sleep(2)
    client.send(b"Host: a\r\n\r\n")
    assert b" 200 " in client.read_until(b"none\n")


@pytest.mark.guard
def test_client_that_does_not_take_100_continue_cannot_abort_the_server(start):
    """408 was written while 100-continue was waiting for room in the socket: an assertion."""
    server = start({"http1.body_timeout": 200, "send_buffer": 4096})
    clients = []
    for count in range(1, 60):  # at one of these the send buffer is full exactly before 100-continue
        client = server.http1(receive_buffer=2048)
        client.send(b"GET /object/100 HTTP/1.1\r\nHost: a\r\n\r\n" * count)
        client.send(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        clients.append(client)
    for client in clients:
        assert responses(client.read_to_end())
    server.wait_for(lambda stats: stats["connections"] == 0, "the end of all connections")
