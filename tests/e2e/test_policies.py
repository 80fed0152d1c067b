# SPDX-License-Identifier: MIT
"""What makes two requests one, and what the origin gets to see: every mode of cache and origin request policies, over the wire."""
import threading

import pytest

from harness import behavior, cache_policy, distribution, headgate, invalidation, resource, until
from origin import Reply

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148"
OTHER_PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126.0 Mobile Safari/537.36"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0"


@pytest.fixture
def keyed(serve, origin):
    """An edge with the cache policy `keyed` of these parameters, and perhaps an origin request policy `forward`."""
    origin.otherwise(Reply(body=b"page\n", headers={"Cache-Control": "max-age=600"}))

    def start(forward=None, **parameters):
        resources = [cache_policy("keyed", **parameters)]
        fields = {"cachePolicy": "keyed"}
        if isinstance(forward, str):
            fields["originRequestPolicy"] = forward
        elif forward:
            nothing = {name: {"behavior": "none"} for name in ("headers", "cookies", "queryStrings")}
            resources.append(resource("OriginRequestPolicy", "forward", {**nothing, **forward}))
            fields["originRequestPolicy"] = "forward"
        return serve(*resources, default=behavior(**fields))

    return start


def same(edge, *requests):
    """Whether these requests, (target, headers), are one to the cache."""
    answers = [edge.get(target, **headers) for target, headers in requests]
    assert not answers[0].is_hit
    return all(answer.is_hit for answer in answers[1:])


@pytest.mark.parametrize("selection, one, other, expected_same, sent", [
    ({"behavior": "none"}, "/p?a=1", "/p?a=2&b=3", True, "/p"),
    ({"behavior": "whitelist", "items": ["a"]}, "/p?a=1&b=1", "/p?b=2&a=1", True, "/p?a=1"),
    ({"behavior": "whitelist", "items": ["a"]}, "/p?a=1", "/p?a=2", False, "/p?a=1"),
    ({"behavior": "whitelist", "items": ["a"]}, "/p?A=1", "/p?A=2", True, "/p"),
    ({"behavior": "allExcept", "items": ["b"]}, "/p?a=1&b=1", "/p?a=1&b=2", True, "/p?a=1"),
    ({"behavior": "allExcept", "items": ["b"]}, "/p?c=1", "/p?c=2", False, "/p?c=1"),
    ({"behavior": "all"}, "/p?a=1&b=1", "/p?b=1&a=1", False, "/p?a=1&b=1"),
])
def test_query_strings_in_the_key(keyed, origin, selection, one, other, expected_same, sent):
    edge = keyed(queryStrings=selection)
    assert same(edge, (one, {}), (other, {})) is expected_same
    assert origin.requests[0].target == sent


@pytest.mark.parametrize("selection, one, other, expected_same, sent", [
    ({"behavior": "none"}, "a=1", "a=2", True, None),
    ({"behavior": "whitelist", "items": ["a"]}, "a=1; b=1", "b=2; a=1", True, "a=1"),
    ({"behavior": "whitelist", "items": ["a"]}, "a=1", "a=2", False, "a=1"),
    ({"behavior": "allExcept", "items": ["b"]}, "a=1; b=1", "a=1; b=2", True, "a=1"),
    ({"behavior": "all"}, "a=1", "a=1; b=1", False, "a=1"),
])
def test_cookies_in_the_key(keyed, origin, selection, one, other, expected_same, sent):
    edge = keyed(cookies=selection)
    assert same(edge, ("/p", {"Cookie": one}), ("/p", {"Cookie": other})) is expected_same
    assert origin.requests[0].header("Cookie") == sent


def test_headers_in_the_key(keyed, origin):
    edge = keyed(headers={"behavior": "whitelist", "items": ["X-Tenant"]})
    assert same(edge, ("/p", {"X_Tenant": "a", "X_Other": "1"}), ("/p", {"X_Tenant": "a", "X_Other": "2"}))
    assert not edge.get("/p", X_Tenant="b").is_hit and not edge.get("/p").is_hit
    assert origin.requests[0].header("X-Tenant") == "a" and origin.requests[0].header("X-Other") is None


