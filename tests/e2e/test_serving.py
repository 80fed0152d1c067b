# SPDX-License-Identifier: MIT
"""What a viewer gets: hits and misses, keys, policies, error pages, refusals."""
import pytest

from harness import behavior, cache_policy, distribution, header_policy, origin as origin_of, resource
from origin import Reply


def test_a_miss_then_a_hit_that_says_so(serve, origin):
    origin.page("/page", "hello\n", Cache_Control="max-age=60", ETag='"1"')
    edge = serve()
    miss = edge.get("/page")
    assert (miss.status, miss.body) == (200, b"hello\n")
    assert not miss.is_hit and "fwd=" in miss.cache_status and "stored" in miss.cache_status
    assert miss.headers["x-cache"] == "Miss from headgate"
    hit = edge.get("/page")
    assert (hit.status, hit.body) == (200, b"hello\n")
    assert hit.is_hit and "ttl=" in hit.cache_status
    assert hit.headers["x-cache"] == "Hit from headgate"
    assert 0 <= int(hit.headers["age"]) < 60
    assert hit.headers["via"] == "1.1 headgate"
    assert hit.headers["etag"] == '"1"'
    assert hit.headers["headgate-generation"] == miss.headers["headgate-generation"]
    assert hit.headers["x-request-id"] != miss.headers["x-request-id"]
    assert origin.count("/page") == 1


def test_a_hit_is_shared_by_the_workers_and_by_http_and_https(serve, origin):
    origin.page("/page")
    edge = serve()
    edge.get("/page")
    for _ in range(16):
        assert edge.get("/page").is_hit
        assert edge.get("/page", tls=True).is_hit
    assert origin.count() == 1


def test_head_is_answered_from_the_stored_get_without_a_body(serve, origin):
    origin.page("/page", "hello\n")
    edge = serve()
    edge.get("/page")
    answer = edge.request("HEAD", "/page")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "6")
    assert answer.is_hit


def test_what_the_origin_forbids_to_store_is_not_stored(serve, origin):
    origin.page("/private", Cache_Control="private")
    origin.page("/no-store", Cache_Control="no-store")
    edge = serve()
    for path in ("/private", "/no-store"):
        assert [edge.get(path).is_hit for _ in range(3)] == [False] * 3
        assert origin.count(path) == 3


def test_a_conditional_request_gets_304_from_the_cache(serve, origin):
    origin.page("/page", ETag='"1"')
    edge = serve()
    edge.get("/page")
    answer = edge.get("/page", If_None_Match='"1"')
    assert (answer.status, answer.body) == (304, b"")
    assert "content-length" not in answer.headers
    assert edge.get("/page", If_None_Match='"2"').status == 200


def test_the_root_object_stands_for_the_root_only(serve, origin):
    origin.page("/index.html", "root\n")
    origin.page("/folder/", "folder\n")
    edge = serve(defaultRootObject="index.html")
    assert edge.get("/").body == b"root\n"
    assert edge.get("/folder/").body == b"folder\n"


def test_variants_are_kept_apart_by_vary(serve, origin):
    origin.route("/page", lambda request: Reply(body=request.header("Accept-Language").encode(), headers={"Vary": "Accept-Language"}))
    edge = serve(resource("OriginRequestPolicy", "viewer", {
        "headers": {"behavior": "allViewer"}, "cookies": {"behavior": "none"}, "queryStrings": {"behavior": "none"}}),
        default=behavior(originRequestPolicy="viewer"))
    for language in ("de", "en"):
        assert not edge.get("/page", Accept_Language=language).is_hit
    for language in ("de", "en"):
        answer = edge.get("/page", Accept_Language=language)
        assert answer.is_hit and answer.body == language.encode()


