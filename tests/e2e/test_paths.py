# SPDX-License-Identifier: MIT
"""One form of a path for everybody: what the edge decides about is what the cache is keyed by, what is purged, and what the origin reads."""
import re

import pytest

from harness import behavior, distribution, invalidation, until
from origin import Reply

PRIVATE = "/private/secret"

# Ways to write /private/secret that one server or another would have found it by.
WAYS = ["/private/secret", "/%70rivate/secret", "/private/%73ecret", "/x/../private/secret", "/x/%2e%2e/private/secret", "/./private/./secret",
        "/x/.%2E/private/secret", "/../private/secret", "/%2e/private/secret", "/private/x/../secret", "/private/secret/x/.."]


@pytest.fixture
def edge(serve, origin):
    origin.otherwise(Reply(body=b"page", headers={"Cache-Control": "max-age=60"}))
    return serve(default=behavior(allowedMethods=["GET", "HEAD"]), cacheBehaviors=[
        behavior(pathPattern="/private/*", restrictions={"geo": {"type": "whitelist", "locations": ["NO"], "unknown": "deny"}})])


def raw(edge, target):
    """What no client library would send: `target` in octets. Status and head."""
    with edge.socket() as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(65536), b""))
    return int(received.split(b" ", 2)[1]), received


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_writing_a_path_leads_past_its_behavior(edge, origin, way):
    status, _ = raw(edge, way.encode())
    expected = 403 if not way.endswith("/..") else 403
    assert status == expected
    assert origin.requests == []


@pytest.mark.parametrize("target", [
    b"/public/..%2fprivate/secret", b"/public/..%2Fprivate/secret", b"/public/%2e%2e%2fprivate/secret", b"/public/..%5cprivate/secret",
    b"/public/..\\private\\secret", b"/public/..;/private/secret", b"/.;/private/secret", b"/public%2f../private/secret", b"/private%00/secret",
    b"/%zz", b"/%", b"/a%2", b"/a#b", b"/a?b#c", b"/%u0070rivate/secret",
])
def test_what_servers_disagree_about_is_400_and_reaches_no_origin(edge, origin, target):
    status, _ = raw(edge, target)
    assert status == 400
    assert origin.requests == []


@pytest.mark.parametrize("sent, read", [
    (b"/a/./b/../c", "/a/c"), (b"/%7euser/%41", "/~user/A"), (b"/a%2fb", "/a%2Fb"), (b"/a%3fb=c", "/a%3Fb=c"), (b"/a//b/", "/a//b/"),
    (b"/caf\xc3\xa9", "/caf%C3%A9"), (b"/caf%e9", "/caf%E9"), (b"/\xff\xfe", "/%FF%FE"), (b"/%c0%ae%c0%ae/x", "/%C0%AE%C0%AE/x"),
    (b"/a|b", "/a%7Cb"), (b"/%252e%252e/x", "/%252e%252e/x"), (b"/a%2520b", "/a%2520b"), (b"/x%0d%0aHost:%20evil", "/x%0D%0AHost:%20evil"),
    (b"/a;b=c/d", "/a;b=c/d"), (b"/%3Cscript%3E", "/%3Cscript%3E"), (b"/a+b", "/a+b"),
])
def test_the_origin_reads_the_path_that_was_decided_about(edge, origin, sent, read):
    status, _ = raw(edge, sent)
    assert status == 200
    assert [request.target for request in origin.requests] == [read]
    assert not edge.get(read).headers.get("cache-status", "").endswith("fwd=uri-miss") and edge.get(read).is_hit
    assert len(origin.requests) == 1  # the same object, whichever way it is asked for


def test_http_2_and_http_1_agree(edge, origin):
    import http2

    client = http2.Client(int(edge.http.rsplit(":", 1)[1]), 60)
    for stream, way in enumerate(WAYS):
        client.request(2 * stream + 1, way)
    client.request(101, "/a%2fb")
    client.request(103, "/a/..%2fb")
    client.wait_for_response(*(2 * stream + 1 for stream in range(len(WAYS))), 101, 103)
    assert {client.status[2 * stream + 1] for stream in range(len(WAYS))} == {403}
    assert client.status[101] == 200 and client.status[103] == 400
    assert [request.target for request in origin.requests] == ["/a%2Fb"]
    client.close()


def test_a_purge_means_the_object_however_either_is_written(edge, origin, repository):
    assert raw(edge, b"/caf%c3%a9/x/../menu%7e")[0] == 200
    assert edge.get("/caf%C3%A9/menu~").is_hit
    edge.apply(repository, "invalidations.yaml", invalidation("menus", "/caf%c3%a9/./%6denu~"))
    assert not edge.get("/caf%C3%A9/menu~").is_hit
    assert edge.get("/caf%C3%A9/menu~").is_hit
    edge.apply(repository, "more.yaml", invalidation("all", "/c%61f%c3%a9/*"))
    assert not edge.get("/caf%C3%A9/menu~").is_hit


def test_a_redirect_names_the_path_that_it_leads_to(serve, origin):
    edge = serve(default=behavior(viewerProtocolPolicy="redirect-to-https"))
    _, received = raw(edge, b"/a/../%7eb?q=/../%7e")
    assert re.search(rb"(?i)\r\nlocation: https://shop\.test/~b\?q=/\.\./%7e\r\n", received), received


def test_explain_tells_what_became_of_the_path(repository, origin):
    from harness import cache_policy, headgate
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    repository.commit("shop")
    done = headgate("explain", "GET", "http://shop.test/a/../%7eb", "--repo", repository.path)
    assert "/a/../%7eb is /~b" in done.stdout
    done = headgate("explain", "GET", "http://shop.test/a/..%2fb", "--repo", repository.path)
    assert "refused: a dot segment" in done.stdout and "400" in done.stdout


def test_urls_beyond_the_limit_get_414(serve, origin, tmp_path):
    (tmp_path / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { maxUrl: 1KiB } }\n")
    origin.otherwise(Reply(body=b"page"))
    edge = serve(flags=["--config", tmp_path / "edge.yaml"])
    import http2

    client = http2.Client(int(edge.http.rsplit(":", 1)[1]), 60)
    assert raw(edge, b"/" + b"a" * 1023)[0] == 200
    client.request(1, "/" + "b" * 1023)
    for stream, size in ((3, 1024), (5, 5000)):
        assert raw(edge, b"/" + b"a" * size)[0] == 414
        client.request(stream, "/" + "a" * size)
    client.wait_for_response(1, 3, 5)
    assert client.status == {1: 200, 3: 414, 5: 414}
    assert edge.metric("headgate_limit_exceeded_total")['limit="maxUrl"'] == 4
    until(lambda: edge.metric("headgate_edge_responses_total")['reason="url_too_long"'] == 3, "the count")
    client.close()
