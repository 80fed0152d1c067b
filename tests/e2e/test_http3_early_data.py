# SPDX-License-Identifier: MIT
"""0-RTT: requests that come with the first packet, and may be somebody else's copy (RFC 8470)."""
import socket

import pytest

from harness import behavior, until
from origin import Reply
from relay import Relay
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture


@pytest.fixture
def early(serve3, origin, tmp_path):
    """Runs a client that has been there before. `again(address, **options)`: what it says."""

    def start(**spec):
        origin.route("/page", lambda request: Reply(body=b"early" if request.header("Early-Data") else b"late",
                                                    headers={"Cache-Control": "no-store"}))
        edge = serve3(default=behavior(allowedMethods=["ALL"], cachePolicy="Managed-CachingDisabled"), **spec)
        files = [f"--session-file={tmp_path / 'session'}", f"--tp-file={tmp_path / 'parameters'}"]
        gtlsclient(edge, *files, "--wait-for-ticket")
        assert [request.header("Early-Data") for request in origin.requests] == [None]
        return edge, lambda target=edge, **options: gtlsclient(target, *files, **options)

    return start


def test_by_default_nothing_comes_early(early, origin):
    edge, again = early()
    assert "[:status: 200]" in again()
    assert [request.header("Early-Data") for request in origin.requests] == [None, None]


def test_a_safe_request_comes_early_and_the_origin_is_told(early, origin):
    edge, again = early(earlyData=True)
    text = again()
    assert "[:status: 200]" in text
    assert [request.header("Early-Data") for request in origin.requests] == [None, "1"], text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_too_early(early, origin, method):
    edge, again = early(earlyData=True)
    assert "[:status: 425]" in again(method=method)
    assert len(origin.requests) == 1
    until(lambda: edge.metric("headgate_edge_responses_total").get('reason="too_early"') == 1, "the count, which is after the answer")


def test_an_origin_may_find_it_too_early(early, origin):
    edge, again = early(earlyData=True)
    origin.route("/page", Reply(status=425, headers={"Cache-Control": "no-store"}))
    assert "[:status: 425]" in again()


def test_a_commit_that_takes_early_data_away_takes_it_away_from_those_who_have_a_ticket(early, origin, repository):
    edge, again = early(earlyData=True)
    text = (repository.path / "shop.yaml").read_text()
    repository.write("shop.yaml", text.replace('"earlyData": true', '"earlyData": false'))
    edge.apply(repository)
    assert "[:status: 200]" in again()
    assert [request.header("Early-Data") for request in origin.requests] == [None, None]


def test_a_copy_of_early_data_is_not_done_again(early, origin):
    edge, again = early(earlyData=True)

    class Through:
        """An edge, by way of the relay."""

    with Relay(edge.https) as relay:
        Through.https = relay.address
        assert "[:status: 200]" in again(Through)
        copies = list(relay.sent)
    assert [request.header("Early-Data") for request in origin.requests] == [None, "1"]
    opened = edge.metric("headgate_connections_total")['transport="quic"']
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.connect(("127.0.0.1", int(edge.https.rpartition(":")[2])))

        def tried():
            # As long as the connection itself is remembered, copies are its own packets.
            for octets in copies[:3]:
                thief.send(octets)
            return edge.metric("headgate_connections_total")['transport="quic"'] > opened

        until(tried, "the copy to be taken for a new connection")
        assert edge.h3("GET", "/page").body == b"late"  # whatever was to be done is done
    assert [request.header("Early-Data") for request in origin.requests] == [None, "1", None]
