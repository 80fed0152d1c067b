"""0007: nothing that a peer sends aborts the server or breaks its lists (RFC 9113 5.1, 6.9, 6.10)."""
import pytest

from http2 import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST,
    PROTOCOL_ERROR,
    SETTINGS,
    frame,
    get,
    rst_stream,
    setting,
    window_update,
)

WINDOW = LARGEST - 65535
STREAMS = range(1, 181, 2)


def test_window_update_while_the_end_of_the_stream_is_being_written(start):
    """The symptom: assertion !h2o_linklist_is_linked in connection.c."""
    server = start({"send_buffer": 4096})
    for _ in range(4):
        client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1024), receive_buffer=2048, window=WINDOW)
        before = server.stats()["requests"]
        client.send(*[get(stream, "/object/1024") for stream in STREAMS])
        server.wait_for(lambda stats: stats["requests"] == before + len(STREAMS), "the requests")
        client.send(*[window_update(stream, 1) for stream in STREAMS])
        client.wait_for(lambda _: len(client.ended) == len(STREAMS), "the responses")
        client.close()
    server.stats()


def test_reset_then_window_update_while_a_write_is_in_flight(start):
    server = start({"send_buffer": 4096})
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 0), receive_buffer=2048, window=WINDOW)
    client.send(*[get(stream, "/stream/300000/1000") + window_update(stream, 1000) for stream in STREAMS])
    server.wait_for(lambda stats: stats["requests"] == len(STREAMS), "the requests")
    client.send(*[rst_stream(stream) + window_update(stream, 1) for stream in STREAMS])
    client.sync()
    server.stats()


@pytest.mark.guard
def test_requests_that_wait_are_not_run_when_the_connection_dies(start):
    server = start({"send_buffer": 4096, "http2.max_concurrent_requests_per_connection": 2})
    for count in range(1, 7):
        client = server.http2(receive_buffer=2048)
        client.send(*[get(stream, "/object/65536") for stream in range(1, 121, 2)])
        server.wait_for(lambda stats: stats["connections"] == 1 and stats["requests"] > 0, "a request")
        client.reset()
        server.wait_for(lambda stats: stats["connections"] == 0, "the end of the connection")
        assert server.stats()["requests"] <= count * 25


def test_continuation_of_another_stream_is_a_protocol_error(server):
    client = server.http2()
    client.post(1, "/echo")
    begun = client.encoder.encode([("x-trailer", "1")])
    client.send(frame(HEADERS, END_STREAM, 3, begun) + frame(CONTINUATION, END_HEADERS, 1))
    client.wait_for_end()
    assert [error for _, error in client.goaways] == [PROTOCOL_ERROR]


def test_initial_window_that_overflows_a_stream_is_a_flow_control_error(server):
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 1))
    client.request(1)
    client.send(window_update(1, 0x7FFFFF00), frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, LARGEST)))
    client.wait_for_end()
    assert [error for _, error in client.goaways] == [FLOW_CONTROL_ERROR]


def test_end_of_a_response_without_content_needs_no_window(server):
    client = server.http2(settings=setting(INITIAL_WINDOW_SIZE, 0))
    client.request(1, "/object/0")
    client.request(3, "/object/1024", method="HEAD")
    client.wait_for_response(1, 3)
    assert client.ended == {1, 3}
