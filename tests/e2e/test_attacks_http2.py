# SPDX-License-Identifier: MIT
"""Clients of HTTP/2 that make the edge work for nothing: their connection ends with ENHANCE_YOUR_CALM, it is counted under the name
of the limit, the origin hears of next to nothing, memory stays flat, and everybody else is served."""
import json
import threading

import pytest

import http2
from harness import DEADLINE, behavior, memory, until
from http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                   MAX_HEADER_LIST_SIZE, NO_ERROR, PING, PREFACE, PRIORITY, SETTINGS, data, frame, get, rst_stream, setting, u32,
                   window_update)
from origin import Reply

PLAIN = behavior(cachePolicy="Managed-CachingDisabled", allowedMethods=["ALL"])


@pytest.fixture
def limited(serve, tmp_path):
    """Starts an edge with `limits` of the machine's own file."""

    def start(limits=None, **spec):
        (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"limits": limits or {}}}))
        return serve(flags=["--config", tmp_path / "edge.yaml"], **spec)

    return start


@pytest.fixture
def connect():
    """Connections of HTTP/2 to an edge; they end with the test."""
    made = []

    def start(edge, tls=False, **options):
        address = edge.https if tls else edge.http
        made.append(http2.Client(int(address.rsplit(":", 1)[1]), DEADLINE, tls=tls, **options))
        return made[-1]

    yield start
    for client in made:
        client.close()


def exceeded(edge, limit):
    return edge.metric("headgate_limit_exceeded_total")[f'limit="{limit}"']


def flood(client, frames):
    """Sends frames until the edge has had enough; reads so that answers do not block it."""
    for each in frames:
        if not client.send(each):
            break
        client.read(0)


def calmed(client):
    client.wait_for_end()
    assert [error for _, error in client.goaways][-1:] == [ENHANCE_YOUR_CALM], client


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_rapid_reset(serve, origin, connect, tls):
    """CVE-2023-44487: fifty thousand requests, each taken back at once."""
    thinking = threading.Event()
    origin.otherwise(Reply(wait=thinking))
    edge = serve(default=PLAIN)
    client = connect(edge, tls=tls)
    before = memory(edge)
    flood(client, (b"".join(get(s, f"/{s}") + rst_stream(s) for s in range(1 + 200 * i, 1 + 200 * (i + 1), 2)) for i in range(500)))
    client.wait_for_end()
    assert exceeded(edge, "http2.maxResets") == 1
    assert len(origin.requests) < 400
    assert memory(edge) - before < 32 << 20
    until(lambda: edge.metric("headgate_origin_requests_in_flight")[""] == 0, "the end of what was taken back")
    thinking.set()
    origin.page("/page")
    assert edge.get("/page").status == 200


@pytest.mark.parametrize("cause", ["window of 0", "window too wide", "DATA after the end"])
def test_resets_that_the_edge_is_made_to_send(serve, origin, connect, cause):
    """CVE-2025-8671: the same without a single RST_STREAM of the client's."""
    thinking = threading.Event()
    origin.otherwise(Reply(wait=thinking))
    edge = serve(default=PLAIN)
    wrong = {"window of 0": lambda s: window_update(s, 0), "window too wide": lambda s: window_update(s, http2.LARGEST),
             "DATA after the end": lambda s: data(s, b"x")}[cause]
    client = connect(edge)
    flood(client, (b"".join(get(s, f"/{s}") + wrong(s) for s in range(1 + 20 * i, 1 + 20 * (i + 1), 2)) for i in range(100)))
    calmed(client)
    assert exceeded(edge, "http2.maxResets") == 1
    assert len(origin.requests) < 400
    thinking.set()


def test_a_client_that_takes_back_now_and_then_is_served(serve, origin, connect):
    origin.page("/page")
    edge = serve()
    client = connect(edge)
    for stream in range(1, 401, 4):
        client.send(get(stream, "/page"), rst_stream(stream), get(stream + 2, "/page"))
        client.wait_for_response(stream + 2)
        assert client.status[stream + 2] == 200
    assert not client.goaways


FLOODS = {
    "PING": ("http2.maxPings", [frame(PING, 0, 0, b"12345678") * 100] * 1000),
    "SETTINGS": ("http2.maxSettings", [frame(SETTINGS, 0, 0) * 100] * 1000),
    "SETTINGS that say much": ("http2.maxSettings", [frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 1) * 2000)] * 1000),
    "PRIORITY": ("http2.maxPriorities", [frame(PRIORITY, 0, 1, u32(0) + b"\0") * 100] * 1000),
    "WINDOW_UPDATE": ("http2.maxWindowUpdates", [window_update(0, 1) * 1000] * 1000),
    "unknown frames": ("http2.maxUseless", [frame(0x42, 0, 0) * 100] * 1000),
    "RST_STREAM of what is closed": ("http2.maxUseless", [get(1, "/page")] + [rst_stream(1) * 100] * 1000),
}


