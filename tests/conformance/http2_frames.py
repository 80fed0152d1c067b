# SPDX-License-Identifier: MIT
"""Sections 6 and 7 of RFC 9113: what each frame may be, and error codes."""
from http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
                   INITIAL_WINDOW_SIZE, LARGEST, MAX_CONCURRENT_STREAMS, PADDED, PING, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS,
                   STREAM_CLOSED, WINDOW_UPDATE, data, frame, rst_stream, setting, u32, window_update)
from http2_cases import (ENABLE_PUSH, LONG, MAX_FRAME_SIZE, Http2Cases, accepts_ping_or_ends, alive, connection_error, open_post, padded,
                         priority, raw_headers, send_settings, start, stream_error, succeeds)

table = Http2Cases()
case = table.case


# --- 6: frames -----------------------------------------------------------------------------------------------------


@case("6.1/1 DATA on stream 0")
def _(client):
    client.send(data(0, b"x", end=True))
    connection_error(client, PROTOCOL_ERROR)


@case("6.1/2 DATA on a stream that is not open")
def _(client):
    client.send(raw_headers(1, client.block("/", method="POST")) + data(1, b"test", end=True))
    stream_error(client, 1, STREAM_CLOSED)


@case("6.1/3 DATA with more padding than payload")
def _(client):
    open_post(client, fields=[("content-length", "4")])
    client.send(frame(DATA, END_STREAM | PADDED, 1, padded(b"test", 0, length=6)))
    connection_error(client, PROTOCOL_ERROR)


@case("6.1/4 DATA with as much padding as payload")
def _(client):
    open_post(client)
    client.send(frame(DATA, END_STREAM | PADDED, 1, padded(b"x", 4, length=6)))
    connection_error(client, PROTOCOL_ERROR)


@case("6.2/1 HEADERS without END_HEADERS, then PRIORITY")
def _(client):
    client.send(frame(HEADERS, END_STREAM, 1, client.block("/")), frame(PRIORITY, 0, 3, priority()))
    connection_error(client, PROTOCOL_ERROR)


@case("6.2/2 HEADERS without END_HEADERS, then HEADERS of another stream")
def _(client):
    client.send(frame(HEADERS, 0, 1, client.block("/")), raw_headers(3, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


@case("6.2/3 HEADERS on stream 0")
def _(client):
    client.send(raw_headers(0, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


for name, beyond in {"4 more padding than payload": 2, "5 as much padding as payload": 1}.items():
    @case(f"6.2/{name} in HEADERS")
    def _(client, beyond=beyond):
        block = client.block("/")
        client.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, padded(block, 0, length=len(block) + beyond)))
        connection_error(client, PROTOCOL_ERROR)


@case("6.3/1 PRIORITY on stream 0")
def _(client):
    client.send(frame(PRIORITY, 0, 0, priority()))
    connection_error(client, PROTOCOL_ERROR)


@case("6.3/2 PRIORITY of another length than 5")
def _(client):
    open_post(client)
    client.send(frame(PRIORITY, 0, 1, priority()[:4]))
    stream_error(client, 1, FRAME_SIZE_ERROR)


@case("6.4/1 RST_STREAM on stream 0")
def _(client):
    client.send(rst_stream(0))
    connection_error(client, PROTOCOL_ERROR)


@case("6.4/2 RST_STREAM on an idle stream")
def _(client):
    client.send(rst_stream(1))
    connection_error(client, PROTOCOL_ERROR)


@case("6.4/3 RST_STREAM of another length than 4")
def _(client):
    open_post(client)
    client.send(frame(RST_STREAM, 0, 1, b"\0" * 3))
    connection_error(client, FRAME_SIZE_ERROR)


for name, flags, stream, payload, code in [
    ("6.5/1 SETTINGS with ACK and a payload", ACK, 0, b"\0", FRAME_SIZE_ERROR),
    ("6.5/4 SETTINGS with ACK and a setting", ACK, 0, setting(1, 1), FRAME_SIZE_ERROR),
    ("6.5/2 SETTINGS on a stream", 0, 1, setting(MAX_CONCURRENT_STREAMS, 1), PROTOCOL_ERROR),
    ("6.5/3 SETTINGS of a length that is no multiple of 6", 0, 0, b"\0\3\0", FRAME_SIZE_ERROR),
    ("6.5.2/1 SETTINGS_ENABLE_PUSH neither 0 nor 1", 0, 0, setting(ENABLE_PUSH, 2), PROTOCOL_ERROR),
    ("6.5.2/2 SETTINGS_INITIAL_WINDOW_SIZE too large", 0, 0, setting(INITIAL_WINDOW_SIZE, LARGEST + 1), FLOW_CONTROL_ERROR),
    ("6.5.2/3 SETTINGS_MAX_FRAME_SIZE too small", 0, 0, setting(MAX_FRAME_SIZE, 16383), PROTOCOL_ERROR),
    ("6.5.2/4 SETTINGS_MAX_FRAME_SIZE too large", 0, 0, setting(MAX_FRAME_SIZE, 1 << 24), PROTOCOL_ERROR),
    ("6.9.2/3 SETTINGS_INITIAL_WINDOW_SIZE above the largest window", 0, 0, setting(INITIAL_WINDOW_SIZE, 0xffffffff), FLOW_CONTROL_ERROR),
]:
    @case(name)
    def _(client, flags=flags, stream=stream, payload=payload, code=code):
        client.send(frame(SETTINGS, flags, stream, payload))
        connection_error(client, code)


@case("6.5.2/5 unknown settings are ignored")
def _(client):
    send_settings(client, (0xff, 1))
    alive(client)


@case("6.5.3/1 the last of several values holds")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1))
    start(client)
    client.wait_for(lambda _: client.body[1], "DATA")
    client.sync()
    assert len(client.body[1]) == 1, client