@pytest.mark.parametrize("headers, sees, misses", [
    ({"behavior": "none"}, [], ["Referer", "X-Own", "User-Agent"]),
    ({"behavior": "whitelist", "items": ["Referer"]}, ["Referer"], ["X-Own", "User-Agent"]),
    ({"behavior": "allViewer"}, ["Referer", "X-Own", "User-Agent"], ["CloudFront-Forwarded-Proto"]),
    ({"behavior": "allViewerAndWhitelistCloudFront", "items": ["CloudFront-Forwarded-Proto", "CloudFront-Is-Mobile-Viewer"]},
     ["Referer", "X-Own", "User-Agent", "CloudFront-Forwarded-Proto", "CloudFront-Is-Mobile-Viewer"], []),
    ({"behavior": "allExcept", "items": ["Referer"]}, ["X-Own", "User-Agent"], ["Referer"]),
])
def test_headers_that_go_to_the_origin_in_all_five_modes(keyed, origin, headers, sees, misses):
    edge = keyed(forward={"headers": headers})
    sent = {"Referer": "r", "X_Own": "1", "User_Agent": PHONE}
    assert same(edge, ("/p", sent), ("/p", {**sent, "X_Own": "2", "Referer": "other"}))  # forwarded is not keyed
    request = origin.requests[0]
    assert [name for name in sees if request.header(name) is None] == []
    assert [name for name in misses if request.header(name) is not None] == []
    forwards_host = headers["behavior"] not in ("none", "whitelist")
    assert (request.header("Host") == "shop.test") is forwards_host
    if "CloudFront-Is-Mobile-Viewer" in sees:
        assert request.header("CloudFront-Is-Mobile-Viewer") == "true"


@pytest.mark.parametrize("selection, query, cookie", [
    ({"behavior": "none"}, "/p", None), ({"behavior": "all"}, "/p?a=1&b=2", "a=1; b=2"),
    ({"behavior": "whitelist", "items": ["b"]}, "/p?b=2", "b=2"), ({"behavior": "allExcept", "items": ["b"]}, "/p?a=1", "a=1")])
def test_queries_and_cookies_that_go_to_the_origin(keyed, origin, selection, query, cookie):
    edge = keyed(forward={"queryStrings": selection, "cookies": selection})
    assert same(edge, ("/p?a=1&b=2", {"Cookie": "a=1; b=2"}), ("/p?a=3", {"Cookie": "a=4"}))
    assert (origin.requests[0].target, origin.requests[0].header("Cookie")) == (query, cookie)


def test_equal_queries_become_one(keyed, origin):
    edge = keyed(queryStrings={"behavior": "all"}, normalize={"dropQuery": ["utm_*", "fbclid"], "sortQuery": True})
    assert same(edge, ("/p?b=2&a=1&utm_source=x", {}), ("/p?fbclid=1&a=1&b=2", {}), ("/p?a=1&utm_medium=m&b=2&utm_=", {}))
    assert not edge.get("/p?a=1&b=3").is_hit
    assert origin.requests[0].target == "/p?a=1&b=2"


def test_a_purge_names_the_normalised_path(keyed, origin, repository):
    edge = keyed(queryStrings={"behavior": "all"}, normalize={"sortQuery": True})
    edge.get("/p?b=2&a=1")
    edge.apply(repository, "purge.yaml", invalidation("purge", "/p?a=1&b=2", mode="delete"))
    assert not edge.get("/p?b=2&a=1").is_hit


def test_hosts_are_one_whatever_their_case(keyed, origin):
    edge = keyed(headers={"behavior": "whitelist", "items": ["Host"]}, normalize={"lowercaseHost": True})
    assert same(edge, ("/p", {"host": "SHOP.Test"}), ("/p", {"host": "shop.test"}))
    assert origin.requests[0].header("Host") == "shop.test"


def test_languages_are_those_that_there_are(keyed, origin):
    edge = keyed(normalize={"language": {"supported": ["en", "de"], "default": "en"}})
    origin.otherwise(lambda request: Reply(body=request.header("Accept-Language").encode(),
                                           headers={"Cache-Control": "max-age=600", "Vary": "Accept-Language"}))
    for accepted, language in (("de-AT,de;q=0.9", b"de"), ("de", b"de"), ("fr, de;q=0.1", b"de"), ("fr", b"en"), ("en-GB", b"en")):
        assert edge.get("/p", Accept_Language=accepted).body == language
    assert edge.get("/p").body == b"en"
    assert origin.count("/p") == 2


def test_devices_are_classes(keyed, origin):
    edge = keyed(normalize={"device": True})
    origin.otherwise(Reply(body=b"page", headers={"Cache-Control": "max-age=600", "Vary": "User-Agent"}))
    assert same(edge, ("/p", {"User_Agent": PHONE}), ("/p", {"User_Agent": OTHER_PHONE}))
    assert same(edge, ("/p", {"User_Agent": DESKTOP}), ("/p", {"User_Agent": "curl/7"}))
    assert origin.count("/p") == 2
    assert origin.requests[0].header("CloudFront-Is-Mobile-Viewer") == "true"
    assert origin.requests[1].header("CloudFront-Is-Desktop-Viewer") == "true"


