# SPDX-License-Identifier: MIT
"""Well-formed use of every frame, and section 8 of RFC 9113: messages."""
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PADDED, PING, PRIORITY,
                   PROTOCOL_ERROR, PUSH_PROMISE, SETTINGS, data, frame, rst_stream, setting, u32, window_update)
from http2_cases import (PRIORITY_FLAG, Http2Cases, alive, connection_error, finished, open_post, padded, priority, raw_headers, refused,
                         start, succeeds)

table = Http2Cases()
case = table.case


# --- Well-formed ---------------------------------------------------------------------------------------------------


@case("generic 1/1 a connection begins")
def _(client):
    client.wait_for(lambda _: client.settings and client.settings_acks, "SETTINGS and an ACK")


@case("generic 2/1 PRIORITY on an idle stream")
def _(client):
    client.send(frame(PRIORITY, 0, 1, priority()))
    finished(client)


def half_closed(client):
    client.send(frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 0)))
    start(client)


@case("generic 2/2 WINDOW_UPDATE on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(window_update(1, 100000))
    succeeds(client)


@case("generic 2/3 PRIORITY on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(frame(PRIORITY, 0, 1, priority()), window_update(1, 100000))
    succeeds(client)


@case("generic 2/4 RST_STREAM on a half-closed (remote) stream")
def _(client):
    half_closed(client)
    client.send(rst_stream(1), frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 65535)))
    alive(client)
    assert not client.body[1]


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
                      "4 exclusive": priority(5, exclusive=True)}.items():
    @case(f"generic 3.3/{name}")
    def _(client, payload=payload):
        client.send(frame(PRIORITY, 0, 1, payload))
        finished(client)


@case("generic 3.3/5 PRIORITY on an idle stream does not close those before it")
def _(client):
    client.send(frame(PRIORITY, 0, 7, priority()))
    finished(client, 5)


@case("generic 3.4/1 RST_STREAM")
def _(client):
    open_post(client)
    client.send(rst_stream(1))
    alive(client)


@case("generic 3.5/1 SETTINGS")
def _(client):
    client.send(frame(SETTINGS, 0, 0))
    client.wait_for(lambda _: client.settings_acks == 2, "ACK")


@case("generic 3.7/1 PING")
def _(client):
    alive(client)


@case("generic 3.8/1 GOAWAY")
def _(client):
    start(client)
    client.send(frame(GOAWAY, 0, 0, u32(0) + u32(0)))
    succeeds(client)  # what was asked before is answered: RFC 9113 section 6.8


@case("generic 3.9/1 WINDOW_UPDATE of the connection")
def _(client):
    client.send(window_update(0, 1))
    alive(client)


@case("generic 3.9/2 WINDOW_UPDATE of a stream")
def _(client):
    open_post(client)
    client.send(window_update(1, 1), data(1, b"x", end=True))
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


@case("generic 4/4 POST with trailers")
def _(client):
    open_post(client, fields=[("trailer", "x-test")])
    client.send(data(1, b"test"), raw_headers(1, client.encoder.encode([("x-test", "ok")])))
    succeeds(client)


# --- Malformed -----------------------------------------------------------------------------------------------------


@case("8.1/1 a second HEADERS without END_STREAM")
def _(client):
    open_post(client)
    client.send(data(1, b"x"), raw_headers(1, client.encoder.encode([("x-test", "ok")]), end=False))
    refused(client, 1, PROTOCOL_ERROR)


METHOD, SCHEME, PATH, AUTHORITY = (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")
ALL = [METHOD, SCHEME, PATH, AUTHORITY]

for name, fields in {
    "8.2/1 a field name in capitals": ALL + [("X-TEST", "ok")],
    "8.3/1 an unknown pseudo-header field": ALL + [(":test", "ok")],
    "8.3/2 a pseudo-header field of responses": ALL + [(":status", "200")],
    "8.3/4 a pseudo-header field after others": [METHOD, SCHEME, AUTHORITY, ("x-test", "ok"), PATH],
    "8.2.2/1 a field of the connection": ALL + [("connection", "keep-alive")],
    "8.2.2/2 TE other than trailers": ALL + [("te", "trailers, deflate;q=0.5")],
    "8.3.1/1 :path is empty": [METHOD, SCHEME, (":path", ""), AUTHORITY],
    "8.3.1/2 without :method": [SCHEME, PATH, AUTHORITY],
    "8.3.1/3 without :scheme": [METHOD, PATH, AUTHORITY],
    "8.3.1/4 without :path": [METHOD, SCHEME, AUTHORITY],
    "8.3.1/5 :method twice": [METHOD] + ALL,
    "8.3.1/6 :scheme twice": [SCHEME] + ALL,
    "8.3.1/7 :path twice": [PATH] + ALL,
}.items():
    @case(name)
    def _(client, fields=fields):
        client.send(raw_headers(1, client.encoder.encode([(n, client.scheme if n == ":scheme" else v) for n, v in fields])))
        refused(client, 1, PROTOCOL_ERROR)
        alive(client)


@case("8.3/3 a pseudo-header field in trailers")
def _(client):
    open_post(client)
    client.send(data(1, b"x"), raw_headers(1, client.encoder.encode([METHOD])))
    refused(client, 1, PROTOCOL_ERROR)


for name, pieces in {"8.1.1/1 less content than content-length, in one DATA": [b"te"],
                     "8.1.1/2 more content than content-length, in several DATA": [b"te", b"st", b"ing"]}.items():
    @case(name)
    def _(client, pieces=pieces):
        open_post(client, fields=[("content-length", "4")])
        # At once: after the length that was announced the origin may answer.
        client.send(*[data(1, piece, end=number == len(pieces)) for number, piece in enumerate(pieces, 1)])
        refused(client, 1, PROTOCOL_ERROR)


@case("8.4/1 PUSH_PROMISE of a client")
def _(client):
    client.send(frame(PUSH_PROMISE, END_HEADERS, 1, u32(3) + client.block("/")))
    connection_error(client, PROTOCOL_ERROR)
