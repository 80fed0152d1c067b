"""0011: requests and header compression as RFC 9113 (8.1.1, 8.2, 8.3) and RFC 7541 (4.2, 6.3) want them."""
import pytest

from http2 import END_HEADERS, END_STREAM, HEADER_TABLE_SIZE, HEADERS, SETTINGS, data, frame, setting

GET = {":method": "GET", ":scheme": "http", ":path": "/echo", ":authority": "a"}
POST = GET | {":method": "POST"}
MALFORMED = "reset"  # what has to be answered by RST_STREAM; otherwise a status


def outcome(client, stream):
    client.wait_for_response(stream)
    return client.status.get(stream) or (MALFORMED if stream in client.resets else None)


def ask(client, stream, fields, end=True):
    """Sends a header section as it is: a dictionary or a list of pairs."""
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    flags = END_HEADERS | (END_STREAM if end else 0)
    client.send(frame(HEADERS, flags, stream, client.encoder.encode(pairs)))


def wrong(server, cases):
    """Each case on a connection of its own, which has to survive; returns what came out differently."""
    result = {}
    for name, (fields, expected) in cases.items():
        client = server.http2()
        ask(client, 1, fields)
        try:
            found = outcome(client, 1)
            ask(client, 3, GET)
            if outcome(client, 3) != 200:
                found = f"{found}, then {client}"
        except AssertionError as error:
            found = str(error)
        if found != expected:
            result[name] = found
        client.close()
    return result


def without(name):
    return {key: value for key, value in GET.items() if key != name}


def test_host_takes_the_place_of_authority_and_may_not_contradict_it(server):
    pairs = list(GET.items())
    assert not wrong(
        server,
        {
            "host only": (without(":authority") | {"host": "only"}, 200),
            "conflict": (GET | {"host": "evil"}, 400),
            "the same": (GET | {"host": "A"}, 200),
            "neither": (without(":authority"), 400),
            "two hosts": (pairs + [("host", "a"), ("host", "a")], MALFORMED),
        },
    )
    client = server.http2()
    ask(client, 1, without(":authority") | {"host": "only"})
    assert outcome(client, 1) == 200 and b"authority=only" in client.body[1] and b"[host=" not in client.body[1]


def test_authority_is_as_strict_as_host_is_with_http_1(server):
    bad = ["", "u@a", "a/b", "a b", "a,b", "a%2fb", "[::1", "a:80x", "a:65536", "a:1:2", ":80", "\xe4"]
    good = ["[::1]:80", "a.b-c_d.E:8080", "127.0.0.1", "a:"]
    cases = {value: (GET | {":authority": value}, 400) for value in bad}
    assert not wrong(server, cases | {value: (GET | {":authority": value}, 200) for value in good})


def test_malformed_paths_and_methods(server):
    paths = {"": MALFORMED, "echo": MALFORMED, "http://x/echo": MALFORMED, "*": MALFORMED, "/echo?a b": 400, "/echo#a": 400}
    paths |= {"/echo?a HTTP/1.1\r\nX: y": 400, "/echo?x=%20&y": 200}
    methods = {"GET / HTTP/1.1": 400, "": 400, "G(T": 400, "PURGE": 200}
    cases = {f"path {value}": (GET | {":path": value}, expected) for value, expected in paths.items()}
    cases |= {f"method {value}": (GET | {":method": value}, expected) for value, expected in methods.items()}
    cases["scheme"] = (GET | {":scheme": "ftp"}, 400)
    cases["OPTIONS *"] = (GET | {":method": "OPTIONS", ":path": "*"}, 200)
    assert not wrong(server, cases)


def test_malformed_pseudo_header_fields_reset_the_stream_only(server):
    pairs = list(GET.items())
    cases = {f"no {name}": (without(name), MALFORMED) for name in (":method", ":scheme", ":path")}
    cases["twice"] = (pairs + [(":path", "/echo")], MALFORMED)
    cases["after a field"] = ([("x", "y")] + pairs, MALFORMED)
    cases["unknown"] = (pairs + [(":x", "y")], MALFORMED)
    cases["of responses"] = (pairs + [(":status", "200")], MALFORMED)
    assert not wrong(server, cases)


def test_connect_is_not_implemented(server):
    connect = {":method": "CONNECT", ":authority": "a:1"}
    cases = {"CONNECT": (connect, 501), "with a path": (GET | {":method": "CONNECT"}, MALFORMED)}
    cases["extended"] = (GET | {":method": "CONNECT", ":protocol": "websocket"}, MALFORMED)
    assert not wrong(server, cases)


def test_malformed_fields(server):
    names = {"XX": MALFORMED, "": MALFORMED, "x y": 400, "x:": 400, "x\r\ny": 400, "x-fine": 200}
    values = {"a\r\nb": 400, "a\0b": 400, " a": 400, "a ": 400, "\ta": 400, "a\x7f": 400, "a b\tc": 200, "": 200}
    cases = {f"name {name!r}": (GET | {name: "b"}, expected) for name, expected in names.items()}
    cases |= {f"value {value!r}": (GET | {"x": value}, expected) for value, expected in values.items()}
    for name in ("transfer-encoding", "connection", "upgrade", "proxy-connection", "keep-alive"):
        cases[name] = (GET | {name: "x"}, MALFORMED)
    cases["te"] = (GET | {"te": "gzip"}, MALFORMED)
    cases["te: trailers"] = (GET | {"te": "trailers"}, 200)
    assert not wrong(server, cases)