def test_explain_shows_the_normalised_key(repository, origin):
    repository.put("shop.yaml", distribution(origin.port, default=behavior(cachePolicy="keyed", compress=True)), cache_policy(
        "keyed", queryStrings={"behavior": "all"}, enableAcceptEncodingBrotli=True,
        normalize={"dropQuery": ["utm_*"], "sortQuery": True, "language": {"supported": ["en", "de"]}, "device": True}))
    shown = headgate("explain", "GET", "http://shop.test/p?utm_source=x&b=2&a=1", "-H", "Accept-Language: de-AT", "-H",
                     f"User-Agent: {PHONE}", "-H", "Accept-Encoding: gzip, br", "--repo", repository.path, check=0).stdout
    for line in ("/p?a=1&b=2", "accept-language:de", "device:mobile", "br made by the edge; br for this request"):
        assert line in shown, shown


def cookies(origin):
    origin.page("/cookie", set_cookie="id=1", cache_control="max-age=600")
    origin.page("/plain", cache_control="max-age=600")


def test_responses_with_set_cookie_are_stored_as_they_say(serve, origin):
    cookies(origin)
    edge = serve()
    edge.get("/cookie")
    answer = edge.get("/cookie")
    assert answer.is_hit and answer.headers["set-cookie"] == "id=1"


def test_cache_set_cookie_false_keeps_them_out_also_those_that_are_stored_already(serve, origin, repository):
    cookies(origin)
    edge = serve()
    for path in ("/cookie", "/plain"):
        edge.get(path)
        assert edge.get(path).is_hit
    strict = cache_policy()
    strict["spec"]["cacheSetCookie"] = False
    edge.apply(repository, "shop.yaml", distribution(origin.port), strict)
    assert edge.get("/plain").is_hit
    for _ in range(2):
        answer = edge.get("/cookie")
        assert (answer.is_hit, answer.headers["set-cookie"]) == (False, "id=1")
    assert origin.count("/cookie") == 3


@pytest.mark.parametrize("status", [200, 503])
def test_cookies_are_not_shared_with_those_who_wait(serve, origin, status):
    gate = threading.Event()
    numbers = iter(range(100))
    lock = threading.Lock()

    def personal(request):
        with lock:
            number = next(numbers)
        return Reply(status, b"x", wait=gate, headers={"Set-Cookie": f"id={number}", "Cache-Control": "max-age=600"})

    origin.route("/cookie", personal)
    strict = cache_policy("strict")
    strict["spec"]["cacheSetCookie"] = False
    edge = serve(strict, default=behavior(cachePolicy="strict"))
    answers = []
    viewers = [threading.Thread(target=lambda: answers.append(edge.get("/cookie").headers["set-cookie"])) for _ in range(8)]
    for viewer in viewers:
        viewer.start()
    assert origin.wait_count("/cookie", 1)
    gate.set()
    for viewer in viewers:
        viewer.join()
    assert len(set(answers)) == 8, answers


def test_who_waits_for_a_fetch_of_another_policy_goes_by_its_own(serve, origin, repository):
    gate = threading.Event()
    answers = [Reply(body=b"x", wait=gate, headers={"Set-Cookie": f"id={n}", "Cache-Control": "max-age=600"}) for n in (1, 2)]
    origin.route("/cookie", *answers)
    edge = serve()
    got = []
    ask = lambda: got.append(edge.get("/cookie").headers["set-cookie"])
    first = threading.Thread(target=ask)
    first.start()
    assert origin.wait_count("/cookie", 1)
    strict = cache_policy()
    strict["spec"]["cacheSetCookie"] = False
    edge.apply(repository, "shop.yaml", distribution(origin.port), strict)
    second = threading.Thread(target=ask)
    second.start()
    until(lambda: sum(edge.metric("headgate_connections_total").values()) == 2, "the second to have come")
    gate.set()
    for viewer in (first, second):
        viewer.join()
    assert sorted(got) == ["id=1", "id=2"]


def test_a_304_that_brings_a_cookie_is_not_shared(serve, origin):
    origin.route("/page", Reply(body=b"x", etag='"1"', headers={"Cache-Control": "max-age=0"}),
                 Reply(body=b"x", etag='"1"', headers={"Cache-Control": "max-age=600", "Set-Cookie": "id=1"}))
    strict = cache_policy("strict")
    strict["spec"]["cacheSetCookie"] = False
    edge = serve(strict, default=behavior(cachePolicy="strict"))
    assert "set-cookie" not in edge.get("/page").headers
    answer = edge.get("/page")
    assert (answer.status, answer.body, answer.headers["set-cookie"]) == (200, b"x", "id=1")
    again = edge.get("/page")
    assert not again.is_hit and origin.count("/page") == 3
