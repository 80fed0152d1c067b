"""0003: handlers read request bodies as they arrive; 100-continue, early responses, errors, back-pressure (HTTP/1)."""
import random

import pytest

from http1 import exchange, responses, statuses

STREAM = {"stream_request_body": 1}
HEAD = b" HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /echo?next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def length(size, more=b""):
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % size


def checksum(body):
    value = 0
    for octet in body:
        value = (value * 31 + octet) & 0xFFFFFFFF
    return value


def chunks(body, largest, seed=1):
    choose, out, at = random.Random(seed), b"", 0
    while at < len(body):
        part = body[at : at + choose.randint(1, largest)]
        out += b"%x%s\r\n" % (len(part), choose.choice([b"", b";e=1"])) + part + b"\r\n"
        at += len(part)
    return out + b"0\r\nX-Trailer: 1\r\n\r\n"


def pieces(message, seed=1):
    """Cuts a message at 25 random places."""
    choose = random.Random(seed)
    cuts = [0] + sorted(choose.randrange(1, len(message)) for _ in range(25)) + [len(message)]
    return [message[a:b] for a, b in zip(cuts, cuts[1:])]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [1, 5000, 70000, 300000])
def test_body_arrives_whole_whatever_its_framing_and_the_next_request_is_served(start, size, tls):
    server = start(STREAM)
    body = random.Random(size).randbytes(size)
    expected = b"bytes=%d sum=%d " % (size, checksum(body))
    for message in (b"POST /upload" + length(size) + body, b"POST /upload" + CHUNKED + chunks(body, max(2, size // 7))):
        for parts in ([message + NEXT], pieces(message + NEXT)):
            client = server.https() if tls else server.http1()
            client.send(*parts)
            upload, following = responses(client.read_to_end())
            assert expected in upload.body and b"?next" in following.body


def test_handler_runs_when_the_head_is_complete(start):
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload" + length(10) + b"abc")
    server.wait_for(lambda stats: stats["upload_bytes"] == 3, "the first piece")
    client.send(b"defghij")
    assert b"bytes=10 " in client.read_until(b"pieces=")


def test_socket_is_not_read_while_the_handler_does_not_want_more(start):
    server = start(STREAM | {"receive_buffer": 65536})
    for connect in (server.http1, server.https):
        client = connect()
        client.send(b"POST /upload/step" + length(100 << 20))
        server.wait_for(lambda stats: stats["held"] == 1, "the handler")
        client.socket.settimeout(0.5)  # the server takes what its buffers hold and then nothing
        sent = 0
        try:
            while sent < 64 << 20:
                sent += client.socket.send(b"z" * 65536)
        except (TimeoutError, OSError):
            pass
        assert sent < 16 << 20
        server.release()
        server.wait_for(lambda stats: stats["held"] == 1 and stats["upload_calls"] > 0, "a piece")
        assert server.stats()["upload_largest"] <= 256 << 10
        client.reset()
        server.wait_for(lambda stats: stats["uploads_alive"] == 0, "the end")


def test_response_can_begin_before_the_body_has_ended(start):
    server = start(STREAM)
    body = random.Random(1).randbytes(200000)
    assert exchange(server.http1(), b"POST /upload/echo" + length(len(body)) + body)[0].body == body
    answered = exchange(server.http1(), b"POST /upload/answered" + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + NEXT)
    assert answered[0].body == b"!abc" and b"?next" in answered[1].body


@pytest.mark.parametrize("how", ["close", "reset"])
def test_handler_is_told_that_the_client_has_gone(start, how):
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload" + length(1000) + b"abc")
    server.wait_for(lambda stats: stats["upload_bytes"] == 3, "the first piece")
    getattr(client, how)()
    server.wait_for(lambda stats: stats["upload_errors"] == 1 and stats["uploads_alive"] == 0, "the error")


@pytest.mark.guard
def test_truncated_body_is_no_success(start):
    answers = exchange(start(STREAM).http1(), b"POST /upload" + length(1000) + b"abc")
    assert answers == []


@pytest.mark.guard
def test_broken_chunk_that_comes_with_the_head_never_reaches_the_handler(start):
    server = start(STREAM)
    for body in (b"xx\r\n", b"3\r\nabc\r\nzz\r\n"):
        client = server.http1()
        client.send(b"POST /upload" + CHUNKED + body + NEXT)
        assert statuses(client.read_to_end()) == [400]
    assert server.stats()["requests"] == 0 and server.stats()["upload_calls"] == 0
    too_large = start(STREAM | {"max_request_entity_size": 10}).http1()
    too_large.send(b"POST /upload" + CHUNKED + b"b\r\n12345678901\r\n")
    assert statuses(too_large.read_to_end()) == [413]


def test_broken_chunk_that_comes_later_is_400_and_the_handler_is_told(start):
    server = start(STREAM)
    for count, body in enumerate((b"zz\r\n", b"0\r\nX\r\n\r\n"), 1):
        client = server.http1()
        client.send(b"POST /upload" + CHUNKED + b"3\r\nabc\r\n")
        server.wait_for(lambda stats: stats["upload_bytes"] == 3 * count, "the first piece")
        client.send(body + NEXT)
        assert statuses(client.read_to_end()) == [400]
    assert server.stats()["upload_errors"] == 2


def test_error_after_the_response_has_begun_cuts_it(start):
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload/answered" + CHUNKED)
    data = client.read_until(b"!")
    client.send(b"3\r\nabc\r\nzz\r\n3\r\nxyz\r\n0\r\n\r\n")
    [response] = responses(data + client.read_to_end())
    assert response.status == 200 and not response.complete and b"xyz" not in response.body


def test_stalled_body_is_408_and_too_large_a_body_413(start):
    server = start(STREAM | {"http1.body_timeout": 300, "max_request_entity_size": 1000})
    stalled = server.http1()
    stalled.send(b"POST /upload" + length(10) + b"abc")
    assert statuses(stalled.read_to_end()) == [408]
    too_large = server.http1()
    too_large.send(b"POST /upload" + length(1001))
    assert statuses(too_large.read_to_end()) == [413]
    assert server.stats()["upload_errors"] == 1


@pytest.mark.parametrize("path", [b"/upload/refused", b"/upload/early/1", b"/object/100"])
def test_early_response_keeps_the_connection_if_little_is_left(start, path):
    client = start(STREAM).http1()
    client.send(b"POST " + path + length(1000) + b"x" * 500)
    early = client.read_until(b"\r\n\r\n")
    client.send(b"x" * 500 + NEXT)
    answers = responses(early + client.read_to_end())
    assert len(answers) == 2 and b"?next" in answers[1].body


@pytest.mark.parametrize("path", [b"/upload/refused", b"/upload/early/1", b"/object/100"])
def test_early_response_closes_if_much_or_an_unknown_amount_is_left(start, path):
    server = start(STREAM)
    for head, body in ((length(1000000), b"x" * 2000), (CHUNKED, b"3\r\nabc\r\n")):
        client = server.http1()
        client.send(b"POST " + path + head + body)
        [answer] = responses(client.read_to_end())
        assert answer.values("connection") == ["close"] and answer.complete


def test_body_that_is_skipped_has_a_deadline(start):
    client = start(STREAM | {"http1.body_timeout": 300}).http1()
    client.send(b"POST /upload/refused" + length(1000) + b"x" * 500)
    assert statuses(client.read_to_end()) == [403]


EXPECT = b"Expect: 100-continue\r\n"


def test_100_continue_is_sent_when_the_handler_wants_the_body(start):
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload/step" + length(5, EXPECT))
    server.wait_for(lambda stats: stats["held"] == 1, "the handler")
    client.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.socket.recv(1)
    client.socket.settimeout(client.timeout)
    server.release()
    assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    server.wait_for(lambda stats: stats["upload_bytes"] == 5, "the body")


def test_100_continue_is_not_sent_to_who_is_refused_or_does_not_wait(start):
    server = start(STREAM)
    refused = server.http1()
    refused.send(b"POST /upload/refused" + length(5, EXPECT))
    [answer] = responses(refused.read_to_end())
    assert answer.status == 403 and answer.values("connection") == ["close"]
    impatient = server.http1()
    impatient.send(b"POST /upload" + length(5, EXPECT) + b"hello" + NEXT)
    assert statuses(impatient.read_to_end()) == [200, 200]


def test_100_continue_never_follows_the_response(start):
    """A handler that responds first and reads then wrote both at once: an assertion."""
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload/answered" + length(5, EXPECT))
    data = client.read_until(b"!")
    client.send(b"hello")
    client.finish_sending()
    [answer] = responses(data + client.read_to_end())
    assert (answer.status, answer.body) == (200, b"!hello")


def test_100_continue_then_an_early_response(start):
    server = start(STREAM)
    client = server.http1()
    client.send(b"POST /upload/early/3" + length(100, EXPECT))
    client.read_until(b"100 Continue\r\n\r\n")
    client.send(b"abc")
    data = client.read_until(b"enough\n")
    client.send(b"x" * 97 + NEXT)
    assert statuses(data) + statuses(client.read_to_end()) == [403, 200]


@pytest.mark.guard
def test_expect_of_http_1_0_is_ignored_and_unknown_ones_fail(start):
    server = start(STREAM)
    old = server.http1()
    old.send(b"POST /upload HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    assert statuses(old.read_to_end()) == [200]
    unknown = server.http1()
    unknown.send(b"POST /upload" + length(5, b"Expect: foo\r\n"))
    assert statuses(unknown.read_to_end()) == [417]


@pytest.mark.guard
def test_no_body_means_no_stream(start):
    client = start(STREAM).http1()
    client.send(b"POST /upload" + length(0) + NEXT)
    answers = responses(client.read_to_end())
    assert answers[0].body == b"buffered bytes=0\n" and b"?next" in answers[1].body


@pytest.mark.guard
def test_without_the_flag_bodies_are_buffered(server):
    client = server.http1()
    client.send(b"POST /echo" + length(5, EXPECT))
    client.read_until(b"100 Continue\r\n\r\n")
    client.send(b"hello" + NEXT)
    answers = responses(client.read_to_end())
    assert b"entity=5:hello" in answers[0].body and b"?next" in answers[1].body
