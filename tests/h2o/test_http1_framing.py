"""0014: the end of a response is what its header says, to the client and to us (RFC 9112 6.3, 8)."""
import pytest

from http1 import responses

NEXT = b"GET /echo?next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def ask(server, path, version=b"1.1", fields=b""):
    client = server.http1()
    client.send(b"GET " + path + b" HTTP/" + version + b"\r\nHost: a\r\n" + fields + b"\r\n" + NEXT)
    return client, client.read_to_end()


@pytest.mark.parametrize("status", [b"404", b"206", b"500"])
def test_response_of_unknown_length_is_chunked_whatever_its_status(server, status):
    _, answer = ask(server, b"/unknown/1000/300/" + status)
    answers = responses(answer)
    assert [each.status for each in answers] == [int(status), 200]
    assert answers[0].body == b"x" * 1000 and answers[0].complete and b"?next" in answers[1].body


def test_response_of_unknown_length_ends_with_the_connection_for_http_1_0(server):
    _, answer = ask(server, b"/unknown/1000/300", b"1.0", b"Connection: keep-alive\r\n")
    [response] = responses(answer)
    assert response.values("connection") == ["close"] and response.body == b"x" * 1000


def test_cut_response_to_http_1_0_is_no_orderly_end(server):
    client, answer = ask(server, b"/cut/1000/300", b"1.0")
    assert client.ended == "reset", answer[-50:]


@pytest.mark.guard
def test_cut_response_is_incomplete(server):
    _, answer = ask(server, b"/cut/1000/300")
    assert [each.complete for each in responses(answer)] == [False]


def test_more_than_content_length_is_not_sent(server):
    _, answer = ask(server, b"/declares/10/sends/500")
    [response] = responses(answer)
    assert response.body == b"x" * 10


def test_less_than_content_length_ends_the_connection(server):
    _, answer = ask(server, b"/declares/500/sends/10")
    [response] = responses(answer)
    assert response.body == b"x" * 10 and not response.complete


@pytest.mark.guard
def test_right_content_length_keeps_the_connection(server):
    for path in (b"/declares/500/sends/500", b"/stream/1000/300", b"/object/0", b"/unknown/1000/300"):
        _, answer = ask(server, path)
        assert [each.complete for each in responses(answer)] == [True, True]
