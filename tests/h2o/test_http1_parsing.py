"""0001: requests whose meaning depends on who reads them are refused, once and for all (RFC 9112)."""
import re

import pytest

from http1 import responses

HOST = b"Host: a\r\n"
GET = b"GET /echo HTTP/1.1\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = POST + CHUNKED + b"\r\n"
SMUGGLED = b"GET /echo?smuggled HTTP/1.1\r\nHost: b\r\n\r\n"
SETTINGS = {
    "http1.max_headers": 50,
    "http1.max_header_bytes": 20000,
    "http1.max_request_line": 9000,
    "max_request_entity_size": 100000,
}


def refusals(server, cases, status=400):
    """Sends each case, followed by a request that must not be answered; returns what did not go as it has to."""
    wrong = {}
    for name, message in cases.items():
        for step in (len(message), max(1, len(message) // 5)):  # in one piece, in about five
            parts = [message[i : i + step] for i in range(0, len(message), step)]
            client = server.http1()
            client.send(*parts[:-1], parts[-1] + SMUGGLED)
            try:
                client.finish_sending()
            except OSError:
                pass
            answer = client.read_to_end()
            answers = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
            if answers != [b"%d" % status] or b"smuggled" in answer or b"onnection: close" not in answer:
                wrong[name] = answer[:300]
            client.close()
    return wrong


def test_body_with_two_lengths_is_refused(server):
    assert not refusals(
        server,
        {
            "CL and TE": POST + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
            "TE and CL": POST + CHUNKED + b"Content-Length: 6\r\n\r\n0\r\n\r\n",
            "two CL": POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            "two CL that agree": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "a list of CL": POST + b"Content-Length: 3, 3\r\n\r\nabc",
        },
    )


@pytest.mark.guard
def test_content_length_that_is_no_number_is_refused(server):
    values = [b"+3", b"-3", b"0x3", b"3, 5", b"", b"9" * 23, b"18446744073709551619", b"3 3", b"3.", b"1_0"]
    cases = {value.decode(): POST + b"Content-Length: " + value + b"\r\n\r\nabc" for value in values}
    assert not refusals(server, cases | {"space": POST + b"Content-Length : 3\r\n\r\nabc"})


def test_transfer_encoding_other_than_chunked_is_refused(server):
    values = [b"identity", b"xchunked", b"", b"chunked, identity", b"chunked, chunked", b"\x0bchunked", b"gzip"]
    values += [b"chunked;q=1", b'"chunked"']
    body = b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    cases = {value.decode(): POST + b"Transfer-Encoding: " + value + body for value in values}
    cases["identity, then chunked"] = POST + b"Transfer-Encoding: identity\r\n" + CHUNKED + body[2:]
    cases["chunked twice"] = POST + CHUNKED + CHUNKED + body[2:]
    cases["space before colon"] = POST + b"Transfer-Encoding : chunked" + body
    cases["HTTP/1.0"] = b"POST /echo HTTP/1.0\r\n" + HOST + CHUNKED + body[2:]
    assert not refusals(server, cases)


def test_unknown_transfer_coding_before_chunked_is_not_implemented(server):
    cases = {
        value.decode(): POST + b"Transfer-Encoding: " + value + b"\r\n\r\n0\r\n\r\n" for value in (b"gzip, chunked", b",chunked")
    }
    assert not refusals(server, cases, 501)


def test_chunk_size_that_others_read_differently_is_refused(server):
    sizes = [b"0x3", b"f" * 17, b"10000000000000003", b"-3", b" -3", b"+3", b" 3", b"3 ", b"", b";a", b"3\r"]
    cases = {size.decode(): CHUNKS + size + b"\r\nabc\r\n0\r\n\r\n" for size in sizes}
    cases["LF"] = CHUNKS + b"3\nabc\n0\n\n"
    cases["LF after size"] = CHUNKS + b"3\nabc\r\n0\r\n\r\n"
    for extension in (b"a\nb", b"a\rb", b"a\0b"):
        cases[f"extension {extension}"] = CHUNKS + b"3;" + extension + b"\r\nabc\r\n0\r\n\r\n"
    assert not refusals(server, cases)


def test_chunk_data_without_its_line_end_is_refused(server):
    ends = [b"\n", b"\r", b"", b"XX", b"XX\r\n"]
    cases = {repr(end): CHUNKS + b"3\r\nabc" + end + b"0\r\n\r\n" for end in ends}
    cases["last chunk LF"] = CHUNKS + b"3\r\nabc\r\n0\n\r\n"
    cases["last LF"] = CHUNKS + b"3\r\nabc\r\n0\r\n\n"
    assert not refusals(server, cases)


def test_malformed_trailers_are_refused(server):
    trailers = [b"X: y\n", b"X\r\n", b" X: y\r\n", b"X : y\r\n", b"X: y\r\n z\r\n", b"X: \0\r\n"]
    assert not refusals(server, {repr(each): CHUNKS + b"0\r\n" + each + b"\r\n" for each in trailers})


def test_endless_chunk_extensions_and_trailers_are_refused(server):
    assert not refusals(
        server,
        {
            "one extension": CHUNKS + b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
            "many extensions": CHUNKS + (b"1;" + b"a" * 1000 + b"\r\na\r\n") * 10 + b"0\r\n\r\n",
            "trailers": CHUNKS + b"0\r\n" + b"X: yyyyyy\r\n" * 2000 + b"\r\n",
        },
    )


def test_bare_cr_and_bare_lf_do_not_end_lines(server):
    assert not refusals(
        server,
        {
            "LF": b"GET /echo HTTP/1.1\nHost: a\n\n",
            "one LF": GET + b"Host: a\nX: y\r\n\r\n",
            "last LF": GET + HOST + b"\n",
            "LF CRLF": GET + HOST + b"X: y\n\r\n",
            "CR": GET + HOST + b"X-A: a\rb\r\n\r\n",
            "CR CRLF": GET + b"Host: a\r\r\n\r\n",
            "LF first": b"\n" + GET + HOST + b"\r\n",
            "two empty lines first": b"\r\n\r\n" + GET + HOST + b"\r\n",
        },
    )


def test_malformed_field_lines_are_refused(server):
    lines = [b"X-A: 1\r\n folded", b"X-A: 1\r\n\tfolded", b"X-A: a\0b", b"X\0: a", b"X-A: a\x7fb", b"X-A: \x1b", b"X-A: a\x0b"]
    lines += [b"X A: b", b"X : b", b"X\t: b", b": b", b"X", b"X(): b", b"X\xff: b"]
    cases = {repr(line): GET + HOST + line + b"\r\n\r\n" for line in lines}
    cases["fold at once"] = GET + b" folded\r\n" + HOST + b"\r\n"
    assert not refusals(server, cases)


def test_host_has_to_be_one_and_valid(server):
    hosts = [b"a b/..@c", b"u@a", b"a:80x", b"a:65536", b"a:100080", b"a, b", b"", b"a/b", b"[::1", b"[::1]x", b"[abcg]"]
    hosts += [b"a:1:2", b"\xc3\xa4", b":80", b"a%2fb"]
    cases = {repr(host): GET + b"Host: " + host + b"\r\n\r\n" for host in hosts}
    cases["none"] = GET + b"\r\n"
    cases["two"] = GET + HOST + b"Host: b\r\n\r\n"
    cases["the same twice"] = GET + HOST + HOST + b"\r\n"
    cases["two, HTTP/1.0"] = b"GET /echo HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"
    cases["none with absolute-form"] = b"GET http://c/echo HTTP/1.1\r\n\r\n"
    assert not refusals(server, cases)


def test_malformed_request_lines_are_refused(server):
    lines = [b"GET /ec\x01ho HTTP/1.1", b"GET /echo HTTP/1.x", b"GET /echo HTTP/1.10", b"GET /echo HTTP/01.1", b"GET /echo http/1.1"]
    lines += [b"GET /echo", b"GET  /echo HTTP/1.1", b"GET /echo  HTTP/1.1", b"GET /echo HTTP/1.1 ", b" GET /echo HTTP/1.1"]
    lines += [b"GET /e cho HTTP/1.1", b"GET\t/echo HTTP/1.1", b"GET /echo\tHTTP/1.1", b"/echo HTTP/1.1", b"G(T /echo HTTP/1.1"]
    lines += [b"GET /echo#f HTTP/1.1", b"GET echo HTTP/1.1", b"GET * HTTP/1.1", b"GET ftp://a/echo HTTP/1.1", b"GET a:80 HTTP/1.1"]
    lines += [b"GET http:/echo HTTP/1.1", b"GET http://a b@c/ HTTP/1.1", b"GET http://u:p@c/ HTTP/1.1", b"GET http:///echo HTTP/1.1"]
    lines += [b"CONNECT /echo HTTP/1.1", b"CONNECT a HTTP/1.1", b"CONNECT http://a:80/ HTTP/1.1"]
    assert not refusals(server, {repr(line): line + b"\r\n" + HOST + b"\r\n" for line in lines})


def test_versions_other_than_1_0_and_1_1_are_not_supported(server):
    cases = {"1.2": b"GET /echo HTTP/1.2\r\n" + HOST + b"\r\n", "2.0": b"GET /echo HTTP/2.0\r\n" + HOST + b"\r\n"}
    assert not refusals(server, cases | {"preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, 505)


def test_connect_never_becomes_a_tunnel(server):
    assert not refusals(server, {"CONNECT": b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"}, 501)


def test_limits_of_the_head_have_statuses_of_their_own(start):
    server = start(SETTINGS)
    many = GET + HOST + b"".join(b"h%d: 1\r\n" % i for i in range(50)) + b"\r\n"
    large = GET + HOST + b"X: " + b"a" * 20000 + b"\r\n\r\n"
    endless = GET + HOST + b"X: " + b"a" * 30000
    assert not refusals(server, {"51 fields": many, "large": large, "endless": endless}, 431)
    line = b"GET /echo?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert not refusals(server, {"line": line, "endless line": b"GET /" + b"a" * 30000}, 414)
    body = CHUNKS + b"186a1\r\n" + b"x" * 100001 + b"\r\n0\r\n\r\n"
    assert not refusals(server, {"Content-Length": POST + b"Content-Length: 100001\r\n\r\n", "chunked": body}, 413)


def test_refusals_carry_date(server):
    client = server.http1()
    client.send(b"GET /echo HTTP/1.1\r\n\r\n")
    refusal = responses(client.read_to_end())[0]
    assert refusal.status == 400 and re.match(r"\w{3}, \d\d \w{3} \d{4} ", "".join(refusal.values("date"))), refusal


def test_upgrade_of_http_1_0_is_ignored(server):
    fields = b"Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    for version, expected in ((b"1.0", b"upgrade= "), (b"1.1", b"upgrade=x ")):
        client = server.http1()
        client.send(b"GET /echo HTTP/" + version + b"\r\n" + fields)
        assert expected in client.read_until(b"\n")


@pytest.mark.guard
def test_413_reaches_a_client_that_is_still_sending(start):
    client = start(SETTINGS).http1()
    client.send(POST + b"Content-Length: 100001\r\n\r\n")
    client.read_until(b"HTTP/1.1 413")
    assert client.send(*[b"x" * 5000] * 10), "the connection was closed while the client was sending"


def test_last_response_survives_unread_pipelined_requests(start):
    server = start({"send_buffer": 100000})
    client = server.http1(receive_buffer=4096)
    client.send(b"GET /object/1000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    server.wait_for(lambda stats: stats["requests"] == 1, "the request")
    client.send((GET + HOST + b"\r\n") * 500)  # nobody reads them while the first response is being written
    client.finish_sending()
    answer = client.read_to_end()
    assert client.ended == "closed" and [len(each.body) for each in responses(answer)] == [1000000], (client.ended, len(answer))


ACCEPTED = {
    "plain": (GET + HOST + b"\r\n", "authority=a path=/echo upgrade= entity=none"),
    "white space around values": (GET + b"Host:a\r\nX:\t b \t\r\nY:\r\nZ: a\tb\r\n\r\n", "authority=a"),
    "Host and port": (GET + b"Host: \t a.b-c_d.E:8080 \r\n\r\n", "authority=a.b-c_d.E:8080"),
    "Host IPv6": (GET + b"Host: [::1]:80\r\n\r\n", "authority=[::1]:80"),
    "Host with empty port": (GET + b"Host: a:\r\n\r\n", "authority=a"),
    "Host IPv4": (GET + b"Host: 127.0.0.1\r\n\r\n", "authority=127.0.0.1"),
    "one empty line first": (b"\r\n" + GET + HOST + b"\r\n", "path=/echo"),
    "obs-text": (GET + HOST + b"X: \xc3\xa4\xff\r\n\r\n", "path=/echo"),
    "query as browsers send it": (b'GET /echo?a=b|{}"<>^`[] HTTP/1.1\r\n' + HOST + b"\r\n", "path=/echo?a=b|"),
    "Content-Length": (POST + b"Content-Length: 3\r\n\r\nabc", "entity=3:abc"),
    "Content-Length with zeros": (POST + b"Content-Length: 0003\r\n\r\nabc", "entity=3:abc"),
    "Content-Length 0": (POST + b"Content-Length: 0\r\n\r\n", "entity=0:"),
    "chunks": (CHUNKS + b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n", "entity=13:abc0123456789"),
    "CHUNKED": (POST + b"transfer-encoding: \tCHUNKED \r\n\r\n3\r\nabc\r\n000\r\n\r\n", "entity=3:abc"),
    "chunk extensions": (CHUNKS + b'3;a=b;c="d e"\r\nabc\r\n0;z\r\n\r\n', "entity=3:abc"),
    "trailers": (CHUNKS + b"3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 7\r\nZ:\r\n\r\n", "entity=3:abc"),
    "as large as allowed": (CHUNKS + b"186a0\r\n" + b"x" * 100000 + b"\r\n0\r\n\r\n", "entity=100000:x"),
    "50 fields": (GET + HOST + b"".join(b"h%d: 1\r\n" % i for i in range(49)) + b"\r\n", "path=/echo"),
    "large field": (GET + HOST + b"X: " + b"a" * 19000 + b"\r\n\r\n", "path=/echo"),
}


@pytest.mark.guard
@pytest.mark.parametrize("name", ACCEPTED)
def test_valid_requests_are_served_however_they_are_cut(start, name):
    server = start(SETTINGS)
    message, expected = ACCEPTED[name]
    following = b"GET /echo?second HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"
    for cut in (0, 150):  # in one piece; the first 150 octets one by one
        client = server.http1()
        everything = message + following
        client.send(*[everything[i : i + 1] for i in range(cut)], everything[cut:])
        first, second = responses(client.read_to_end())
        assert (first.status, second.status) == (200, 200)
        assert expected in first.body.decode("latin-1") and b"path=/echo?second" in second.body


def test_absolute_form_is_converted_and_its_authority_wins(server):
    wanted = {
        b"GET http://b:81/echo?x HTTP/1.1": b"method=GET authority=b:81 path=/echo?x",
        b"GET HTTPS://B/echo HTTP/1.1": b"method=GET authority=B path=/echo",
        b"OPTIONS http://b HTTP/1.1": b"method=OPTIONS authority=b path=*",
        b"OPTIONS * HTTP/1.1": b"method=OPTIONS authority=a path=*",
    }
    for line, expected in wanted.items():
        client = server.http1()
        client.send(line + b"\r\n" + HOST + b"\r\n")
        assert expected in client.read_until(b"entity=none"), line


@pytest.mark.guard
def test_http_1_0_needs_no_host(server):
    client = server.http1()
    client.send(b"GET /echo HTTP/1.0\r\n\r\n")
    assert [each.status for each in responses(client.read_to_end())] == [200]


def test_every_connection_field_counts(server):
    for fields in (b"Connection: close\r\nConnection: keep-alive\r\n", b"Connection: x, CLOSE\r\n"):
        client = server.http1()
        client.send(GET + HOST + fields + b"\r\n" + SMUGGLED)
        assert b"smuggled" not in client.read_to_end()


@pytest.mark.guard
def test_http2_with_prior_knowledge_can_be_switched_on(start):
    client = start({"http1.upgrade_to_http2": 1}).http1()
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    assert client.receive(9)[3:4] == b"\4"
