# SPDX-License-Identifier: MIT
"""Sections 3 to 5 of RFC 9113: the connection, what a frame is, and the states of a stream."""
from http2 import (COMPRESSION_ERROR, CONTINUATION, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR, HEADERS, INITIAL_WINDOW_SIZE,
                   MAX_CONCURRENT_STREAMS, PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, SETTINGS, STREAM_CLOSED, data, frame, get,
                   rst_stream, window_update)
from http2_cases import (LONG, PRIORITY_FLAG, Http2Cases, alive, connection_ends, connection_error, finished, half_closed, open_post,
                         priority, raw_headers, send_settings, start, stream_error, succeeds)

table = Http2Cases()
case = table.case


# --- 3.4, 4: the connection and frames ------------------------------------------------------------------------------


@case("3.4/1 a client connection preface")
def _(client):
    client.wait_for(lambda _: client.settings_acks, "SETTINGS and an ACK")
    assert client.frames[0][:3] == (SETTINGS, 0, 0), client.frames
    alive(client)


@case("3.4/2 an invalid connection preface")
def _(client):
    connection_ends(client)


_.preface = b"INVALID CONNECTION PREFACE\r\n\r\n"
_.plain_preface = b"PRI * HTTP/2.0\r\n\r\nXX CONNECTION PREFACE\r\n\r\n"


@case("3.4/3 neither a connection preface nor HTTP/1")
def _(client):
    connection_ends(client)
    assert not client.frames


_.preface = b"INVALID CONNECTION PREFACE\r\n\r\n"


@case("4.1/1 a frame of an unknown type is ignored")
def _(client):
    client.send(frame(0x16, 0, 0, b"\0" * 8))
    alive(client)


@case("4.1/2 undefined flags are ignored")
def _(client):
    client.send(frame(PING, 0x16, 0, b"\0" * 8))
    client.wait_for(lambda _: client.pongs == 1, "PING ACK")


@case("4.1/3 the reserved bit of the stream identifier is ignored")
def _(client):
    client.send(frame(PING, 0, 0x80000000, b"\0" * 8))
    client.wait_for(lambda _: client.pongs == 1, "PING ACK")


@case("4.1/4 the reserved bit beside undefined flags")
def _(client):
    client.send(frame(PING, 0x16, 0x80000000, b"headgate"))
    client.wait_for(lambda _: client.pongs == 1, "PING ACK")
    assert client.pong == b"headgate"


@case("4.2/1 DATA of 2^14 octets")
def _(client):
    open_post(client)
    client.send(data(1, b"x" * 16384, end=True))
    succeeds(client)


@case("4.2/2 DATA beyond SETTINGS_MAX_FRAME_SIZE")
def _(client):
    open_post(client)
    client.send(data(1, b"x" * 16385, end=True))
    stream_error(client, 1, FRAME_SIZE_ERROR)


@case("4.2/3 HEADERS beyond SETTINGS_MAX_FRAME_SIZE")
def _(client):
    client.send(raw_headers(1, client.block("/", fields=[("x", "y" * 20000)])))
    connection_error(client, FRAME_SIZE_ERROR)


for name, block in {"1 an invalid field block": b"\x40\x0a" + b"x" * 4,
                    "4 a field block that ends before a name's length": b"\x40"}.items():
    @case(f"4.3/{name}")
    def _(client, block=block):
        client.send(raw_headers(1, block))
        connection_error(client, COMPRESSION_ERROR)


