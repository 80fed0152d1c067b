"""0010: size, count, frames and time of a header block are bounded; early responses survive what is in flight (RFC 9113 6.5.2, 8.1)."""
import time

import pytest

from http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    PREFACE,
    data,
    frame,
    get,
    setting,
)

MANY = [("h%d" % i, "1") for i in range(300)]


def assert_calmed(client, what):
    client.wait_for_end()
    assert [error for _, error in client.goaways][-1:] == [ENHANCE_YOUR_CALM], f"{what}: {client}"


def test_limits_are_advertised_and_what_exceeds_them_is_431(server):
    client = server.http2()
    client.wait_for(lambda _: client.settings, "SETTINGS")
    assert client.settings[0].get(MAX_HEADER_LIST_SIZE) == 65536
    large = client.block("/echo", fields=[("x", "v" * 3900)])
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, large + b"\xbe" * 8000))  # 8,000 references to x
    client.request(3, fields=MANY)
    client.request(5, "/echo", fields=[("x", "v" * 3900)])
    client.wait_for_response(1, 3, 5)
    assert client.status == {1: 431, 3: 431, 5: 200} and not client.resets
    assert b"[x=vvv" in client.body[5] and b"h299" not in client.body[5]


def test_block_of_five_frames_that_is_too_large_is_431(server):
    client = server.http2()
    block = client.block("/echo", fields=[("y%d" % i, "z" * 3000) for i in range(25)])
    parts = [block[i : i + 16000] for i in range(0, len(block), 16000)]
    client.send(frame(HEADERS, END_STREAM, 1, parts[0]), *[frame(CONTINUATION, 0, 1, part) for part in parts[1:-1]])
    client.send(frame(CONTINUATION, END_HEADERS, 1, parts[-1]))
    client.wait_for_response(1)
    assert client.status == {1: 431}


def test_431_reaches_a_client_whose_body_is_on_its_way(server):
    client = server.http2()
    client.post(1, "/echo", fields=MANY)
    client.send(*[data(1, b"x" * 16000)] * 3)
    client.wait_for(lambda _: 1 in client.resets and 1 in client.ended, "response and reset")
    assert client.status == {1: 431} and client.resets == {1: [NO_ERROR]}
    client.send(data(1, b"x", end=True))
    client.request(3)
    client.wait_for_response(3)
    assert client.status[3] == 200 and client.resets == {1: [NO_ERROR]}


def test_continuation_flood_ends_the_connection(server):
    empty, octets, large = server.http2(), server.http2(), server.http2()
    empty.send(frame(HEADERS, END_STREAM, 1, empty.block("/echo")[:3]), *[frame(CONTINUATION, 0, 1)] * 5000)
    block = octets.block("/echo", fields=[("x", "y" * 100)])
    octets.send(frame(HEADERS, END_STREAM, 1, block[:1]), *[frame(CONTINUATION, 0, 1, block[i : i + 1]) for i in range(1, 40)])
    large.send(frame(HEADERS, END_STREAM, 1, large.block("/echo")), *[frame(CONTINUATION, 0, 1, b"\0" * 16000)] * 12)
    for client, what in ((empty, "empty"), (octets, "one octet each"), (large, "large")):
        assert_calmed(client, what)


@pytest.mark.guard
def test_few_continuations_are_fine(server):
    client = server.http2()
    block = client.block("/echo")
    client.send(frame(HEADERS, END_STREAM, 1, block[:4]), frame(CONTINUATION, 0, 1, block[4:9]))
    client.send(frame(CONTINUATION, 0, 1, block[9:]), frame(CONTINUATION, END_HEADERS, 1))
    client.wait_for_response(1)
    assert client.status == {1: 200}


def drip(client, octets):
    """Sends octet by octet until the server closes."""
    for i in range(len(octets)):
        if not client.send(octets[i : i + 1]):
            break
        client.read(0)
        if client.closed:
            break
        time.sleep(0.02)  # the slowness is what is tested


@pytest.mark.parametrize("what", ["HEADERS", "CONTINUATION", "preface"])
def test_header_block_that_trickles_in_ends_the_connection(start, what):
    server = start({"http2.header_timeout": 300, "http2.idle_timeout": 60000})
    client = server.http2(preface=what != "preface")
    if what == "HEADERS":
        drip(client, frame(HEADERS, END_STREAM | END_HEADERS, 1, client.block("/echo", fields=[("x", "y" * 250)])))
    elif what == "CONTINUATION":
        client.send(frame(HEADERS, END_STREAM, 1, client.block("/echo")[:4]))
    else:
        drip(client, PREFACE[:-1])
    client.wait_for_end()
    assert not client.status


@pytest.mark.guard
def test_slow_data_is_no_header_block(start):
    client = start({"http2.header_timeout": 200, "http2.idle_timeout": 60000}).http2()
    client.post(1, "/echo")
    drip(client, frame(DATA, END_STREAM, 1, b"z" * 25))
    client.wait_for_response(1)
    assert client.status == {1: 200}


def test_too_large_a_body_is_413_and_not_refused(start):
    client = start({"max_request_entity_size": 1000}).http2()
    client.post(1, "/echo")
    client.send(data(1, b"x" * 2000, end=True))
    client.wait_for_response(1)
    assert client.status == {1: 413} and not client.resets


@pytest.mark.parametrize("how", ["DATA", "trailers"])
def test_frames_in_flight_of_a_refused_upload_do_not_count_while_the_socket_is_full(start, how):
    """They cost the client its connection: by ENHANCE_YOUR_CALM, or STREAM_CLOSED."""
    server = start({"send_buffer": 4096, "max_request_entity_size": 1000})
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1 << 24), receive_buffer=4096, window=1 << 24)
    upload = frame(HEADERS, END_HEADERS, 3, client.block("/echo", method="POST"))
    # One write carries both responses and waits for the client, so that the stream exists although it has been reset.
    client.send(get(1, "/object/50000") + upload + data(3, b"x" * 1001))
    server.wait_for(lambda stats: stats["requests"] == 1, "the download")
    if how == "DATA":
        client.send(*[data(3, b"x")] * 300, data(3, b"x", end=True))
    else:
        trailer = client.encoder.encode([("x-trailer", "1")])
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, trailer))
    client.send(get(5, "/object/100"))
    client.wait_for(lambda _: {1, 3, 5} <= client.ended, "the responses")
    assert client.status == {1: 200, 3: 413, 5: 200} and len(client.body[1]) == 50000 and not client.goaways