def test_only_what_the_policy_names_is_in_the_key_and_goes_to_the_origin(serve, origin):
    origin.page("/page")
    edge = serve(cache_policy("by-page", queryStrings={"behavior": "whitelist", "items": ["page"]},
                              headers={"behavior": "whitelist", "items": ["X-Color"]},
                              cookies={"behavior": "whitelist", "items": ["taste"]}),
                 default=behavior(cachePolicy="by-page"))
    assert not edge.get("/page?page=1&utm=a", X_Color="red", Cookie="taste=sweet; id=1").is_hit
    assert edge.get("/page?utm=b&page=1", X_Color="red", Cookie="id=2; taste=sweet").is_hit
    assert not edge.get("/page?page=2", X_Color="red", Cookie="taste=sweet").is_hit
    assert not edge.get("/page?page=1", X_Color="blue", Cookie="taste=sweet").is_hit
    assert not edge.get("/page?page=1", X_Color="red", Cookie="taste=sour").is_hit
    first = origin.requests_to("/page")[0]
    assert first.target == "/page?page=1"
    assert (first.header("X-Color"), first.header("Cookie")) == ("red", "taste=sweet")


def test_hosts_do_not_share_what_is_stored(serve, origin):
    origin.route("/page", lambda request: Reply(body=request.header("Host").encode()))
    edge = serve(resource("OriginRequestPolicy", "host", {
        "headers": {"behavior": "whitelist", "items": ["Host"]}, "cookies": {"behavior": "none"},
        "queryStrings": {"behavior": "none"}}), default=behavior(originRequestPolicy="host"))
    assert edge.get("/page", host="a.test").body == b"a.test"
    assert edge.get("/page", host="b.test").body == b"b.test"
    assert edge.get("/page", host="a.test").is_hit


def test_an_unknown_host_is_misdirected(serve, origin):
    edge = serve(aliases=["shop.test", "*.shop.test", "192.0.2.1"])
    origin.page("/", "root\n")
    assert edge.get("/", host="shop.test:8080").status == 200
    assert edge.get("/", host="WWW.Shop.Test").status == 200
    assert edge.get("/", host="192.0.2.1").status == 200
    answer = edge.get("/", host="other.test")
    assert answer.status == 421
    assert "proxy-status" in answer.headers


def test_a_method_that_is_not_allowed_gets_405_with_allow(serve, origin):
    edge = serve()
    answer = edge.request("DELETE", "/page")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert origin.requests == []


@pytest.mark.http1
def test_http_is_redirected_or_refused_by_the_viewer_protocol_policy(serve, origin):
    origin.page("/secure/a")
    edge = serve(cacheBehaviors=[
        behavior(pathPattern="/moved/*", viewerProtocolPolicy="redirect-to-https", allowedMethods=["ALL"]),
        behavior(pathPattern="/secure/*", viewerProtocolPolicy="https-only")])
    answer = edge.get("/moved/a?b=c")
    assert (answer.status, answer.headers["location"]) == (301, "https://shop.test/moved/a?b=c")
    assert edge.request("POST", "/moved/a", b"x").status == 307
    assert edge.get("/secure/a").status == 403
    assert edge.get("/secure/a", tls=True).status == 200


def test_the_first_behavior_that_matches_counts(serve, origin):
    for path in ("/a/1.png", "/a/1.txt", "/b"):
        origin.page(path)
    edge = serve(header_policy("one", X_Behavior="png"), header_policy("two", X_Behavior="a"),
                 header_policy("rest", X_Behavior="default"),
                 cacheBehaviors=[behavior(pathPattern="/a/*.png", responseHeadersPolicy="one"),
                                 behavior(pathPattern="/a/*", responseHeadersPolicy="two")],
                 default=behavior(responseHeadersPolicy="rest"))
    assert [edge.get(path).headers["x-behavior"] for path in ("/a/1.png", "/a/1.txt", "/b")] == ["png", "a", "default"]


def test_headers_policy_adds_overrides_and_removes(serve, origin):
    origin.page("/page", X_Powered_By="secret", X_Keep="origin", X_Win="origin")
    edge = serve(resource("ResponseHeadersPolicy", "mark", {
        "customHeaders": [{"header": "X-Keep", "value": "edge"}, {"header": "X-Win", "value": "edge", "override": True},
                          {"header": "X-New", "value": "edge"}],
        "removeHeaders": ["X-Powered-By"]}), default=behavior(responseHeadersPolicy="mark"))
    for _ in range(2):
        headers = edge.get("/page").headers
        assert (headers["x-keep"], headers["x-win"], headers["x-new"]) == ("origin", "edge", "edge")
        assert "x-powered-by" not in headers