@pytest.mark.parametrize("what", FLOODS)
def test_flood_of_control_frames(serve, origin, connect, what):
    origin.page("/page")
    edge = serve()
    limit, frames = FLOODS[what]
    client = connect(edge)
    before = memory(edge)
    flood(client, frames)
    calmed(client)
    assert exceeded(edge, limit) == 1
    assert memory(edge) - before < 16 << 20


def test_flood_of_pings_by_a_client_that_does_not_read(serve, origin, connect):
    """CVE-2019-9512: the answers would queue up."""
    origin.page("/page")
    edge = serve()
    before = memory(edge)
    client = connect(edge, receive_buffer=2048)
    for _ in range(10000):
        if not client.send(frame(PING, 0, 0, b"12345678") * 100):
            break
    until(lambda: exceeded(edge, "http2.maxPings") == 1, "the end of the flood")
    assert memory(edge) - before < 16 << 20


def test_flood_of_empty_data(serve, origin, connect):
    """CVE-2019-9518."""
    origin.page("/upload")
    edge = serve(default=PLAIN)
    client = connect(edge)
    client.post(1, "/upload")
    flood(client, [frame(DATA, 0, 1) * 100] * 1000)
    calmed(client)
    assert exceeded(edge, "http2.maxEmptyData") == 1


@pytest.mark.parametrize("what", ["empty", "an octet each", "large", "never ending"])
def test_continuation_flood(serve, origin, connect, what):
    """CVE-2024-27316 and its relatives."""
    edge = serve()
    before = memory(edge)
    client = connect(edge)
    block = client.block("/page", fields=[("x", "y" * 5000)])
    client.send(frame(HEADERS, END_STREAM, 1, block[:9]))
    if what == "empty":
        flood(client, [frame(CONTINUATION, 0, 1) * 100] * 1000)
    elif what == "an octet each":
        flood(client, (frame(CONTINUATION, 0, 1, block[i:i + 1]) for i in range(9, len(block))))
    elif what == "large":
        flood(client, [frame(CONTINUATION, 0, 1, b"\0\1x" + b"\x7e" + b"z" * 126)] + [frame(CONTINUATION, 0, 1, b"\0" * 16000)] * 1000)
    else:
        flood(client, [frame(CONTINUATION, 0, 1, block[9:])] + [frame(CONTINUATION, 0, 1, b"\x82" * 100)] * 10000)
    calmed(client)
    assert exceeded(edge, "http2.maxContinuations") + exceeded(edge, "maxHeaderSize") == 1
    assert memory(edge) - before < 16 << 20
    assert origin.requests == []


def test_hpack_bomb(serve, origin, connect):
    """CVE-2016-6581: eight thousand references to one large field of the table; 431, and the connection lives."""
    origin.page("/page")
    edge = serve()
    before = memory(edge)
    client = connect(edge)
    client.wait_for(lambda _: client.settings, "SETTINGS")
    assert client.settings[0][MAX_HEADER_LIST_SIZE] == 65536
    for stream in range(1, 41, 2):
        block = client.block("/page", fields=[("x-bomb", "v" * 3900)])
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block + b"\xbe" * 8000))
        client.wait_for_response(stream)
        assert client.status[stream] == 431
    client.request(101, "/page")
    client.wait_for_response(101)
    assert client.status[101] == 200
    assert exceeded(edge, "maxHeaderSize") == 20
    assert memory(edge) - before < 16 << 20


def test_more_header_fields_than_allowed(limited, origin, connect):
    origin.page("/page")
    edge = limited({"maxHeaders": 20, "maxHeaderSize": "2KiB"})
    client = connect(edge)
    client.request(1, "/page", fields=[(f"x{i}", "y") for i in range(30)])
    client.request(3, "/page", fields=[("x", "y" * 3000)])
    client.request(5, "/page", fields=[(f"x{i}", "y") for i in range(10)])
    client.wait_for_response(1, 3, 5)
    assert client.status == {1: 431, 3: 431, 5: 200}
    assert exceeded(edge, "maxHeaderSize") == 2
    for head in (b"".join(b"X%d: y\r\n" % i for i in range(30)), b"X: " + b"y" * 3000 + b"\r\n"):
        with edge.socket() as plain:
            plain.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n" + head + b"\r\n")
            assert plain.recv(4096).startswith(b"HTTP/1.1 431")
    assert exceeded(edge, "maxHeaderSize") == 4


def test_more_streams_than_allowed(limited, origin, connect):
    thinking = threading.Event()
    origin.otherwise(Reply(wait=thinking))
    edge = limited({"http2": {"maxConcurrentStreams": 4}}, default=PLAIN)
    client = connect(edge)
    client.wait_for(lambda _: client.settings, "SETTINGS")
    assert client.settings[0][MAX_CONCURRENT_STREAMS] == 4
    client.send(*[get(stream, f"/{stream}") for stream in range(1, 13, 2)])
    client.wait_for(lambda _: len(client.resets) == 2, "two refusals")
    assert client.resets == {9: [http2.REFUSED_STREAM], 11: [http2.REFUSED_STREAM]}
    assert exceeded(edge, "http2.maxConcurrentStreams") == 2
    thinking.set()
    client.wait_for_response(1, 3, 5, 7)


