# SPDX-License-Identifier: MIT
"""The test origin itself: a fault that it does not make would make tests pass that should not."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from origin import Certificate, Origin, Reply


@pytest.fixture
def origin():
    with Origin() as origin:
        yield origin


def get(origin, path, headers=None, method="GET", body=None):
    client = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=30)
    try:
        client.request(method, path, body=body, headers=headers or {})
        response = client.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        client.close()


def raw(origin, request):
    """Sends octets and reads until the end; returns them and whether the end was a reset."""
    with socket.create_connection(("127.0.0.1", origin.port), timeout=30) as client:
        client.sendall(request)
        received = b""
        while True:
            try:
                octets = client.recv(65536)
            except ConnectionResetError:
                return received, True
            if not octets:
                return received, False
            received += octets


def test_a_route_answers_with_status_headers_and_body(origin):
    origin.route("/a", Reply(status=203, body=b"hello", headers=[("X-A", "1"), ("X-A", "2")]))
    received, _ = raw(origin, b"GET /a?q=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert received == b"HTTP/1.1 203 X\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nhello"


def test_other_paths_are_404(origin):
    assert get(origin, "/nowhere")[0] == 404


def test_requests_are_recorded_as_they_arrive(origin):
    get(origin, "/a?q=1", {"X-Case": "Kept"}, "POST", b"body")
    (request,) = origin.requests
    assert (request.method, request.target, request.path, request.query) == ("POST", "/a?q=1", "/a", {"q": "1"})
    assert ("X-Case", "Kept") in request.headers and request.body == b"body"
    assert origin.count("/a") == 1 and origin.count() == 1 and origin.count("/b") == 0


def test_chunked_request_bodies_and_trailers_are_read(origin):
    raw(origin, b"PUT /u HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
    assert origin.requests[0].body == b"abcde" and origin.requests[0].trailers == [("X-T", "1")]


def test_replies_follow_each_other_and_the_last_stays(origin):
    origin.route("/a", Reply(body=b"1"), Reply(status=503), lambda request: Reply(body=request.method.encode()))
    assert [get(origin, "/a")[0::2] for _ in range(4)] == [(200, b"1"), (503, b""), (200, b"GET"), (200, b"GET")]


def test_validators_make_304(origin):
    origin.route("/e", Reply(body=b"x", etag="auto", last_modified="Thu, 01 Jan 2026 00:00:00 GMT"))
    status, headers, _ = get(origin, "/e")
    assert status == 200
    assert get(origin, "/e", {"If-None-Match": headers["ETag"]})[0::2] == (304, b"")
    assert get(origin, "/e", {"If-None-Match": '"other"'})[0] == 200
    assert get(origin, "/e", {"If-Modified-Since": headers["Last-Modified"]})[0] == 304


def test_chunked_and_close_delimited_bodies(origin):
    origin.route("/c", Reply(body=b"abc" * 50000, framing="chunked"))
    origin.route("/d", Reply(body=b"abc", framing="close"))
    assert get(origin, "/c")[2] == b"abc" * 50000
    assert raw(origin, b"GET /d HTTP/1.1\r\nHost: h\r\n\r\n") == (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", False)


def test_a_truncated_body_ends_early_without_a_reset(origin):
    origin.route("/t", Reply(size=100000, truncate=70000))
    received, reset = raw(origin, b"GET /t HTTP/1.1\r\nHost: h\r\n\r\n")
    assert len(received.split(b"\r\n\r\n", 1)[1]) == 70000 and not reset


def test_resets_come_before_the_head_and_inside_the_body(origin):
    origin.route("/r", Reply(reset=-1))
    origin.route("/s", Reply(size=100, reset=10))
    assert raw(origin, b"GET /r HTTP/1.1\r\nHost: h\r\n\r\n") == (b"", True)
    assert raw(origin, b"GET /s HTTP/1.1\r\nHost: h\r\n\r\n")[1]


def test_extra_octets_another_length_and_raw_octets(origin):
    origin.route("/x", Reply(body=b"abc", extra=b"XX", close=True))
    origin.route("/l", Reply(body=b"abc", declare=7, close=True))
    origin.route("/raw", Reply(raw=b"HTTP/9 junk"))
    assert raw(origin, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")[0].endswith(b"Content-Length: 3\r\n\r\nabcXX")
    assert raw(origin, b"GET /l HTTP/1.1\r\nHost: h\r\n\r\n")[0].endswith(b"Content-Length: 7\r\n\r\nabc")
    assert raw(origin, b"GET /raw HTTP/1.1\r\nHost: h\r\n\r\n")[0] == b"HTTP/9 junk"


def test_interim_responses_come_before_the_head(origin):
    origin.route("/i", Reply(interim=[(103, {"Link": "</a>"})], close=True))
    received, _ = raw(origin, b"GET /i HTTP/1.1\r\nHost: h\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 103 Interim\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_events_hold_the_head_and_the_middle_of_the_body(origin):
    head, middle = threading.Event(), threading.Event()
    origin.route("/w", Reply(body=b"abcdef", wait=head, wait_after=(3, middle)))
    client = socket.create_connection(("127.0.0.1", origin.port), timeout=30)
    client.sendall(b"GET /w HTTP/1.1\r\nHost: h\r\n\r\n")
    assert origin.wait_count("/w", 1)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.settimeout(30)
    head.set()
    received = b""
    while not received.endswith(b"\r\n\r\nabc"):
        received += client.recv(65536)
    middle.set()
    assert client.recv(3) == b"def"
    client.close()


def test_a_client_that_does_not_read_blocks_a_large_body(origin):
    reply = origin.route("/large", Reply(size=1 << 30))
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.connect(("127.0.0.1", origin.port))
    client.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
    assert reply.progress.wait_blocked()
    assert 0 < reply.progress.pushed < 4 << 20
    client.close()
    assert reply.progress.wait_ended()


def test_a_hanging_request_ends_with_its_client(origin):
    origin.route("/h", Reply(hang=True))
    with socket.create_connection(("127.0.0.1", origin.port)) as client:
        client.sendall(b"GET /h HTTP/1.1\r\nHost: h\r\n\r\n")
        assert origin.wait_count("/h", 1)


def test_an_early_answer_does_not_wait_for_the_body(origin):
    origin.route("/e", Reply(status=413, early=True))
    with socket.create_connection(("127.0.0.1", origin.port), timeout=30) as client:
        client.sendall(b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nx")
        assert client.recv(12) == b"HTTP/1.1 413"


def test_connections_are_kept_alive_and_can_be_ended(origin):
    client = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=30)
    for _ in range(3):
        client.request("GET", "/")
        client.getresponse().read()
    assert origin.connections == 1 and [request.connection for request in origin.requests] == [0, 0, 0]
    origin.close_connections()
    assert client.sock.recv(1) == b""
    client.close()


def test_tls_with_a_certificate_of_its_own():
    certificate = Certificate("DNS:shop.test", "IP:127.0.0.1")
    with Origin(tls=certificate) as origin:
        origin.route("/", Reply(body=b"secret"))
        trusting = ssl.create_default_context(cadata=certificate.pem)
        client = http.client.HTTPSConnection("127.0.0.1", origin.port, timeout=30, context=trusting)
        client.request("GET", "/")
        assert client.getresponse().read() == b"secret"
        client.close()
        assert origin.url.startswith("https://")


def test_the_command_line_prints_where_it_listens_and_ends_on_sigterm():
    process = subprocess.Popen([sys.executable, __file__.replace("origin_test.py", "origin_command.py")], stdout=subprocess.PIPE)
    port = json.loads(process.stdout.readline())["port"]
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("POST", "/echo", body=b"abc")
    assert json.loads(client.getresponse().read())["body"] == "abc"
    client.request("GET", "/chunked/5")
    assert client.getresponse().read() == b"01234"
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stdout.close()