@pytest.mark.parametrize("huffman", [True, False], ids=["huffman", "literal"])
def test_every_octet_of_names_and_values_in_both_encodings(server, huffman):
    tokens = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
    found = {}
    for octet in range(256):
        if octet % 32 == 0:
            client = server.http2()
        for kind, stream, field in (
            ("name", 4 * (octet % 32) + 1, (b"x" + bytes([octet]), b"b")),
            ("value", 4 * (octet % 32) + 3, (b"x", b"y" + bytes([octet]) + b"z")),
        ):
            block = client.encoder.encode(list(GET.items()), huffman=huffman)
            block += client.encoder.encode([field], huffman=huffman)
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
            if kind == "name":
                expected = MALFORMED if 65 <= octet <= 90 else 200 if octet in tokens else 400
            else:
                expected = 400 if octet < 32 and octet != 9 or octet == 127 else 200
            if outcome(client, stream) != expected:
                found[kind, octet] = outcome(client, stream)
    assert not found


def test_content_length_has_to_be_right(server):
    cases = {"no body": (POST | {"content-length": "5"}, MALFORMED), "zero": (POST | {"content-length": "0"}, 200)}
    cases["garbage"] = (POST | {"content-length": "5x"}, MALFORMED)
    cases["twice"] = (list(POST.items()) + [("content-length", "0"), ("content-length", "0")], MALFORMED)
    assert not wrong(server, cases)
    for declared, sent, expected in (("5", b"abc", MALFORMED), ("2", b"abc", MALFORMED), ("3", b"abc", 200)):
        client = server.http2()
        ask(client, 1, POST | {"content-length": declared}, end=False)
        client.send(data(1, sent, end=True))
        assert outcome(client, 1) == expected, (declared, sent)


def test_trailers_are_checked_and_never_become_header_fields(server):
    for trailers, expected in (
        ([("x-forwarded-for", "1.2.3.4")], 200),
        ([(":path", "/x")], MALFORMED),
        ([("x", "a\r\nb")], MALFORMED),
        ([("y%d" % i, "z") for i in range(300)], MALFORMED),
    ):
        client = server.http2()
        ask(client, 1, POST, end=False)
        client.send(data(1, b"abc"))
        ask(client, 1, trailers)
        assert outcome(client, 1) == expected, trailers[0]
        assert b"1.2.3.4" not in client.body[1]


def test_cookie_crumbs_are_joined(server):
    client = server.http2()
    pairs = list(GET.items())
    ask(client, 1, pairs + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3"), ("z", "w")])
    ask(client, 3, pairs + [("cookie", "a=1")])
    ask(client, 5, pairs + [("cookie", "a=1"), ("cookie", "")])
    assert outcome(client, 1) == outcome(client, 3) == outcome(client, 5) == 200
    assert client.body[1].endswith(b"[cookie=a=1; b=2; c=3] [x=y] [z=w]\n"), client.body[1]
    assert client.body[3].endswith(b"[cookie=a=1]\n") and client.body[5].endswith(b"[cookie=a=1; ]\n")


def test_encoder_follows_the_table_size_of_the_client(server):
    client = server.http2(settings=setting(HEADER_TABLE_SIZE, 0))  # from the beginning
    client.decoder.max_allowed_table_size = 0
    for stream in (1, 3):
        ask(client, stream, GET)
        assert outcome(client, stream) == 200
    client = server.http2()  # later
    ask(client, 1, GET)
    assert outcome(client, 1) == 200
    client.send(frame(SETTINGS, 0, 0, setting(HEADER_TABLE_SIZE, 0)))
    client.sync()
    client.decoder.max_allowed_table_size = 0
    for stream in (3, 5):
        ask(client, stream, GET)
        assert outcome(client, stream) == 200


def test_encoder_tells_the_smallest_table_size_and_the_last(server):
    client = server.http2()
    ask(client, 1, GET)
    assert outcome(client, 1) == 200
    client.send(frame(SETTINGS, 0, 0, setting(HEADER_TABLE_SIZE, 100)), frame(SETTINGS, 0, 0, setting(HEADER_TABLE_SIZE, 4096)))
    client.sync()
    ask(client, 3, GET)
    assert outcome(client, 3) == 200
    assert client.header_blocks[-1][:6] == bytes([0x3F, 100 - 31, 0x3F, 0xE1, 0x1F, 0x88])


def test_unknown_frames_are_ignored_silently(server):
    client = server.http2()
    client.send(frame(16, 0, 0, b"abcd"), frame(0xFE, 0xFF, 3, b"x" * 100))
    ask(client, 5, GET)
    assert outcome(client, 5) == 200
    client.close()
    server.shut_down()
    server.wait_for_exit()
    assert server.error_text() == ""
