"""0020: extensible priorities (RFC 9218), by the field and by PRIORITY_UPDATE."""
import pytest

from http2 import ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR, frame, setting, u32, window_update

PRIORITY_UPDATE, FRAME_SIZE_ERROR = 16, 6
SIZE, FIRST, MORE = 10_000_000, 65_535, 1_000_000


def update(stream, value):
    return frame(PRIORITY_UPDATE, 0, 0, u32(stream) + value)


def shares(server, *priorities, updates=()):
    """Octets that objects asked for on streams 1, 3, … get of a window, from when all of them wait for it."""
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 2 * SIZE))
    streams = [2 * number + 1 for number in range(len(priorities))]
    for stream, priority in zip(streams, priorities):
        client.request(stream, f"/object/{SIZE}", fields=[("priority", priority)] if priority is not None else [])
    client.wait_for(lambda c: sum(map(len, c.body.values())) == FIRST and len(c.status) == len(streams), "the first window")
    before = {stream: len(client.body[stream]) for stream in streams}
    client.send(*updates, window_update(0, MORE))
    client.wait_for(lambda c: sum(map(len, c.body.values())) == FIRST + MORE, "the second window")
    return [len(client.body[stream]) - before[stream] for stream in streams]


@pytest.mark.parametrize("less, more", [("u=7", "u=0"), ("u=4, i", "u=2, i"), (None, "u=1"), ("u=6", None), ("i, u=5;a=1", "a, u=3 ;b"), ("u=0, u=7", "u=7,\tu=0")])
def test_what_is_urgent_gets_most(server, less, more):
    few, many = shares(server, less, more)
    assert many > 3 * few


@pytest.mark.guard
@pytest.mark.parametrize("value", ["", "u=8", "u=-1", "u", "u=", "u=03", "U=0", "au=0", "u=\"0\"", "i", "u=3", ",,u"])
def test_what_says_no_urgency_is_as_if_nothing_was_said(server, value):
    few, many = sorted(shares(server, value, None))
    assert many < 1.5 * few


def test_an_update_replaces_what_the_request_said(server):
    first, second = shares(server, "u=0", "u=7", updates=[update(1, b"u=7"), update(3, b"u=0")])
    assert second > 3 * first
    # Without an urgency it is the default.
    first, second = shares(server, "u=0", None, updates=[update(1, b"i")])
    assert max(first, second) < 1.5 * min(first, second)


@pytest.mark.guard
def test_updates_of_streams_that_are_not_there_are_ignored(server):
    client = server.http2()
    client.request(1)
    client.wait_for_response(1)
    client.send(update(1, b"u=0"), update(99, b"u=0"), update(2, b"u=0"))
    client.request(3)
    client.wait_for_response(3)
    assert client.status[3] == 200 and not client.goaways


@pytest.mark.parametrize("octets, error", [
    (frame(PRIORITY_UPDATE, 0, 1, u32(1) + b"u=0"), PROTOCOL_ERROR), (update(0, b"u=0"), PROTOCOL_ERROR),
    (frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0"), FRAME_SIZE_ERROR)], ids=["on-a-stream", "of-the-connection", "cut-off"])
def test_updates_that_are_none_end_the_connection(server, octets, error):
    client = server.http2()
    client.send(octets)
    client.wait_for(lambda c: c.goaways, "GOAWAY")
    assert client.goaways[0][1] == error


def test_too_many_updates_are_answered_with_enhance_your_calm(server):
    client = server.http2()
    client.send(*[update(1, b"u=0")] * 5000)
    client.wait_for(lambda c: c.goaways, "GOAWAY")
    assert client.goaways[0][1] == ENHANCE_YOUR_CALM
