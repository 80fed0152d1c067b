"""0006: a large write over TLS is encrypted part by part, as the client takes it."""
import pytest

from http1 import responses

HEAD = b" HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SIZE = 20 << 20


def test_no_more_is_encrypted_than_the_client_takes(start):
    server = start({"send_buffer": 65536})
    client = server.https(receive_buffer=65536)
    client.send(b"GET /object/%d" % SIZE + HEAD)
    client.receive(1000)  # the response has begun; nothing is read from here
    encrypted = server.stats()["tls_bytes"]
    assert 0 < encrypted < 4 << 20
    rest = client.read_until(b"x" * 1000)
    received = len(rest)
    while received < SIZE:
        part = client.receive(1 << 18)
        assert part and part.count(b"x") == len(part)
        received += len(part)
    client.send(b"GET /object/100" + LAST)
    assert client.read_to_end().endswith(b"x" * 100)


@pytest.mark.guard
@pytest.mark.parametrize("path", ["/object/65536", "/stream/5000000/300000", "/stream/1000000/131072", "/stream/20000/1", "/unknown/3000000/200001"])
def test_content_is_whole_however_it_is_written(server, path):
    client = server.https()
    client.send(b"GET " + path.encode() + LAST)
    [response] = responses(client.read_to_end())
    assert len(response.body) == int(path.split("/")[2]) and set(response.body) == {ord("x")} and response.complete


@pytest.mark.guard
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_goes_away_in_the_middle_leaves_nothing(server, how):
    for connect in (server.http1, server.https):
        client = connect()
        client.send(b"GET /object/%d" % SIZE + HEAD)
        client.receive(1000)
        getattr(client, how)()
    server.wait_for(lambda stats: stats["connections"] == 0 and stats["disposed"] == 2, "the end of the connections")
