# SPDX-License-Identifier: MIT
"""Requests of HTTP/1 whose meaning depends on who reads them: refused and closed, whatever follows is not looked at, and no origin
hears of any of it. The parser's own corpus is in tests/h2o; this is the way from the socket to the origin."""
import re

import pytest

from harness import behavior

GET, HOST = b"GET /echo HTTP/1.1\r\n", b"Host: shop.test\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = POST + CHUNKED + b"\r\n"
END = b"0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"


def head(*lines, start=GET):
    return start + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def line(text):
    return text + b"\r\n" + HOST + b"\r\n"


CORPUS = {
    "CL.TE": POST + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\nG",
    "TE.CL": POST + CHUNKED + b"Content-Length: 4\r\n\r\n5c\r\nGPOST",
    "CL.CL": POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "CL.CL that agree": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "CL.0": POST + b"Content-Length: 0, 44\r\n\r\n",
    "TE.TE": POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + END,
    "TE twice": POST + CHUNKED + CHUNKED + b"\r\n" + END,
    **{f"TE: {value!r}": POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + END for value in (
        b"xchunked", b"chunked, identity", b"identity", b"chunked;a=b", b'"chunked"', b"\x0bchunked", b"chunked\x00", b"chun\tked",
        b"chunked, chunked", b"", b"gzip, chunked", b"chunked\xa0", b"cow")},
    **{f"TE written as {name!r}": POST + name + b" chunked\r\n\r\n" + END for name in (
        b"Transfer-Encoding :", b" Transfer-Encoding:", b"Transfer-Encoding\t:", b"Transfer Encoding:", b"Transfer-Encoding\x00:",
        b"X: y\r\n Transfer-Encoding:", b"X: y\rTransfer-Encoding:", b"X: y\nTransfer-Encoding:")},
    "TE with HTTP/1.0": b"POST /echo HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + END,
    **{f"CL: {value!r}": POST + b"Content-Length: " + value + b"\r\n\r\nabc" for value in (
        b"+3", b"-3", b"0x3", b"3 3", b"3,", b"", b"3.0", b"1e1", b"\xb3", b"9" * 30, b"18446744073709551619", b"3\x00", b"'3'")},
    "CL with a space before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
    **{f"chunk size {size!r}": CHUNKS + size + b"\r\nabc\r\n" + END for size in (
        b"0x3", b"-3", b"+3", b" 3", b"3 ", b"", b"g", b"3\t", b"1000000000000000003", b"3\x00", b"3 a", b"\n3", b"3\r")},
    "chunk size ends with LF": CHUNKS + b"3\nabc\r\n" + END,
    "chunk ends with LF": CHUNKS + b"3\r\nabc\n" + END,
    "chunk ends with CR": CHUNKS + b"3\r\nabc\r" + END,
    "chunk ends late": CHUNKS + b"3\r\nabcd\r\n" + END,
    "chunk ends with XX": CHUNKS + b"3\r\nabcXX" + END,
    "extension with LF (TERM.EXT)": CHUNKS + b"3;a\nabc\r\n" + END,
    "extension with CR": CHUNKS + b"3;a\rb\r\nabc\r\n" + END,
    "extension with NUL": CHUNKS + b"3;a\x00\r\nabc\r\n" + END,
    "extension without an end": CHUNKS + b"3;" + b"a" * 5000 + b"\r\nabc\r\n" + END,
    "last chunk ends with LF": CHUNKS + b"0\n\r\n",
    "trailer section ends with LF": CHUNKS + b"0\r\n\n",
    **{f"trailer {trailer!r}": CHUNKS + b"0\r\n" + trailer + b"\r\n" for trailer in (
        b"X : y\r\n", b" X: y\r\n", b"X: y\r\n z\r\n", b"X\r\n", b"X: \x00\r\n", b"X: y\n", b"X: y\rZ: w\r\n")},
    "trailers without an end": CHUNKS + b"0\r\n" + b"X: yyyyyyyy\r\n" * 5000 + b"\r\n",
    "bare LF": b"GET /echo HTTP/1.1\nHost: shop.test\n\n",
    "one bare LF": GET + b"Host: shop.test\nX: y\r\n\r\n",
    "bare CR in a value": head(b"X: a\rb"),
    "bare CR ends a line": GET + b"Host: shop.test\rX: y\r\n\r\n",
    "obs-fold": head(b"X: a", b" b"),
    "obs-fold of the first line": GET + b" folded\r\n" + HOST + b"\r\n",
    "obs-fold of Host": GET + b"Host:\r\n shop.test\r\n\r\n",
    **{f"field {field!r}": head(field) for field in (
        b"X : y", b"X\t: y", b": y", b"X", b"X Y: z", b"X\x00: y", b"X: a\x00b", b"X: \x1b", b"X: a\x7f", b"X(: y", b"X\xff: y", b"@: y")},
    **{f"Host {host!r}": GET + b"Host: " + host + b"\r\n\r\n" for host in (
        b"", b"a b", b"a/b", b"user@shop.test", b"shop.test:x", b"shop.test:99999", b"a, b", b"[::1", b"shop.test#x", b"shop.test?x",
        b"shop.test\\x", b"\xc3\xa4")},
    "no Host": GET + b"\r\n",
    "two Hosts": GET + HOST + b"Host: evil.test\r\n\r\n",
    "two Hosts that agree": GET + HOST + HOST + b"\r\n",
    "no Host with absolute-form": b"GET http://shop.test/echo HTTP/1.1\r\n\r\n",
    **{f"line {text!r}": line(text) for text in (
        b"GET /echo", b"GET  /echo HTTP/1.1", b"GET /echo  HTTP/1.1", b" GET /echo HTTP/1.1", b"GET /echo HTTP/1.1 ",
        b"GET\t/echo HTTP/1.1", b"GET /a b HTTP/1.1", b"GET /echo HTTP/1.10", b"GET /echo HTTP/01.1", b"GET /echo http/1.1",
        b"GET /echo HTTP/1.2", b"GET /echo HTTP/2.0", b"GET /echo HTTP/0.9", b"GET /echo HTTP/9", b"GET /echo HTTX/1.1", b"GET echo HTTP/1.1",
        b"GET * HTTP/1.1", b"GET /e\x00 HTTP/1.1", b"GET /e\x01 HTTP/1.1", b"GET /e\x7f HTTP/1.1", b"G\x00T /echo HTTP/1.1", b"G(T / HTTP/1.1",
        b"GET /echo#f HTTP/1.1", b"GET http:/echo HTTP/1.1", b"GET http:///echo HTTP/1.1", b"GET http://u@shop.test/ HTTP/1.1",
        b"GET http://shop.test:99999/ HTTP/1.1", b"GET ftp://shop.test/ HTTP/1.1", b"GET shop.test:80 HTTP/1.1",
        b"CONNECT shop.test:443 HTTP/1.1", b"CONNECT /echo HTTP/1.1", b"\xff\xfe /echo HTTP/1.1")},
    "empty lines without an end": b"\r\n" * 5000,
    "TLS on the plain port": bytes.fromhex("16030100a5010000a10303") + b"x" * 150,
    "huge line": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "huge method": b"G" * 100000 + b" /echo HTTP/1.1\r\n" + HOST + b"\r\n",
    "huge field": head(b"X: " + b"y" * 100000),
    "many fields": head(*[b"X%d: y" % i for i in range(2000)]),
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    from harness import Edge, Repository, cache_policy, distribution
    from origin import Origin, Reply

    folder = tmp_path_factory.mktemp("smuggling")
    origin = Origin()
    origin.route("/echo", lambda request: Reply(body=request.body))
    origin.page("/smuggled")
    repository = Repository(folder / "repository")
    repository.put("shop.yaml", cache_policy(), distribution(origin.port, default=behavior(
        cachePolicy="Managed-CachingDisabled", originRequestPolicy="Managed-AllViewer", allowedMethods=["ALL"])))
    repository.commit("shop")
    running = Edge(repository.path, folder / "state")
    running.origin = origin
    yield running
    running.stop()
    origin.close()


def answers(edge, octets, pieces=1):
    """The statuses of what comes back until the edge closes."""
    step = -(-len(octets) // pieces)
    with edge.socket() as client:
        try:
            for at in range(0, len(octets), step):
                client.sendall(octets[at:at + step])
        except OSError:
            pass  # it has closed already
        received = b""
        while True:
            try:
                part = client.recv(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            received += part
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], received


@pytest.mark.parametrize("pieces", [1, 7], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", CORPUS)
def test_is_refused_and_closed(edge, name, pieces):
    edge.origin.reset_log()
    seen, received = answers(edge, CORPUS[name] + SMUGGLED, pieces)
    # What came along with the head is judged before any origin is asked; what comes later ends a request that is under way.
    assert len(seen) <= 1 and all(400 <= status < 600 for status in seen), received
    assert seen or pieces != 1, "closed without an answer"
    assert edge.origin.count("/smuggled") == 0, received
    assert pieces != 1 or edge.origin.requests == [], edge.origin.requests


def test_what_is_odd_but_clear_reaches_the_origin_in_plain_words(edge):
    """The origin sees one Host, one framing, and the path that was decided about."""
    edge.origin.reset_log()
    for octets in (
        b"\r\n" + GET + HOST + b"Connection: close\r\n\r\n",  # RFC 9112 section 2.2: one empty line is forgiven
        b"GET http://SHOP.test/echo HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n",
        POST + b"Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
        GET + b"hOST:\t shop.test \t\r\nConnection: close\r\n\r\n",
        b"POST /x/../%65cho HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nContent-Length: 003\r\n\r\nabc",
    ):
        seen, received = answers(edge, octets)
        assert seen == [200], received
    for request in edge.origin.requests:
        assert request.path == "/echo"
        assert [value.lower() for name, value in request.headers if name.lower() == "host"] == ["shop.test"]
        framing = [name.lower() for name, _ in request.headers if name.lower() in ("content-length", "transfer-encoding")]
        assert len(framing) <= 1, request.headers
    assert [request.body for request in edge.origin.requests] == [b"", b"", b"abc", b"", b"abc"]


def test_what_is_no_http_is_counted(edge):
    before = edge.metric("headgate_malformed_requests_total")[""]
    for _ in range(3):
        assert answers(edge, CORPUS["no Host"])[0] == [400]
    assert edge.metric("headgate_malformed_requests_total")[""] == before + 3


def test_the_authority_of_an_absolute_form_wins_over_host(edge):
    """RFC 9112 section 3.2.2."""
    edge.origin.reset_log()
    seen, _ = answers(edge, b"GET http://shop.test/echo HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n")
    assert seen == [200]
    assert edge.origin.requests[0].header("Host") == "shop.test"