def test_an_edited_headers_policy_acts_on_what_is_stored(serve, origin, repository):
    origin.page("/page")
    edge = serve(header_policy(X_Mark="one"), default=behavior(responseHeadersPolicy="mark"))
    assert edge.get("/page").headers["x-mark"] == "one"
    repository.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                   header_policy(X_Mark="two"))
    edge.apply(repository)
    answer = edge.get("/page")
    assert answer.is_hit and answer.headers["x-mark"] == "two"


def test_an_error_page_from_the_origin_and_one_from_the_repository(serve, origin, repository):
    origin.page("/404.html", "not here\n", Content_Type="text/html")
    repository.write("pages/500.html", "<h1>from the repository</h1>\n")
    origin.page("/broken", "stack trace", status=500)
    edge = serve(customErrorResponses=[
        {"errorCode": 404, "responseCode": 200, "responsePagePath": "/404.html", "errorCachingMinTTL": "10s"},
        {"errorCode": 500, "responseCode": 503, "inlineBody": {"file": "pages/500.html"}, "errorCachingMinTTL": "10s"}])
    for _ in range(2):
        missing = edge.get("/missing")
        assert (missing.status, missing.body) == (200, b"not here\n")
        broken = edge.get("/broken")
        assert (broken.status, broken.body) == (503, b"<h1>from the repository</h1>\n")
        assert broken.headers["content-type"].startswith("text/html")
    assert origin.count("/missing") == 1
    assert origin.count("/broken") == 1


def test_an_error_is_not_cached_without_being_listed(serve, origin):
    edge = serve()
    assert [edge.get("/missing").status for _ in range(2)] == [404, 404]
    assert origin.count("/missing") == 2


def test_ttl_is_bounded_by_the_policy(serve, origin):
    origin.page("/long", Cache_Control="max-age=86400")
    origin.page("/short", Cache_Control="max-age=0")
    edge = serve(cache_policy("bounded", minimum="1h", default="1h", maximum="2h"), default=behavior(cachePolicy="bounded"))
    for path, ttl in (("/long", 7200), ("/short", 3600)):
        edge.get(path)
        answer = edge.get(path)
        assert answer.is_hit
        left = int(answer.cache_status.split("ttl=")[1].split(";")[0])
        assert ttl - 60 <= left <= ttl


def test_an_expired_page_is_revalidated(serve, origin):
    origin.route("/page", Reply(body=b"body", etag='"1"', headers={"Cache-Control": "max-age=0"}))
    edge = serve()
    assert edge.get("/page").body == b"body"
    again = edge.get("/page")
    assert (again.status, again.body) == (200, b"body")
    assert [r.header("If-None-Match") for r in origin.requests_to("/page")] == [None, '"1"']


@pytest.mark.parametrize("target", ["/a%20b?q=%2F/./x", "/%E2%82%AC", "/a//b", "/a%2Fb", "/a;b,c"])
def test_a_canonical_path_goes_to_the_origin_as_it_was_sent(serve, origin, target):
    path = target.partition("?")[0]
    origin.page(path)
    edge = serve(cache_policy("all-queries", queryStrings={"behavior": "all"}), default=behavior(cachePolicy="all-queries"))
    assert edge.get(target).status == 200
    assert origin.requests[0].target == target


def test_origin_path_and_custom_headers(serve, origin):
    origin.page("/live/page")
    edge = serve(origins=[origin_of("main", origin.port, originPath="/live", customHeaders={"X-Edge-Auth": {"value": "s3cret"}})])
    assert edge.get("/page", X_Edge_Auth="forged").status == 200
    assert origin.requests[0].header("X-Edge-Auth") == "s3cret"


def test_a_distribution_that_is_off_answers_503(serve, origin):
    edge = serve(enabled=False)
    assert edge.get("/").status == 503
    assert origin.requests == []