@case("6.5.3/2 SETTINGS are acknowledged")
def _(client):
    client.wait_for(lambda _: client.settings_acks == 1, "the ACK of the first SETTINGS")
    send_settings(client, (ENABLE_PUSH, 0))
    client.wait_for(lambda _: client.settings_acks == 2, "the ACK of the second SETTINGS")


@case("6.7/1 PING is answered with what it carries")
def _(client):
    client.send(frame(PING, 0, 0, b"headgate"))
    client.wait_for(lambda _: client.pongs == 1, "PING ACK")
    assert client.pong == b"headgate"


@case("6.7/2 PING with ACK is not answered")
def _(client):
    client.send(frame(PING, ACK, 0, b"unwanted"), frame(PING, 0, 0, b"headgate"))
    client.wait_for(lambda _: client.pongs == 1, "PING ACK")
    assert client.pong == b"headgate"


@case("6.7/3 PING on a stream")
def _(client):
    client.send(frame(PING, 0, 1, b"\0" * 8))
    connection_error(client, PROTOCOL_ERROR)


@case("6.7/4 PING of another length than 8")
def _(client):
    client.send(frame(PING, 0, 0, b"\0" * 6))
    connection_error(client, FRAME_SIZE_ERROR)


@case("6.8/1 GOAWAY on a stream")
def _(client):
    client.send(frame(GOAWAY, 0, 1, u32(0) + u32(0)))
    connection_error(client, PROTOCOL_ERROR)


@case("6.9/1 WINDOW_UPDATE by 0 of the connection")
def _(client):
    client.send(window_update(0, 0))
    connection_error(client, PROTOCOL_ERROR)


@case("6.9/2 WINDOW_UPDATE by 0 of a stream")
def _(client):
    open_post(client)
    client.send(window_update(1, 0))
    stream_error(client, 1, PROTOCOL_ERROR)


@case("6.9/3 WINDOW_UPDATE of another length than 4")
def _(client):
    client.send(frame(WINDOW_UPDATE, 0, 0, b"\0" * 3))
    connection_error(client, FRAME_SIZE_ERROR)


@case("6.9.1/1 no more DATA than the window")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 1))
    start(client)
    client.wait_for(lambda _: client.body[1], "DATA")
    client.sync()
    assert len(client.body[1]) == 1, client


@case("6.9.1/2 a connection window above 2^31-1")
def _(client):
    client.send(window_update(0, LARGEST), window_update(0, LARGEST))
    connection_error(client, FLOW_CONTROL_ERROR)


@case("6.9.1/3 a stream window above 2^31-1")
def _(client):
    open_post(client)
    client.send(window_update(1, LARGEST), window_update(1, LARGEST))
    alive(client)
    assert client.resets[1] == [FLOW_CONTROL_ERROR], client