@case("4.3/2 PRIORITY within a field section")
def _(client):
    client.send(frame(HEADERS, 0, 1, client.block("/")), frame(PRIORITY, 0, 1, priority()),
                frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
    connection_error(client, PROTOCOL_ERROR)


@case("4.3/3 HEADERS of another stream within a field section")
def _(client):
    client.send(frame(HEADERS, 0, 1, client.block("/")), raw_headers(3, client.block("/")),
                frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
    connection_error(client, PROTOCOL_ERROR)


# --- 5: streams ----------------------------------------------------------------------------------------------------

for name, wrong in {
    "1 idle: DATA": data(1, b"x", end=True), "2 idle: RST_STREAM": rst_stream(1), "3 idle: WINDOW_UPDATE": window_update(1, 100),
    "4 idle: CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, get(1, "/")[9:]),
}.items():
    @case(f"5.1/{name}")
    def _(client, wrong=wrong):
        client.send(wrong)
        connection_error(client, PROTOCOL_ERROR)


@case("5.1/5 half-closed (remote): DATA")
def _(client):
    half_closed(client)
    client.send(data(1, b"x", end=True))
    stream_error(client, 1, STREAM_CLOSED)


@case("5.1/6 half-closed (remote): HEADERS")
def _(client):
    half_closed(client)
    client.send(raw_headers(1, client.block("/")))
    stream_error(client, 1, STREAM_CLOSED)


@case("5.1/7 half-closed (remote): CONTINUATION")
def _(client):
    half_closed(client)
    client.send(frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1/8 closed by RST_STREAM: DATA")
def _(client):
    open_post(client)
    client.send(rst_stream(1), data(1, b"x", end=True))
    stream_error(client, 1, STREAM_CLOSED)


@case("5.1/9 closed by RST_STREAM: HEADERS")
def _(client):
    open_post(client)
    client.send(rst_stream(1), raw_headers(1, client.block("/")))
    stream_error(client, 1, STREAM_CLOSED)


@case("5.1/10 closed by RST_STREAM: CONTINUATION")
def _(client):
    open_post(client)
    client.send(rst_stream(1), frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1/11 closed: DATA")
def _(client):
    finished(client)
    client.send(data(1, b"x", end=True))
    stream_error(client, 1, STREAM_CLOSED)


@case("5.1/12 closed: HEADERS")
def _(client):
    finished(client)
    client.send(raw_headers(1, client.block("/")))
    connection_error(client, STREAM_CLOSED)


@case("5.1/13 closed: CONTINUATION")
def _(client):
    finished(client)
    client.send(frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, STREAM_CLOSED, PROTOCOL_ERROR)


@case("5.1.1/1 an even stream identifier")
def _(client):
    client.send(raw_headers(2, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


# RFC 9113 has two names for it: unexpected (section 5.1.1), and closed by the use of a larger one (section 5.1).
@case("5.1.1/2 a stream identifier that is smaller than before")
def _(client):
    finished(client, 5)
    client.send(raw_headers(3, client.block("/")))
    connection_error(client, PROTOCOL_ERROR, STREAM_CLOSED)


@case("5.1.1/3 a stream identifier that is smaller than one whose response is still to come")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 0))
    start(client, 5)
    client.send(raw_headers(3, client.block("/")))
    connection_error(client, PROTOCOL_ERROR, STREAM_CLOSED)


@case("5.1.2/1 more streams than SETTINGS_MAX_CONCURRENT_STREAMS")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 0))
    client.wait_for(lambda _: client.settings, "SETTINGS")
    most = client.settings[0][MAX_CONCURRENT_STREAMS]
    for number in range(most + 1):
        start(client, 2 * number + 1)
    stream_error(client, 2 * most + 1, PROTOCOL_ERROR, REFUSED_STREAM)


# RFC 9113 section 5.3.1: priorities are deprecated, and what they say is of no consequence but for this (RFC 7540).
@case("5.3.1/1 HEADERS that depend on their own stream")
def _(client):
    client.send(frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, priority(1) + client.block("/")))
    stream_error(client, 1, PROTOCOL_ERROR)


@case("5.3.1/2 PRIORITY that depends on its own stream")
def _(client):
    client.send(frame(PRIORITY, 0, 1, priority(1)))
    stream_error(client, 1, PROTOCOL_ERROR)


@case("5.4.1/1 a connection error ends the connection")
def _(client):
    client.send(frame(PING, 0, 3, b"\0" * 8))
    connection_ends(client)


@case("5.4.1/2 a connection error is told by GOAWAY with the last stream")
def _(client):
    finished(client)
    client.send(frame(PING, 0, 3, b"\0" * 8))
    connection_error(client, PROTOCOL_ERROR)
    assert client.goaways[-1][0] == 1


@case("5.5/1 an unknown extension frame is ignored")
def _(client):
    client.send(frame(0xff, 0xff, 0, b"unknown"))
    alive(client)


for name, stream in {"2 of the same stream": 1, "3 of the connection": 0}.items():
    @case(f"5.5/{name}, an unknown extension frame within a field section")
    def _(client, stream=stream):
        block = client.block("/")
        client.send(frame(HEADERS, END_STREAM, 1, block[:2]), frame(0x16, 0, stream, b"\0" * 8),
                    frame(CONTINUATION, END_HEADERS, 1, block[2:]))
        connection_error(client, PROTOCOL_ERROR)
