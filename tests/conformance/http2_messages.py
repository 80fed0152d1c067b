# SPDX-License-Identifier: MIT
"""Well-formed use of every frame, and section 8 of RFC 9113: messages."""
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
                   MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, SETTINGS, data,
                   frame, rst_stream, setting, u32, window_update)
from http2_cases import (ENABLE_PUSH, MAX_FRAME_SIZE, PRIORITY_FLAG, Http2Cases, accepts_ping_or_ends, alive, connection_error, finished,
                         half_closed, open_post, padded, priority, raw_headers, send_settings, start, stream_error, succeeds)

table = Http2Cases()
case = table.case


# --- Well-formed ---------------------------------------------------------------------------------------------------


@case("generic 1/1 a connection begins")
def _(client):
    client.wait_for(lambda _: client.settings and client.settings_acks, "SETTINGS and an ACK")
    assert client.frames[0][:3] == (SETTINGS, 0, 0), client.frames


@case("generic 2/1 PRIORITY on an idle stream")
def _(client):
    client.send(frame(PRIORITY, 0, 1, priority(weight=255)))
    alive(client)
    client.send(frame(PRIORITY, 0, 201, priority(weight=255)))
    finished(client, 201)


def one_octet(client):
    """Of the response there is one DATA frame, of one octet."""
    client.wait_for(lambda _: client.body[1], "DATA")
    client.sync()
    assert [each[3] for each in client.frames if each[0] == DATA] == [1], client.frames


@case("generic 2/2 WINDOW_UPDATE on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(window_update(1, 1))
    one_octet(client)
    client.send(window_update(1, 100000))
    succeeds(client)


@case("generic 2/3 PRIORITY on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(frame(PRIORITY, 0, 1, priority(weight=255)), window_update(1, 1))
    one_octet(client)
    client.send(window_update(1, 100000))
    succeeds(client)


@case("generic 2/4 RST_STREAM on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(rst_stream(1), frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 65535)))
    alive(client)
    assert not client.body[1]


@case("generic 2/6 RST_STREAM on a stream whose response may be on its way")
def _(client):
    client.send(raw_headers(1, client.block("/")) + rst_stream(1))
    alive(client)


@case("generic 2/5 PRIORITY on a closed stream")
def _(client):
    finished(client)
    client.send(frame(PRIORITY, 0, 1, priority()))
    alive(client)


@case("generic 3.1/1 DATA")
def _(client):
    open_post(client)
    client.send(data(1, b"test", end=True))
    succeeds(client)
    assert client.body[1] == b"test"


@case("generic 3.1/2 several DATA")
def _(client):
    open_post(client)
    client.send(data(1, b"te"), data(1, b"st", end=True))
    succeeds(client)
    assert client.body[1] == b"test"


@case("generic 3.1/3 DATA with padding")
def _(client):
    open_post(client)
    client.send(frame(DATA, END_STREAM | PADDED, 1, padded(b"test", 6)))
    succeeds(client)
    assert client.body[1] == b"test"


@case("generic 3.2/1 HEADERS")
def _(client):
    finished(client)


@case("generic 3.2/2 HEADERS with padding")
def _(client):
    client.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, padded(client.block("/"), 6)))
    succeeds(client)


@case("generic 3.2/3 HEADERS with priority")
def _(client):
    client.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, 1, priority(weight=255) + client.block("/")))
    succeeds(client)


for name, payload in {"1 of weight 1": priority(weight=0), "2 of weight 256": priority(weight=255), "3 with a dependency": priority(5),
                      "4 exclusive": priority(weight=0, exclusive=True),
                      "6 exclusive, with a dependency": priority(5, exclusive=True)}.items():
    @case(f"generic 3.3/{name}")
    def _(client, payload=payload):
        client.send(frame(PRIORITY, 0, 1, payload))
        finished(client)


@case("generic 3.3/5 PRIORITY on an idle stream does not close those before it")
def _(client):
    client.send(frame(PRIORITY, 0, 7, priority()))
    finished(client, 5)


@case("generic 3.3/7 PRIORITY on an idle stream that depends on one before it")
def _(client):
    client.send(frame(PRIORITY, 0, 3, priority(1, weight=0)))
    finished(client)
    finished(client, 3)


@case("generic 3.4/1 RST_STREAM")
def _(client):
    open_post(client)
    client.send(rst_stream(1))
    alive(client)


@case("generic 3.5/1 SETTINGS")
def _(client):
    client.send(frame(SETTINGS, 0, 0))
    client.wait_for(lambda _: client.settings_acks == 2, "ACK")


@case("generic 3.5/2 SETTINGS with every setting")
def _(client):
    client.wait_for(lambda _: client.settings_acks == 1, "the ACK of the first SETTINGS")
    send_settings(client, (HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100), (INITIAL_WINDOW_SIZE, 65535),
                  (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100))
    client.wait_for(lambda _: client.settings_acks == 2, "ACK")
    alive(client)


@case("generic 3.7/1 PING")
def _(client):
    client.send(frame(PING, 0, 0, b"headgate"))
    client.wait_for(lambda _: client.pongs, "PING ACK")
    assert client.pong == b"headgate"


@case("generic 3.8/1 GOAWAY")
def _(client):
    start(client)
    client.send(frame(GOAWAY, 0, 0, u32(0) + u32(0)))
    succeeds(client)  # what was asked before is answered: RFC 9113 section 6.8


@case("generic 3.8/2 GOAWAY with a text")
def _(client):
    client.send(frame(GOAWAY, 0, 0, u32(0) + u32(0) + b"enough"))
    accepts_ping_or_ends(client)


