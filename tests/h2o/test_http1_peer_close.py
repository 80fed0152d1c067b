"""0004: a client that goes away while its request is pending is noticed, a half-closed one is served (RFC 9112 9.5, 9.6)."""
import pytest

from http1 import responses, statuses

SERVE, PROBE, CANCEL = 0, 1, 2  # http1.on_half_close
HEAD = b" HTTP/1.1\r\nHost: a\r\n\r\n"
HOLD = b"GET /hold" + HEAD


def hold(server, client, more=b""):
    client.send(HOLD + more)
    server.wait_for(lambda stats: stats["held"] == 1, "the request")
    return client


def wait_for_cancellation(server):
    server.wait_for(lambda stats: stats["cancelled"] == 1 and stats["connections"] == 0, "the cancellation")


@pytest.mark.parametrize("policy", [SERVE, PROBE, CANCEL], ids=["serve", "probe", "cancel"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_reset_cancels_the_request(start, policy, tls):
    server = start({"http1.on_half_close": policy})
    hold(server, server.https() if tls else server.http1()).reset()
    wait_for_cancellation(server)


@pytest.mark.parametrize("policy", [PROBE, CANCEL], ids=["probe", "cancel"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_closed_connection_cancels_the_request(start, policy, tls):
    server = start({"http1.on_half_close": policy})
    hold(server, server.https() if tls else server.http1()).close()
    wait_for_cancellation(server)


def test_closed_connection_is_noticed_behind_unread_pipelined_requests(server):
    hold(server, server.http1(), (b"GET /echo" + HEAD) * 100).close()
    wait_for_cancellation(server)


@pytest.mark.guard
def test_half_closed_client_is_served_if_asked_for(start):
    server = start({"http1.on_half_close": SERVE})
    client = hold(server, server.http1(), b"GET /echo?second" + HEAD)
    client.finish_sending()
    server.release()
    first, second = responses(client.read_to_end())
    assert first.body == b"held\n" and b"?second" in second.body


def test_half_closed_client_is_probed_and_served(server):
    client = hold(server, server.http1(), b"GET /echo?second" + HEAD)
    client.finish_sending()
    probe = client.read_until(b"\r\n\r\n")
    assert statuses(probe) == [100]
    server.release()
    first, second = responses(client.read_to_end())
    assert first.body == b"held\n" and b"?second" in second.body


@pytest.mark.guard
def test_half_closed_client_of_http_1_0_is_not_probed(server):
    client = server.http1()
    client.send(b"GET /hold HTTP/1.0\r\nHost: a\r\n\r\n")
    client.finish_sending()
    server.wait_for(lambda stats: stats["held"] == 1, "the request")
    server.release()
    assert statuses(client.read_to_end()) == [200]


@pytest.mark.guard
def test_half_close_does_not_cut_a_response(server):
    client = server.http1()
    client.send(b"GET /stream/3000000/1000" + HEAD)
    client.finish_sending()
    assert [len(each.body) for each in responses(client.read_to_end())] == [3000000]


def test_reset_is_noticed_while_the_handler_does_not_read_the_body(start):
    server = start({"stream_request_body": 1})
    client = server.http1()
    client.send(b"POST /upload/step HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70000)
    server.wait_for(lambda stats: stats["held"] == 1, "the handler")
    client.reset()
    server.wait_for(lambda stats: stats["uploads_alive"] == 0, "the end of the upload")


def test_close_is_noticed_instead_of_sending_100_continue(start):
    server = start({"stream_request_body": 1})
    client = server.http1()
    client.send(b"POST /upload/step HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    server.wait_for(lambda stats: stats["held"] == 1, "the handler")
    client.close()
    server.wait_for(lambda stats: stats["uploads_alive"] == 0, "the end of the upload")


@pytest.mark.guard
def test_upgrade_is_not_cancelled_by_a_half_close(start):
    """A connection closed while the response to an upgrade was being written never called back."""
    server = start({"http1.on_half_close": CANCEL, "send_buffer": 4096})
    client = server.http1(receive_buffer=4096)
    client.send(b"GET /upgrade/300000 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n")
    server.wait_for(lambda stats: stats["requests"] == 1, "the request")
    client.finish_sending()
    head, body = client.read_to_end().split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 101 ") and len(body) == 300000
    server.wait_for(lambda stats: stats["upgrades_completed"] == 1, "the callback")
