# SPDX-License-Identifier: MIT
"""RFC 9114 and RFC 9204 to the letter: what a client may not send, and what it gets for it."""
import signal
import threading
from pathlib import Path

import pytest

import h3_raw as h3
from h3_raw import frame, headers, prefixed, request_fields, section, varint
from harness import BINARY, DEADLINE, behavior, memory, until
from origin import Reply
from test_http3 import serve3  # noqa: F401, a fixture

RAW = str(Path(BINARY).parent / "h3_raw")


@pytest.fixture
def edge(serve3, origin):
    origin.page("/page", "hello\n")
    return serve3(default=behavior(allowedMethods=["ALL"]))


@pytest.fixture
def connect_to():
    """Connections, which are closed with the test."""
    clients = []

    def make(edge, **options):
        clients.append(h3.RawClient(RAW, edge.https, **{"deadline": DEADLINE, **options}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def connect(connect_to, edge):
    return lambda **options: connect_to(edge, **options)


def fields(*lines):
    return frame(h3.HEADERS, section(lines))


# --- Errors that end the connection --------------------------------------------------------------------------------

ON_A_REQUEST = {
    "data-before-headers": (frame(h3.DATA, b"x"), h3.H3_FRAME_UNEXPECTED),
    "settings": (frame(h3.SETTINGS), h3.H3_FRAME_UNEXPECTED),
    "goaway": (frame(h3.GOAWAY, varint(0)), h3.H3_FRAME_UNEXPECTED),
    "max-push-id": (frame(h3.MAX_PUSH_ID, varint(1)), h3.H3_FRAME_UNEXPECTED),
    "cancel-push": (frame(h3.CANCEL_PUSH, varint(1)), h3.H3_FRAME_UNEXPECTED),
    "push-promise": (frame(h3.PUSH_PROMISE, varint(1) + section([])), h3.H3_FRAME_UNEXPECTED),
    "http2-priority": (frame(2, b"\0" * 5), h3.H3_FRAME_UNEXPECTED),
    "http2-ping": (frame(6, b"\0" * 8), h3.H3_FRAME_UNEXPECTED),
    "http2-window-update": (frame(8, b"\0" * 4), h3.H3_FRAME_UNEXPECTED),
    "http2-continuation": (frame(9, b""), h3.H3_FRAME_UNEXPECTED),
    # RFC 9114 has H3_REQUEST_INCOMPLETE for it, of the stream alone; nghttp3 says it so.
    "nothing-but-a-frame-that-nobody-knows": (frame(0x21, b"grease"), h3.H3_FRAME_UNEXPECTED),
    "headers-cut-off": (headers()[:-3], h3.H3_FRAME_ERROR),
    "a-static-field-that-is-none": (frame(h3.HEADERS, b"\0\0" + prefixed(99, 6, 0xc0)), h3.QPACK_DECOMPRESSION_FAILED),
    "a-dynamic-field-that-was-never-there": (frame(h3.HEADERS, b"\0\0" + prefixed(0, 6, 0x80)), h3.QPACK_DECOMPRESSION_FAILED),
    "a-section-without-prefix": (frame(h3.HEADERS, b"\0"), h3.QPACK_DECOMPRESSION_FAILED),
    "a-required-insert-count-out-of-range": (frame(h3.HEADERS, b"\xff\xff\xff\xff\xff\xff\xff\x7f\0\xd1"), h3.QPACK_DECOMPRESSION_FAILED),
}


@pytest.mark.parametrize("octets,code", ON_A_REQUEST.values(), ids=ON_A_REQUEST)
def test_what_may_not_come_on_a_request_stream(edge, connect, octets, code):
    client = connect()
    client.open("bidi", octets, fin=True)
    assert client.wait_closed() == ("app", code)
    assert connect().request().status == 200  # nobody else is harmed


ON_CONTROL = {
    "second-settings": (frame(h3.SETTINGS), h3.H3_FRAME_UNEXPECTED),
    "data": (frame(h3.DATA, b"x"), h3.H3_FRAME_UNEXPECTED),
    "headers": (headers(), h3.H3_FRAME_UNEXPECTED),
    "push-promise": (frame(h3.PUSH_PROMISE, varint(1)), h3.H3_FRAME_UNEXPECTED),
    "http2-ping": (frame(6, b"\0" * 8), h3.H3_FRAME_UNEXPECTED),
    # RFC 9114 has H3_ID_ERROR for this one and for the last; nghttp3 says it so.
    "max-push-id-goes-back": (frame(h3.MAX_PUSH_ID, varint(5)) + frame(h3.MAX_PUSH_ID, varint(4)), h3.H3_FRAME_ERROR),
    "goaway-goes-up": (frame(h3.GOAWAY, varint(4)) + frame(h3.GOAWAY, varint(8)), h3.H3_ID_ERROR),
    "max-push-id-empty": (frame(h3.MAX_PUSH_ID), h3.H3_FRAME_ERROR),
    "cancel-push-of-nothing": (frame(h3.CANCEL_PUSH, varint(0)), h3.H3_FRAME_UNEXPECTED),
}


@pytest.mark.parametrize("octets,code", ON_CONTROL.values(), ids=ON_CONTROL)
def test_what_may_not_come_on_the_control_stream(edge, connect, octets, code):
    client = connect()
    client.send(client.control, octets)
    assert client.wait_closed() == ("app", code)


UNIDIRECTIONAL = {
    "control-without-settings": (varint(h3.CONTROL) + frame(h3.MAX_PUSH_ID, varint(1)), h3.H3_MISSING_SETTINGS),
    "http2-setting": (varint(h3.CONTROL) + frame(h3.SETTINGS, varint(2) + varint(0)), h3.H3_SETTINGS_ERROR),
    "settings-cut-off": (varint(h3.CONTROL) + frame(h3.SETTINGS, varint(6)), h3.H3_FRAME_ERROR),
    "push": (varint(h3.PUSH) + varint(0), h3.H3_STREAM_CREATION_ERROR),
    "encoder-capacity-too-large": (varint(h3.ENCODER) + prefixed(1 << 20, 5, 0x20), h3.QPACK_ENCODER_STREAM_ERROR),
    "encoder-static-name-that-is-none": (varint(h3.ENCODER) + prefixed(200, 6, 0xc0) + b"\0", h3.QPACK_ENCODER_STREAM_ERROR),
    "decoder-acknowledges-nothing": (varint(h3.DECODER) + prefixed(0, 7, 0x80), h3.QPACK_DECODER_STREAM_ERROR),
    "decoder-increments-by-none": (varint(h3.DECODER) + prefixed(0, 6), h3.QPACK_DECODER_STREAM_ERROR),
}


@pytest.mark.parametrize("octets,code", UNIDIRECTIONAL.values(), ids=UNIDIRECTIONAL)
def test_what_may_not_come_on_a_stream_of_one_direction(edge, connect, octets, code):
    client = connect(prepare=False)
    client.open("uni", octets)
    assert client.wait_closed() == ("app", code)


@pytest.mark.parametrize("kind", [h3.CONTROL, h3.ENCODER, h3.DECODER], ids=["control", "encoder", "decoder"])
def test_critical_streams_are_there_once_and_for_ever(edge, connect, kind):
    client = connect(prepare=False)
    first = varint(kind) + (frame(h3.SETTINGS) if kind == h3.CONTROL else b"")
    client.open("uni", first)
    client.open("uni", first)
    assert client.wait_closed() == ("app", h3.H3_STREAM_CREATION_ERROR)
    client = connect(prepare=False)
    client.open("uni", first, fin=True)
    assert client.wait_closed() == ("app", h3.H3_CLOSED_CRITICAL_STREAM)


# --- Errors of one request -----------------------------------------------------------------------------------------

MALFORMED = {
    "no-path": [(":method", "GET"), (":scheme", "https"), (":authority", "a")],
    "no-method": [(":scheme", "https"), (":authority", "a"), (":path", "/")],
    "no-authority-and-no-host": [(":method", "GET"), (":scheme", "https"), (":path", "/")],
    "method-twice": [(":method", "GET"), *request_fields()],
    "a-pseudo-field-that-is-none": [*request_fields(), (":version", "3")],
    "a-pseudo-field-of-responses": [(":status", "200"), *request_fields()],
    "a-pseudo-field-too-late": [("accept", "*/*"), *request_fields()],
    "upper-case": request_fields("/page", "GET", "shop.test", ("X-Upper", "1")),
    "connection": request_fields("/page", "GET", "shop.test", ("connection", "close")),
    "transfer-encoding": request_fields("/page", "GET", "shop.test", ("transfer-encoding", "chunked")),
    "te-other-than-trailers": request_fields("/page", "GET", "shop.test", ("te", "gzip")),
    "a-length-that-is-none": request_fields("/page", "POST", "shop.test", ("content-length", "-1")),
    "an-empty-path": request_fields(""),
}


@pytest.mark.parametrize("lines", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_ends_its_stream_and_no_other(edge, connect, origin, lines):
    client = connect()
    number = client.open("bidi", fields(*lines), fin=True)
    stream = client.answer(number)
    assert (stream.reset, stream.octets) == (h3.H3_MESSAGE_ERROR, b"")
    assert origin.requests == []
    assert client.request().status == 200


@pytest.mark.parametrize("declared,sent", [("3", b"four"), ("5", b"four")], ids=["longer", "shorter"])
def test_a_body_that_is_not_as_long_as_was_said_is_not_passed_on_as_whole(edge, connect, origin, declared, sent):
    client = connect()
    number = client.open("bidi", headers("/upload", "POST", "shop.test", ("content-length", declared)) + frame(h3.DATA, sent), fin=True)
    stream = client.answer(number)  # nghttp3 ends the connection (RFC 9114 section 8 lets it)
    assert stream.octets == b"" and h3.H3_MESSAGE_ERROR in (stream.reset, client.closed and client.wait_closed()[1])
    assert connect().request().status == 200
    assert all(request.path != "/upload" for request in origin.requests)


@pytest.mark.parametrize("name,value", [("a b", "1"), ("x-a", "1\r\nx-b: 2"), ("x-a", "1\0")], ids=["name", "line-break", "nul"])
def test_a_field_that_is_none_reaches_nobody(edge, connect, origin, name, value):
    origin.page("/fields", "", Cache_Control="no-store")
    client = connect()
    assert client.request("/fields", "POST", "shop.test", (name, value), ("x-c", "3")).status in (200, 400)
    assert all(header.lower() not in ("a b", "x-a", "x-b") for request in origin.requests for header, _ in request.headers)


REFUSED = {
    "connect": ([(":method", "CONNECT"), (":authority", "a:443")], 501),
    "a-method-that-is-none": (request_fields("/page", "GE T"), 400),
    "a-path-with-a-space": (request_fields("/a b"), 400),
    "a-path-with-a-fragment": (request_fields("/a#b"), 400),
    "another-scheme": (request_fields(scheme="ftp"), 400),
    "an-authority-with-a-user": (request_fields(host="a@shop.test"), 400),
    "host-is-not-authority": (request_fields("/page", "GET", "shop.test", ("host", "other.test")), 400),
    "too-many-fields": (request_fields("/page", "GET", "shop.test", *((f"x-{i}", "1") for i in range(300))), 431),
    "too-large-a-header": (request_fields("/page", "GET", "shop.test", *((f"x-{i}", "v" * 16000) for i in range(6))), 431),
}


@pytest.mark.parametrize("lines,status", REFUSED.values(), ids=REFUSED)
def test_a_request_that_is_well_formed_and_none_is_answered(edge, connect, origin, lines, status):
    client = connect()
    stream = client.answer(client.open("bidi", fields(*lines), fin=True))
    # nghttp3 takes some of them for malformed; then the stream ends without an answer.
    assert stream.status == status or (status == 400 and stream.reset == h3.H3_MESSAGE_ERROR)
    assert origin.requests == []
    assert client.request().status == 200


def test_host_stands_in_for_authority_and_cookies_are_one_field(edge, connect, origin):
    origin.page("/plain", "hello\n", Cache_Control="no-store")
    client = connect()
    lines = [(":method", "POST"), (":scheme", "https"), (":path", "/plain"), ("host", "shop.test"), ("cookie", "a=1"), ("cookie", "b=2")]
    stream = client.answer(client.open("bidi", fields(*lines), fin=True))
    assert (stream.status, stream.body) == (200, b"hello\n")


# --- What must be let pass -----------------------------------------------------------------------------------------


def test_what_nobody_knows_is_ignored(edge, connect):
    client = connect()
    client.open("uni", varint(0x21) + b"a stream of a kind that does not exist")
    client.send(client.control, frame(0x40, b"a frame of a kind that does not exist"))
    number = client.open("bidi", frame(0x21, b"grease") + headers() + frame(0x40, b"more"), fin=True)
    stream = client.answer(number)
    assert (stream.status, stream.body) == (200, b"hello\n")


def test_a_head_may_come_octet_by_octet(edge, connect):
    client = connect()
    number = client.open()
    for octet in headers():
        client.send(number, bytes([octet]))
        client.sync()
    client.send(number, b"", fin=True)
    assert client.answer(number).status == 200


def test_trailers_are_taken(edge, connect, origin):
    origin.page("/upload")
    client = connect()
    number = client.open("bidi", headers("/upload", "POST") + frame(h3.DATA, b"body") + fields(("x-trailer", "1")), fin=True)
    assert client.answer(number).status == 200
    assert origin.requests_to("/upload")[0].body == b"body"


def test_interim_responses_come_before_the_final_one(edge, connect, origin):
    origin.route("/hints", Reply(interim=[(103, {"Link": "</a.css>; rel=preload"})], headers={"Cache-Control": "no-store"}))
    client = connect()
    stream = client.request("/hints")
    assert [kind for kind, _ in stream.frames()].count(h3.HEADERS) == 2
    assert stream.status == 200


# --- Clients that are many, slow or rude ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "stop"])
def test_a_client_that_asks_and_does_not_wait_is_sent_away(edge, connect, origin, how):
    gate = threading.Event()
    origin.route("/slow", Reply(wait=gate, headers={"Cache-Control": "no-store"}))
    client = connect()
    try:
        asked = 0
        while client.closed is None and asked < 2000:
            number = client.open("bidi", headers("/slow"), fin=how == "stop")
            if number is None:
                client.sync()
                continue
            asked += 1
            if how == "stop":
                client.sync()
            client.say(how, number, h3.H3_REQUEST_CANCELLED)
            client.sync()
        assert client.wait_closed() == ("app", h3.H3_EXCESSIVE_LOAD)
        assert asked < 1000
    finally:
        gate.set()
    assert connect().request().status == 200


def test_no_more_requests_at_a_time_than_allowed(edge, connect, origin):
    gate = threading.Event()
    origin.route("/slow", Reply(wait=gate, headers={"Cache-Control": "no-store"}))
    client = connect()
    numbers = [client.open("bidi", headers("/slow"), fin=True) for _ in range(100)]
    try:
        assert None not in numbers
        assert client.open() is None
    finally:
        gate.set()
    assert all(client.answer(number).status == 200 for number in numbers)
    assert client.request().status == 200


def test_slow_readers_of_a_cached_body_share_it(serve3, connect_to, origin):
    edge = serve3(flags=["--cache-memory", "512MiB"])
    size = 8 << 20
    origin.page("/large", b"x" * size)
    assert len(edge.h3("GET", "/large").body) == size
    assert edge.h3("GET", "/large").is_hit
    clients = [connect_to(edge) for _ in range(10)]
    before = memory(edge)
    for client in clients:
        for _ in range(50):
            number = client.open()
            client.say("read", number, "no")
            client.send(number, headers("/large"), fin=True)
    for client in clients:  # every stream's window is full
        client.wait(lambda: sum(len(s.octets) >= 256 * 1024 for s in client.streams.values()) >= 50)
    grown = memory(edge) - before
    assert grown < 10 * 50 * 64 * 1024, f"{grown / 500 / 1024:.0f} KiB a request"


def test_a_body_that_the_client_does_not_take_is_not_fetched(edge, connect, origin):
    bodies = []

    def endless(_):
        bodies.append(Reply(size=1 << 40, framing="chunked", headers={"Cache-Control": "no-store"}))
        return bodies[-1]

    origin.route("/endless", endless)
    client = connect()
    number = client.open()
    client.say("read", number, "no")
    client.send(number, headers("/endless"), fin=True)
    client.wait(lambda: len(client.streams[number].octets) >= 256 * 1024)
    assert bodies[0].progress.wait_blocked(60)
    # One that has left is not fetched for.
    client.say("stop", number, h3.H3_REQUEST_CANCELLED)
    client.sync()
    assert bodies[0].progress.wait_ended(60)
    assert client.request().status == 200


def test_an_upload_that_the_origin_does_not_take_is_not_read(edge, connect, origin):
    gate = threading.Event()
    origin.route("/upload", Reply(on_body=lambda piece: gate.wait(60), headers={"Cache-Control": "no-store"}))
    client = connect()
    number = client.open("bidi", headers("/upload", "POST"))
    before = memory(edge)
    body = b"x" * (32 << 20)
    for at in range(0, len(body), 1 << 20):
        client.send(number, frame(h3.DATA, body[at:at + (1 << 20)]))
    client.send(number, b"", fin=True)
    until(lambda: origin.connections, "the request to reach the origin")
    assert memory(edge) - before < 16 << 20
    gate.set()
    assert client.answer(number).status == 200
    assert len(origin.requests_to("/upload")[0].body) == len(body)


# --- The end -------------------------------------------------------------------------------------------------------


def test_goaway_then_what_is_under_way_then_the_end(edge, connect, origin):
    gate = threading.Event()
    origin.route("/slow", Reply(body=b"late\n", wait=gate, headers={"Cache-Control": "no-store"}))
    client, idle = connect(), connect()
    number = client.open("bidi", headers("/slow"), fin=True)
    origin.wait_count("/slow", 1)
    edge.process.send_signal(signal.SIGTERM)
    assert idle.wait_closed() == ("app", h3.H3_NO_ERROR)

    def goaways():
        # The edge's control stream is its first of one direction: 3, after the octet that says what it is.
        control = h3.Stream()
        control.octets = client.streams[3].octets[1:] if 3 in client.streams else b""
        return [h3.read_varint(payload, 0)[0] for kind, payload in control.frames() if kind == h3.GOAWAY]

    client.wait(lambda: len(goaways()) == 2)
    assert goaways()[1] == number + 4 < goaways()[0]
    late = client.open("bidi", headers(), fin=True)
    assert client.answer(late).reset == h3.H3_REQUEST_REJECTED
    gate.set()
    assert client.answer(number).body == b"late\n"
    assert client.wait_closed() == ("app", h3.H3_NO_ERROR)
    edge.stop()


def test_a_new_client_is_refused_while_the_edge_goes(edge, connect, origin):
    gate = threading.Event()
    origin.route("/slow", Reply(wait=gate, headers={"Cache-Control": "no-store"}))
    client = connect()
    number = client.open("bidi", headers("/slow"), fin=True)
    origin.wait_count("/slow", 1)
    edge.process.send_signal(signal.SIGTERM)
    edge.output.wait_for("stopping")
    # Who came between that line and the workers' hearing of it is sent away as the first one's neighbour above is.
    until(lambda: connect().wait_closed()[0] == "transport", "a client to be refused")
    gate.set()
    assert client.answer(number).status == 200


# --- Priorities: RFC 9218 ------------------------------------------------------------------------------------------


def order_of(client, streams):
    """The streams in the order in which they end."""
    done = []
    while len(done) < len(streams):
        client.wait(lambda: client.closed or any(client.streams[n].fin for n in streams if n not in done))
        assert client.closed is None
        done += [n for n in streams if n not in done and client.streams[n].fin]
    return done


@pytest.mark.parametrize("how", ["field", "frame"])
def test_what_is_urgent_comes_first(serve3, connect_to, origin, how):
    edge = serve3(flags=["--cache-memory", "512MiB"])
    origin.page("/large", b"x" * (2 << 20))
    edge.h3("GET", "/large")
    client = connect_to(edge)
    numbers = [client.open() for _ in range(4)]
    urgencies = [7, 6, 5, 0]
    if how == "frame":
        for number, urgency in zip(numbers, urgencies):
            client.send(client.control, frame(h3.PRIORITY_UPDATE, varint(number) + b"u=%d" % urgency))
        client.sync()
    for number, urgency in zip(numbers, urgencies):
        more = [("priority", f"u={urgency}")] if how == "field" else []
        client.send(number, headers("/large", "GET", "shop.test", *more), fin=True)
    assert order_of(client, numbers) == list(reversed(numbers))
