# SPDX-License-Identifier: MIT
"""What the cases of HTTP/2 share: frames that are wrong on purpose, and how a server may answer to them."""
from http2 import END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR, PING, SETTINGS, Client, frame, get, setting, u32

PRIORITY_FLAG = 0x20
ENABLE_PUSH, MAX_FRAME_SIZE = 2, 5
LONG = [("x-long", "y" * 4000)]


class RecordingClient(Client):
    """Keeps what has arrived in its order, too: (type, flags, stream, length)."""

    def __init__(self, *arguments, **options):
        self.frames = []
        super().__init__(*arguments, **options)

    def _on_frame(self, kind, flags, stream, payload):
        self.frames.append((kind, flags, stream, len(payload)))
        super()._on_frame(kind, flags, stream, payload)


class Http2Cases:
    """A table of cases by name; each is given a connected client and asserts."""

    def __init__(self):
        self.cases = {}

    def case(self, name):
        def add(function):
            assert name not in self.cases, name
            self.cases[name] = function
            return function
        return add


def start(client, stream=1, path="/", end=True, **options):
    """A request, with its body to follow unless `end`."""
    client.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, client.block(path, **options)))


def send_settings(client, *settings):
    client.send(frame(SETTINGS, 0, 0, b"".join(setting(*each) for each in settings)))


def open_post(client, stream=1, **options):
    start(client, stream, "/echo", end=False, method="POST", **options)


def finished(client, stream=1, **options):
    """A request whose response has arrived: its stream is closed."""
    start(client, stream, **options)
    succeeds(client, stream)


def half_closed(client):
    """The stream is open on the server's side only: its response waits for a window."""
    send_settings(client, (INITIAL_WINDOW_SIZE, 0))
    start(client)


def padded(octets, padding, length=None):
    return bytes([padding if length is None else length]) + octets + bytes(padding)


def priority(dependency=0, weight=15, exclusive=False):
    return u32(dependency | (0x80000000 if exclusive else 0)) + bytes([weight])


def raw_headers(stream, block, end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


# What has to come of it.


def succeeds(client, *streams, status=200):
    streams = streams or (1,)
    client.wait_for_response(*streams)
    for stream in streams:
        assert client.status.get(stream) == status and not client.resets.get(stream), client


def alive(client, stream=101):
    """The connection is as good as before. The request does not use the dynamic table, which a case may have changed."""
    client.sync()
    client.send(get(stream, "/"))
    succeeds(client, stream)
    assert not client.goaways, client


def connection_error(client, *codes):
    """RFC 9113 section 5.4.1: GOAWAY with one of the codes, then the end."""
    client.wait_for_end()
    assert client.goaways and client.goaways[-1][1] in codes, f"not one of {codes}: {client}"


def connection_ends(client):
    client.wait_for_end()


def accepts_ping_or_ends(client):
    """After GOAWAY a server may end the connection, but not by an error."""
    client.send(frame(PING, 0, 0, b"headgate"))
    client.wait_for(lambda _: client.pongs or client.closed, "PING ACK, or the end")
    assert client.pong in (b"headgate", None) and all(code == NO_ERROR for _, code in client.goaways), client


def stream_error(client, stream, *codes):
    """RFC 9113 section 5.4.2: RST_STREAM; a server may take it for a connection error."""
    client.wait_for(lambda _: stream in client.resets or client.goaways, f"an error of stream {stream}")
    seen = client.resets.get(stream) or [client.goaways[-1][1]]
    assert seen[-1] in codes, f"not one of {codes}: {client}"