@case("generic 3.9/1 WINDOW_UPDATE of the connection")
def _(client):
    client.send(window_update(0, 1))
    alive(client)


@case("generic 3.9/2 WINDOW_UPDATE of a stream")
def _(client):
    open_post(client)
    client.send(window_update(1, 1), data(1, b"x", end=True))
    succeeds(client)


@case("generic 3.9/3 WINDOW_UPDATE of a stream whose request has ended")
def _(client):
    client.send(raw_headers(1, client.block("/")) + window_update(1, 1))
    succeeds(client)


@case("generic 3.10/1 CONTINUATION")
def _(client):
    block = client.block("/")
    client.send(frame(HEADERS, END_STREAM, 1, block[:3]), frame(CONTINUATION, END_HEADERS, 1, block[3:]))
    succeeds(client)


@case("generic 3.10/2 several CONTINUATION")
def _(client):
    block = client.block("/")
    client.send(frame(HEADERS, END_STREAM, 1, block[:3]), frame(CONTINUATION, 0, 1, block[3:5]),
                frame(CONTINUATION, END_HEADERS, 1, block[5:]))
    succeeds(client)


@case("generic 4/1 GET")
def _(client):
    finished(client)
    assert client.body[1]


@case("generic 4/2 HEAD")
def _(client):
    finished(client, method="HEAD")
    assert not client.body[1] and dict(client.fields[1])["content-length"] != "0"


@case("generic 4/3 POST")
def _(client):
    open_post(client, fields=[("content-length", "4")])
    client.send(data(1, b"test", end=True))
    succeeds(client)
    assert client.body[1] == b"test"


@case("generic 4/4 POST with trailers")
def _(client):
    open_post(client, fields=[("trailer", "x-test")])
    client.send(data(1, b"test"), raw_headers(1, client.encoder.encode([("x-test", "ok")])))
    succeeds(client)
    assert client.body[1] == b"test"


# --- Malformed: a server may answer before it resets the stream (RFC 9113 section 8.1.1), this one does not ---------


@case("8.1/1 a second HEADERS without END_STREAM")
def _(client):
    open_post(client)
    client.send(data(1, b"x"), raw_headers(1, client.encoder.encode([("x-test", "ok")]), end=False))
    stream_error(client, 1, PROTOCOL_ERROR)


METHOD, SCHEME, PATH, AUTHORITY = (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")
ALL = [METHOD, SCHEME, PATH, AUTHORITY]

for name, fields in {
    "8.2/1 a field name in capitals": ALL + [("X-TEST", "ok")],
    "8.3/1 an unknown pseudo-header field": ALL + [(":test", "ok")],
    "8.3/2 a pseudo-header field of responses": ALL + [(":status", "200")],
    "8.3/4 pseudo-header fields after another": [("x-test", "ok")] + ALL,
    "8.3/5 a pseudo-header field after another": [METHOD, SCHEME, AUTHORITY, ("x-test", "ok"), PATH],
    "8.2.2/1 a field of the connection": ALL + [("connection", "keep-alive")],
    "8.2.2/2 TE other than trailers": ALL + [("trailers", "test"), ("te", "trailers, deflate")],
    "8.2.2/3 TE other than trailers, with a weight": ALL + [("te", "trailers, deflate;q=0.5")],
    "8.3.1/1 :path is empty": [METHOD, SCHEME, (":path", ""), AUTHORITY],
    "8.3.1/2 without :method": [SCHEME, PATH, AUTHORITY],
    "8.3.1/3 without :scheme": [METHOD, PATH, AUTHORITY],
    "8.3.1/4 without :path": [METHOD, SCHEME, AUTHORITY],
    "8.3.1/5 :method twice": ALL + [METHOD],
    "8.3.1/6 :scheme twice": ALL + [SCHEME],
    "8.3.1/7 :path twice": ALL + [PATH],
    "8.3.1/8 neither :method nor :scheme": [PATH, AUTHORITY],
}.items():
    @case(name)
    def _(client, fields=fields):
        client.send(raw_headers(1, client.encoder.encode([(n, client.scheme if n == ":scheme" else v) for n, v in fields])))
        stream_error(client, 1, PROTOCOL_ERROR)
        alive(client)


for name, end in {"8.3/3 a pseudo-header field in trailers": True,
                  "8.3/6 a pseudo-header field in HEADERS that end nothing": False}.items():
    @case(name)
    def _(client, end=end):
        open_post(client)
        client.send(data(1, b"test"), raw_headers(1, client.encoder.encode([(":method", "POST")]), end=end))
        stream_error(client, 1, PROTOCOL_ERROR)


for name, (length, *pieces) in {
    "8.1.1/1 more content than content-length, in one DATA": (1, b"test"),
    "8.1.1/2 more content than content-length, in several DATA": (1, b"test", b"test"),
    "8.1.1/3 less content than content-length": (4, b"te"),
    "8.1.1/4 the last of several DATA is more than content-length": (4, b"te", b"st", b"ing"),
    "8.1.1/5 no content, but content-length": (4, b""),
}.items():
    @case(name)
    def _(client, length=length, pieces=pieces):
        # At once: after the length that was announced the origin may answer.
        client.send(raw_headers(1, client.block("/echo", method="POST", fields=[("content-length", str(length))]), end=False),
                    *[data(1, piece, end=number == len(pieces)) for number, piece in enumerate(pieces, 1)])
        stream_error(client, 1, PROTOCOL_ERROR)
        alive(client)


@case("8.4/1 PUSH_PROMISE of a client")
def _(client):
    client.send(frame(PUSH_PROMISE, END_HEADERS, 1, u32(3) + client.block("/")))
    connection_error(client, PROTOCOL_ERROR)
