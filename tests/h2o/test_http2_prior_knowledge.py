"""0017: a connection without TLS may begin with the preface of HTTP/2, and never switches to it by Upgrade (RFC 9113, 3.1 and 3.3)."""
import pytest

from http2 import PREFACE, SETTINGS, frame

UPGRADE = (b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")


def test_the_preface_is_understood_where_it_is_permitted(start):
    client = start({"http1.accept_http2_preface": 1}).http1()
    client.send(PREFACE + frame(SETTINGS, 0, 0))
    assert client.receive(9)[3:4] == bytes([SETTINGS])


@pytest.mark.guard
def test_upgrade_is_not_permitted_with_it(start):
    client = start({"http1.accept_http2_preface": 1}).http1()
    client.send(UPGRADE)
    assert client.receive(12) == b"HTTP/1.1 200"


@pytest.mark.guard
def test_the_preface_is_refused_elsewhere(start):
    client = start({"http1.accept_http2_preface": 0}).http1()
    client.send(PREFACE + frame(SETTINGS, 0, 0))
    assert client.receive(10)[:10] == b"HTTP/1.1 5"
