"""0009: what a peer can make the server do for nothing is bounded (RFC 9113 10.5; CVE-2023-44487, CVE-2025-8671, CVE-2019-9511 ff.)."""
import time

import pytest

from http2 import (
    ENHANCE_YOUR_CALM,
    MAX_CONCURRENT_STREAMS,
    PADDED,
    PING,
    PRIORITY,
    SETTINGS,
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    LARGEST,
    data,
    frame,
    get,
    rst_stream,
    setting,
    u32,
    window_update,
)


def assert_calmed(client, what):
    client.wait_for_end()
    assert [error for _, error in client.goaways][-1:] == [ENHANCE_YOUR_CALM], f"{what}: {client}"


def flood(client, frames):
    """Sends frames until the server has had enough; reads so that answers do not block it."""
    for each in frames:
        if not client.send(each):
            break
        client.read(0)


def test_rapid_reset_ends_the_connection(server):
    client = server.http2()
    flood(
        client,
        [b"".join(get(s, "/hold") + rst_stream(s) for s in range(1 + 200 * i, 1 + 200 * (i + 1), 2)) for i in range(50)],
    )
    client.wait_for_end()
    assert server.stats()["requests"] < 300


def test_rapid_reset_is_told_by_enhance_your_calm(server):
    client = server.http2()
    client.send(*[get(s, "/hold") + rst_stream(s) for s in range(1, 461, 2)])
    assert_calmed(client, "resets")


@pytest.mark.parametrize("what", ["zero increment", "window overflow", "DATA after the end"])
def test_resets_that_the_server_is_made_to_send_count(server, what):
    provoke = {
        "zero increment": lambda stream: window_update(stream, 0),
        "window overflow": lambda stream: window_update(stream, LARGEST),
        "DATA after the end": lambda stream: data(stream, b"x", end=True),
    }[what]
    client = server.http2()
    flood(
        client, [b"".join(get(s, "/hold") + provoke(s) for s in range(1 + 40 * i, 1 + 40 * (i + 1), 2)) for i in range(100)]
    )
    client.wait_for_end()
    assert server.stats()["requests"] < 320


@pytest.mark.guard
def test_ordinary_cancellation_is_fine(server):
    client = server.http2()
    for first in (1, 121, 241):
        client.send(*[get(s, "/hold") + rst_stream(s) for s in range(first, first + 120, 2)])
        client.sync()
    client.request(1001)
    client.wait_for_response(1001)
    assert client.status[1001] == 200


@pytest.mark.guard
def test_reset_after_the_response_costs_nothing(server):
    client = server.http2()
    for stream in range(1, 801, 2):
        client.request(stream, "/object/100")
        client.wait_for_response(stream)
        client.send(rst_stream(stream))
    client.sync()
    assert not client.goaways


FLOODS = {
    "PING": frame(PING, 0, 0, b"12345678"),
    "SETTINGS": frame(SETTINGS, 0, 0, setting(MAX_CONCURRENT_STREAMS, 100)),
    "SETTINGS ACK": frame(SETTINGS, ACK, 0),
    "PRIORITY": frame(PRIORITY, 0, 3, u32(0) + b"\3"),
    "WINDOW_UPDATE": window_update(0, 1),
    "unknown": frame(99, 0, 0, b"abcd"),
    "empty DATA": data(1),
    "DATA of padding": frame(DATA, PADDED, 1, b"\3\0\0\0"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_flood_of_frames_ends_the_connection(server, kind):
    client = server.http2()
    client.post(1, "/echo")
    flood(client, [FLOODS[kind] * 500] * 40)
    assert_calmed(client, kind)


@pytest.mark.guard
def test_control_frames_below_the_budget_are_fine(server):
    for kind, count in (("PING", 300), ("SETTINGS", 60), ("WINDOW_UPDATE", 8000)):
        client = server.http2()
        client.send(FLOODS[kind] * count)
        client.request(1)
        client.wait_for_response(1)
        assert client.status[1] == 200, kind


@pytest.mark.guard
def test_window_updates_for_what_has_been_received_cost_nothing(start):
    client = start({"http2.budget.window_updates": 300}).http2(window=LARGEST - 65535)
    client.request(1, "/stream/10000000/65536")
    taken = 0
    while 1 not in client.ended:
        assert client.read(), client
        new = len(client.body.get(1, b"")) - taken
        taken += new
        if new > 1:
            client.send(window_update(1, new // 2), window_update(1, new - new // 2))
    assert taken == 10000000


def test_frames_in_flight_of_a_stream_that_was_reset_are_ignored(start):
    client = start({"max_request_entity_size": 1000}).http2()
    client.post(1, "/echo")
    trailer = [("x-trailer", "v" * 20)]
    client.send(data(1, b"x" * 2000), *[data(1, b"y" * 1000)] * 50)
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, client.encoder.encode(trailer)))
    client.request(3, "/echo", fields=trailer)
    client.wait_for_response(3)
    assert len(client.resets.get(1, [])) <= 1 and b"x-trailer=vvvv" in client.body[3]


def test_budget_drains_with_time(start):
    client = start({"http2.budget.pings": 20, "http2.budget.window": 400}).http2()
    for _ in range(6):
        client.send(FLOODS["PING"] * 15)
        time.sleep(0.4)  # the window of the budget
    client.sync()
    client.send(FLOODS["PING"] * 50)
    assert_calmed(client, "PING")
