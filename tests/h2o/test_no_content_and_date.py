"""0005: 204, 304 and HEAD have no content and the former no length; Date of the handler is passed (RFC 9110, HTTP/1 and HTTP/2)."""
import pytest

from http1 import responses

HEAD = b" HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /echo?next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
def test_no_length_with_204_and_304(server, status):
    client = server.http1()
    client.send(b"GET /status/%d" % status + HEAD + LAST)
    first, second = responses(client.read_to_end())
    assert first.status == status and b"?next" in second.body
    assert not first.values("content-length") and not first.values("transfer-encoding")
    http2 = server.http2()
    http2.request(1, f"/status/{status}")
    http2.wait_for_response(1)
    assert http2.status[1] == status and "content-length" not in dict(http2.fields[1])


@pytest.mark.guard
def test_length_with_200(server):
    client = server.http1()
    client.send(b"GET /status/200" + HEAD + LAST)
    assert responses(client.read_to_end())[0].values("content-length") == ["0"]


@pytest.mark.parametrize("status", [204, 304])
def test_content_sent_by_mistake_is_not_read_as_the_next_response(server, status):
    client = server.http1()
    client.send(b"GET /content/%d" % status + HEAD + LAST)
    first, second = responses(client.read_to_end())
    assert (first.status, second.status) == (status, 200) and b"?next" in second.body
    http2 = server.http2()
    http2.request(1, f"/content/{status}")
    http2.wait_for_response(1)
    assert http2.status[1] == status and not http2.body.get(1)


def test_content_sent_by_mistake_to_head_is_dropped(server):
    client = server.http1()
    client.send(b"HEAD /declares/5/sends/5" + HEAD + LAST)
    first, second = responses(client.read_to_end(), heads_only=[0])
    assert first.values("content-length") == ["5"] and b"?next" in second.body
    http2 = server.http2()
    http2.request(1, "/declares/5/sends/5", method="HEAD")
    http2.wait_for_response(1)
    assert http2.status[1] == 200 and not http2.body.get(1)


def test_date_of_the_handler_is_the_only_one(server):
    client = server.http1()
    client.send(b"GET /date" + HEAD + LAST)
    first, second = responses(client.read_to_end())
    assert first.values("date") == ["Mon, 01 Jan 2001 00:00:00 GMT"]
    assert len(second.values("date")) == 1 and "2001" not in second.values("date")[0]
    http2 = server.http2()
    http2.request(1, "/date")
    http2.wait_for_response(1)
    assert [value for name, value in http2.fields[1] if name == "date"] == ["Mon, 01 Jan 2001 00:00:00 GMT"]
