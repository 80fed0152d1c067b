# SPDX-License-Identifier: MIT
"""Sections 3 to 7 of RFC 9113: the connection, its streams, and what each frame may be."""
import time

from http2 import (ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
                   HEADERS, INITIAL_WINDOW_SIZE, LARGEST, MAX_CONCURRENT_STREAMS, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR,
                   PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, data, frame, rst_stream, setting,
                   u32, window_update)
from http2_cases import (PRIORITY_FLAG, Http2Cases, alive, connection_ends, connection_error, finished, open_post, padded, priority,
                         raw_headers, start, stream_error, succeeds)

table = Http2Cases()
case = table.case
ENABLE_PUSH, MAX_FRAME_SIZE = 2, 5
# A stream that the server has seen the end of may have been forgotten: RFC 9113 section 5.1.
CLOSED = (STREAM_CLOSED, PROTOCOL_ERROR)


def send_settings(client, *settings):
    client.send(frame(SETTINGS, 0, 0, b"".join(setting(*each) for each in settings)))


# --- 3.4, 4: the connection and frames ------------------------------------------------------------------------------


@case("3.4/1 a client connection preface")
def _(client):
    client.wait_for(lambda _: client.settings, "SETTINGS, which come first")
    alive(client)


@case("3.4/2 an invalid connection preface")
def _(client):
    connection_ends(client)


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


@case("4.3/1 an invalid field block")
def _(client):
    client.send(raw_headers(1, b"\x40\x0a" + b"x" * 4))  # a name that goes on after the end
    connection_error(client, COMPRESSION_ERROR)


@case("4.3/2 PRIORITY within a field section")
def _(client):
    client.send(frame(HEADERS, END_STREAM, 1, client.block("/")), frame(PRIORITY, 0, 1, priority()))
    connection_error(client, PROTOCOL_ERROR)


@case("4.3/3 HEADERS of another stream within a field section")
def _(client):
    client.send(frame(HEADERS, END_STREAM, 1, client.block("/")), raw_headers(3, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


# --- 5: streams ----------------------------------------------------------------------------------------------------

for name, wrong in {
    "1 idle: DATA": data(1, b"x", end=True), "2 idle: RST_STREAM": rst_stream(1), "3 idle: WINDOW_UPDATE": window_update(1, 100),
    "4 idle: CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
}.items():
    @case(f"5.1/{name}")
    def _(client, wrong=wrong):
        client.send(wrong)
        connection_error(client, PROTOCOL_ERROR)


def half_closed(client):
    """The stream is open on the server's side only: its response waits for a window."""
    send_settings(client, (INITIAL_WINDOW_SIZE, 0))
    start(client)


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


@case("5.1.1/2 a stream identifier that is smaller than before")
def _(client):
    finished(client, 5)
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


@case("5.5/2 an unknown extension frame within a field section")
def _(client):
    block = client.block("/")
    client.send(frame(HEADERS, END_STREAM, 1, block[:2]), frame(0xff, 0, 1, b"unknown"), frame(CONTINUATION, END_HEADERS, 1, block[2:]))
    connection_error(client, PROTOCOL_ERROR)


# --- 6: frames -----------------------------------------------------------------------------------------------------


@case("6.1/1 DATA on stream 0")
def _(client):
    client.send(data(0, b"x", end=True))
    connection_error(client, PROTOCOL_ERROR)


@case("6.1/2 DATA on a stream that is not open")
def _(client):
    finished(client)
    client.send(data(1, b"x"))
    stream_error(client, 1, STREAM_CLOSED)


@case("6.1/3 DATA with more padding than payload")
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


@case("6.2/4 HEADERS with more padding than payload")
def _(client):
    block = client.block("/")
    client.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, padded(block, 0, length=len(block) + 1)))
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
    ("6.5/1 SETTINGS with ACK and a payload", ACK, 0, setting(1, 1), FRAME_SIZE_ERROR),
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
    send_settings(client, (MAX_CONCURRENT_STREAMS, 100))
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
    stream_error(client, 1, FLOW_CONTROL_ERROR)


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


@case("6.10/4 CONTINUATION after HEADERS with END_HEADERS")
def _(client):
    open_post(client)
    client.send(frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


@case("6.10/5 CONTINUATION after CONTINUATION with END_HEADERS")
def _(client):
    block = client.block("/echo", method="POST")
    client.send(frame(HEADERS, 0, 1, block[:2]), frame(CONTINUATION, END_HEADERS, 1, block[2:]), frame(CONTINUATION, END_HEADERS, 1, b""))
    connection_error(client, PROTOCOL_ERROR)


@case("6.10/6 CONTINUATION after DATA")
def _(client):
    open_post(client)
    client.send(data(1, b"x"), frame(CONTINUATION, END_HEADERS, 1, client.block("/")))
    connection_error(client, PROTOCOL_ERROR)


# --- 7: error codes ------------------------------------------------------------------------------------------------


@case("7/1 GOAWAY with an unknown error code")
def _(client):
    client.send(frame(GOAWAY, 0, 0, u32(0) + u32(0xff)), frame(PING, 0, 0, b"\0" * 8))
    client.wait_for(lambda _: client.pongs or client.closed, "PING ACK, or the end")


@case("7/2 RST_STREAM with an unknown error code")
def _(client):
    open_post(client)
    client.send(rst_stream(1, 0xff))
    alive(client)