@pytest.mark.parametrize("beginning", [PREFACE[:10], PREFACE, PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_STREAM, 1, b"\x82"),
                                       PREFACE + frame(SETTINGS, 0, 0) + b"\0\0\x20"], ids=["half a preface", "no SETTINGS", "half a head", "half a frame"])
def test_slow_heads(limited, connect, beginning):
    edge = limited({"requestHeaderTimeout": "300ms", "idleTimeout": "400ms"})
    client = connect(edge, preface=False)
    client.send(beginning)
    client.wait_for_end()
    if beginning != PREFACE:  # that one is idle
        assert exceeded(edge, "requestHeaderTimeout") == 1


def test_window_stall(limited, origin, connect):
    """CVE-2019-9511, -9517: windows that stay shut, and one that opens octet by octet."""
    origin.page("/large", b"x" * (4 << 20))
    edge = limited({"sendTimeout": "1s", "minSend": "2KiB"})
    assert edge.get("/large").status == 200
    before = memory(edge)
    shut = [connect(edge, settings=setting(INITIAL_WINDOW_SIZE, 0)) for _ in range(10)]
    for client in shut:
        client.send(*[get(stream, "/large") for stream in range(1, 101, 2)])
    trickle = connect(edge, settings=setting(INITIAL_WINDOW_SIZE, 1))
    trickle.request(1, "/large")

    def ended():
        trickle.send(window_update(1, 1))
        trickle.read(0.01)
        return trickle.resets.get(1)
    assert until(ended, "the end of the stream") == [http2.CANCEL]
    for client in shut:
        client.wait_for(lambda one: len(one.resets) == 50 or one.closed, "the end of its streams")
    assert exceeded(edge, "sendTimeout") >= 501
    assert memory(edge) - before < 64 << 20


def test_a_connection_window_that_stays_shut(limited, origin, connect):
    origin.page("/large", b"x" * (4 << 20))
    edge = limited({"sendTimeout": "1s"})
    client = connect(edge, settings=setting(INITIAL_WINDOW_SIZE, 1 << 24))
    client.request(1, "/large")
    calmed(client)
    assert exceeded(edge, "sendTimeout") == 1


def test_posts_that_never_send(limited, origin, connect):
    origin.page("/upload")
    edge = limited({"bodyTimeout": "500ms"}, default=PLAIN)
    client = connect(edge)
    streams = range(1, 101, 2)
    for stream in streams:
        client.post(stream, "/upload")
    client.wait_for_response(*streams)
    assert {client.status[stream] for stream in streams} == {408}
    assert exceeded(edge, "bodyTimeout") == 50


def test_uploads_that_nobody_reads_are_not_read(limited, origin, connect):
    """Back-pressure: a stream takes its window of memory, all of a connection theirs, and no more."""
    gate = threading.Event()
    origin.route("/upload", Reply(wait=gate, early=True))
    edge = limited({"http2": {"streamWindow": "64KiB", "connectionWindow": "256KiB"}}, default=PLAIN)
    before = memory(edge)
    clients = [connect(edge) for _ in range(20)]
    for client in clients:
        for stream in range(1, 41, 2):
            client.post(stream, "/upload")
        client.send(*[data(stream, b"x" * 16384) for stream in range(1, 31, 2)])  # 240 KiB of 256
        client.sync()
    grown = memory(edge) - before
    assert grown < 20 * (2 << 20), f"{grown / 20 / 1024:.0f} KiB a connection"
    gate.set()


def test_a_client_that_leaves_is_noticed_while_the_origin_thinks(serve, origin, connect):
    thinking = threading.Event()
    origin.route("/slow", Reply(wait=thinking))
    edge = serve(default=PLAIN)
    client = connect(edge)
    client.request(1, "/slow")
    assert origin.wait_count("/slow", 1)
    client.close()
    until(lambda: edge.metric("headgate_origin_requests_in_flight")[""] == 0, "the end of the request to the origin")
    thinking.set()


def test_shutting_down_finishes_uploads_and_ends(serve, origin, connect):
    """RFC 9113 section 6.8: GOAWAY, what is under way is finished, then the last GOAWAY; a late CONTINUATION hangs nothing."""
    origin.route("/upload", lambda request: Reply(body=request.body))
    edge = serve(default=PLAIN)
    client, late = connect(edge), connect(edge)
    client.post(1, "/upload", fields=[("content-length", "8")])
    client.send(data(1, b"half"))
    late.send(frame(HEADERS, END_STREAM, 1, late.block("/upload")[:5]))
    client.sync()
    edge.process.terminate()
    client.wait_for(lambda _: client.goaways, "GOAWAY")
    assert client.goaways[0][1] == NO_ERROR
    late.send(frame(CONTINUATION, END_HEADERS, 1, late.block("/upload")[5:]))
    client.send(data(1, b"full", end=True))
    client.wait_for_response(1)
    assert client.status[1] == 200 and client.body[1] == b"halffull"
    client.wait_for_end()
    edge.stop()