@case("6.9.2/1 SETTINGS_INITIAL_WINDOW_SIZE changes the windows of open streams")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 0))
    start(client)
    client.wait_for_status(1)
    client.sync()
    assert not client.body[1]
    send_settings(client, (INITIAL_WINDOW_SIZE, 1))
    client.wait_for(lambda _: client.body[1], "DATA")
    client.sync()
    assert len(client.body[1]) == 1, client


@case("6.9.2/2 a window may become negative")
def _(client):
    send_settings(client, (INITIAL_WINDOW_SIZE, 3))
    start(client)
    client.wait_for(lambda _: len(client.body[1]) == 3, "three octets")
    send_settings(client, (INITIAL_WINDOW_SIZE, 2))  # -1
    client.send(window_update(1, 2))
    client.wait_for(lambda _: len(client.body[1]) == 4, "one more")
    client.sync()
    assert len(client.body[1]) == 4, client


@case("6.9.2/4 SETTINGS_INITIAL_WINDOW_SIZE that makes the window of a stream too large")
def _(client):
    open_post(client)
    client.send(window_update(1, 1))
    send_settings(client, (INITIAL_WINDOW_SIZE, LARGEST))
    connection_error(client, FLOW_CONTROL_ERROR)


@case("6.10/1 several CONTINUATION frames")
def _(client):
    block = client.block("/", fields=[("x", "y" * 30)])
    client.send(frame(HEADERS, END_STREAM, 1, block[:2]), frame(CONTINUATION, 0, 1, block[2:9]),
                frame(CONTINUATION, END_HEADERS, 1, block[9:]))
    succeeds(client)


@case("6.10/2 CONTINUATION followed by another frame")
def _(client):
    block = client.block("/")
    client.send(frame(HEADERS, END_STREAM, 1, block[:2]), frame(CONTINUATION, 0, 1, block[2:9]), data(1, b"x"))
    connection_error(client, PROTOCOL_ERROR)


@case("6.10/3 CONTINUATION on stream 0")
def _(client):
    client.send(frame(HEADERS, END_STREAM, 1, client.block("/")), frame(CONTINUATION, END_HEADERS, 0, b""))
    connection_error(client, PROTOCOL_ERROR)


for name, end in {"4 after HEADERS with END_HEADERS": True, "7 after HEADERS with END_HEADERS, the stream open": False}.items():
    @case(f"6.10/{name}, CONTINUATION")
    def _(client, end=end):
        start(client, path="/echo", method="POST", end=end)
        client.send(frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
        connection_error(client, PROTOCOL_ERROR)


for name, flags in {"5 after CONTINUATION with END_HEADERS": END_STREAM,
                    "8 after CONTINUATION with END_HEADERS, the stream open": 0}.items():
    @case(f"6.10/{name}, CONTINUATION")
    def _(client, flags=flags):
        client.send(frame(HEADERS, flags, 1, client.block("/echo", method="POST")),
                    frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)),
                    frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
        connection_error(client, PROTOCOL_ERROR)


@case("6.10/6 CONTINUATION after DATA")
def _(client):
    open_post(client)
    client.send(data(1, b"x"), frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


@case("6.10/9 DATA between HEADERS and CONTINUATION")
def _(client):
    client.send(frame(HEADERS, 0, 1, client.block("/echo", method="POST")), data(1, b"test", end=True),
                frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
    connection_error(client, PROTOCOL_ERROR)


@case("6.10/10 CONTINUATION of thousands of octets")
def _(client):
    client.send(frame(HEADERS, END_STREAM, 1, client.block("/")), frame(CONTINUATION, 0, 1, client.encoder.encode(LONG)),
                frame(CONTINUATION, END_HEADERS, 1, client.encoder.encode(LONG)))
    succeeds(client)


# --- 7: error codes ------------------------------------------------------------------------------------------------


@case("7/1 GOAWAY with an unknown error code")
def _(client):
    client.send(frame(GOAWAY, 0, 0, u32(0) + u32(0xff)))
    accepts_ping_or_ends(client)


@case("7/2 RST_STREAM with an unknown error code")
def _(client):
    open_post(client)
    client.send(rst_stream(1, 0xff))
    alive(client)
