# SPDX-License-Identifier: MIT
"""Managed groups and what origins answer: judged before a viewer has any of it, and never stored when refused."""
import ctypes
import gzip
import json
import re
import threading
import zlib

import pytest

from harness import DEADLINE, behavior, cache_policy, curl, memory, until, warm_list
from origin import Reply
from test_waf import DEBUG, acl, rule, samples

SQL = b"<p>You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version</p>"
PHP = b"<b>Fatal error</b>: Call to undefined function foo() in <b>/srv/www/index.php</b> on line 7"
SOURCE = b"<?php $password = 'secret'; echo mysql_connect($host, $password); ?>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
FINE = b"<p>fine</p>"


def brotli(octets):
    size = ctypes.c_size_t(len(octets) + 1024)
    out = ctypes.create_string_buffer(size.value)
    assert ctypes.CDLL("libbrotlienc.so.1").BrotliEncoderCompress(5, 22, 0, ctypes.c_size_t(len(octets)), octets, ctypes.byref(size), out)
    return out.raw[:size.value]


def zstd(octets):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(len(octets) + 1024)
    size = library.ZSTD_compress(out, ctypes.c_size_t(len(out)), octets, ctypes.c_size_t(len(octets)), 3)
    return out.raw[:size]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where the edges of this file keep the CRS once it is compiled, which takes seconds."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def guarded(serve, tmp_path, compiled):
    """An edge whose distribution has the CRS; `spec` is the ACL's."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/waf").symlink_to(compiled)

    def start(group=(), action=None, flags=(), behaviors=(), distribution=None, **spec):
        crs = {"name": "crs", "managed": {"group": "owasp-crs", **dict(group)}, **({"action": action} if action else {})}
        crs.update({key: spec.pop(key) for key in ("override", "exclude", "when") if key in spec})
        return serve(acl(*spec.pop("first", ()), crs, **spec), flags=(*DEBUG, *flags), webAclRef="acl",
                     default=behavior(allowedMethods=["ALL"]), cacheBehaviors=list(behaviors), **(distribution or {}))
    return start


# --- What is refused, and how --------------------------------------------------------------------------------------


def test_an_sql_error_reaches_nobody_and_does_not_enter_the_cache(guarded, origin, tmp_path):
    origin.route("/page", Reply(body=SQL, headers=HTML), Reply(body=FINE, headers=HTML))
    edge = guarded(flags=("--access-log", tmp_path / "log"))
    answer = edge.get("/page")
    assert (answer.status, answer.headers["x-waf-rules"]) == (403, "951230,959100")
    assert answer.headers["proxy-status"] == 'headgate; error=http_request_denied; details="waf crs"'
    assert b"SQL syntax" not in answer.body and b"reason: waf" in answer.body
    assert edge.get("/page").body == FINE
    assert edge.get("/page").is_hit
    assert origin.count("/page") == 2
    assert samples(edge)["crs", "response_block"] == 1
    until(lambda: edge.metric("headgate_edge_responses_total").get('reason="waf"') == 1, "the count, which is after the answer")
    line = until(lambda: [line for line in map(json.loads, (tmp_path / "log").read_text().splitlines()) if line["status"] == 403], "it")[0]
    assert (line["reason"], line["waf_rule"], line["waf_matched"], line["origin_status"]) == ("waf", "crs", "951230,959100", 200)


LEAKS = {  # paranoia, reply, the rule that sees it
    "an SQL error": (1, Reply(body=SQL, headers=HTML), "951230"),
    "a PHP error": (1, Reply(body=PHP, headers=HTML), "953100"),
    "PHP source": (1, Reply(body=SOURCE, headers=HTML), "953120"),
    "text without a type": (1, Reply(body=SQL), "951230"),
    "a status, from paranoia 2 on": (2, Reply(status=500, body=b"sorry", headers=HTML), "950100"),
    "a status, of what is no text": (2, Reply(status=500, body=b"\x89PNG", headers={"Content-Type": "image/png"}), "950100"),
}


@pytest.mark.parametrize("paranoia,reply,number", LEAKS.values(), ids=LEAKS)
def test_leaks(guarded, origin, paranoia, reply, number):
    origin.route("/page", reply)
    edge = guarded(group={"paranoia": paranoia})
    answer = edge.get("/page")
    assert answer.status == 403 and number in answer.headers["x-waf-rules"].split(",")


def test_what_passes(guarded, origin):
    origin.route("/error", Reply(status=500, body=b"sorry", headers=HTML))
    origin.route("/json", Reply(body=SQL, headers={"Content-Type": "application/json"}))
    origin.route("/nothing", Reply(status=204))
    origin.route("/empty", Reply(headers=HTML))
    edge = guarded()
    assert edge.get("/error").status == 500
    assert edge.get("/json").body == SQL
    assert edge.get("/nothing").status == 204
    assert edge.get("/empty").body == b""
    assert edge.request("HEAD", "/json").headers["content-length"] == str(len(SQL))
    assert ("crs", "response_block") not in {key for key, value in samples(edge).items() if value}


def test_what_the_cache_has_nothing_to_do_with_is_judged_too(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    origin.route("/fine", Reply(body=FINE, headers=HTML))
    edge = guarded(behaviors=[behavior(pathPattern="/api/*", allowedMethods=["ALL"], cachePolicy="Managed-CachingDisabled")])
    assert edge.get("/api/page").status == 403
    assert edge.request("POST", "/page", b"a=b", Content_Type="application/x-www-form-urlencoded").status == 403
    assert edge.request("POST", "/fine", b"a=b", Content_Type="application/x-www-form-urlencoded").body == FINE
    assert curl("--http2", f"https://{edge.https}/api/page").status == 403


def test_who_comes_with_new_rules_waits_for_no_fetch_from_before_them(serve, origin, repository, compiled, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/waf").symlink_to(compiled)
    go, first = threading.Event(), []

    def page(_):
        if len(origin.requests) == 1:
            assert go.wait(DEADLINE)
        return Reply(body=SQL, headers={**HTML, "Cache-Control": "no-store"})

    origin.route("/page", page)
    edge = serve()
    viewer = threading.Thread(target=lambda: first.append(edge.get("/page")))
    viewer.start()
    until(lambda: len(origin.requests) == 1, "the origin to be asked")
    shop = json.loads((repository.path / "shop.yaml").read_text().split("\n---\n")[0])
    shop["spec"]["webAclRef"] = "acl"
    edge.apply(repository, "shop.yaml", shop, cache_policy(), acl({"name": "crs", "managed": {"group": "owasp-crs"}}))
    assert edge.get("/page").status == 403
    go.set()
    viewer.join()
    assert first[0].body == SQL


LONG = FINE * 10_000 + SQL


@pytest.mark.parametrize("most,spec,late", [("64KiB", {}, 200), ("64KiB", {"responseOversize": "match"}, 403), ("256MiB", {}, 403)],
                         ids=["its beginning", "refused", "room"])
def test_without_memory_to_hold_it_a_response_is_judged_by_what_there_is(guarded, origin, tmp_path, most, spec, late):
    config = tmp_path / "edge.yaml"
    config.write_text(f"apiVersion: headgate/v1\nkind: Edge\nspec: {{ limits: {{ maxHeldBodies: {most} }} }}\n")
    origin.route("/late", Reply(body=LONG, headers=HTML))
    origin.route("/early", Reply(body=SQL + FINE * 100, headers=HTML))
    edge = guarded(flags=("--config", config), body=spec)
    answer = edge.get("/late")
    assert answer.status == late and (late == 403 or answer.body == LONG)
    assert edge.get("/early").status == 403
    until(lambda: edge.metric("headgate_waf_held_body_bytes")[""] == 0, "nothing that is held")


def test_the_rules_own_answer_and_pages_for_errors(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    own = guarded(action={"block": {"status": 502, "body": "no luck", "headers": {"X-Why": "leak"}}})
    answer = own.get("/page")
    assert (answer.status, answer.body, answer.headers["x-why"]) == (502, b"no luck", "leak")


def test_a_custom_error_page_stands_in_and_is_judged_itself(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    origin.route("/denied.html", Reply(body=b"<p>denied</p>", headers={**HTML, "Cache-Control": "no-store"}), Reply(body=PHP, headers=HTML))
    pages = [{"errorCode": 403, "responseCode": 403, "responsePagePath": "/denied.html"}]
    edge = guarded(distribution={"customErrorResponses": pages})
    assert edge.get("/page").body == b"<p>denied</p>"
    answer = edge.get("/page")
    assert answer.status == 403 and b"reason: waf" in answer.body


# --- The cache -----------------------------------------------------------------------------------------------------


def test_hits_are_not_judged_again(guarded, origin, repository):
    """What is in the cache was judged by the rules of its time; a stricter commit is for what comes."""
    origin.route("/page", Reply(body=SQL, headers=HTML))
    edge = guarded(body={"response": "0B"})
    assert edge.get("/page").body == SQL
    text = (repository.path / "shop.yaml").read_text()
    repository.write("shop.yaml", text.replace('"response": "0B"', '"response": "64KiB"'))
    edge.apply(repository)
    assert edge.get("/page").is_hit
    assert origin.count("/page") == 1
    assert edge.request("POST", "/page").status == 403


def test_followers_of_one_fetch_get_the_same_and_the_origin_is_asked_once(guarded, origin):
    go = threading.Event()
    origin.route("/page", Reply(body=SQL, headers=HTML, wait_body=go), Reply(body=FINE, headers=HTML))
    origin.page("/other")
    edge = guarded(flags=("--threads", "1"))
    viewers = [edge.socket() for _ in range(8)]
    for viewer in viewers:
        viewer.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
    assert edge.get("/other").status == 200  # the one worker has read what came before
    go.set()
    for viewer in viewers:
        octets = b"".join(iter(lambda: viewer.recv(65536), b""))  # noqa: B023
        viewer.close()
        assert octets.startswith(b"HTTP/1.1 403") and b"x-waf-rules: 951230,959100" in octets.lower()
    assert origin.count("/page") == 1
    assert samples(edge)["crs", "response_block"] == 1


def test_stale_is_served_instead_of_an_error_that_is_refused(guarded, origin):
    origin.route("/page", Reply(body=FINE, headers={**HTML, "Cache-Control": "max-age=0, stale-if-error=600", "ETag": '"1"'}),
                 Reply(status=500, body=b"sorry", headers=HTML), Reply(body=SQL, headers=HTML))
    edge = guarded(group={"paranoia": 2})
    assert edge.get("/page").body == FINE
    stale = edge.get("/page")
    assert (stale.status, stale.body) == (200, FINE)
    assert edge.get("/page").status == 403  # no error by its status: the page has changed
    assert origin.count("/page") == 3


def test_a_304_is_about_what_was_judged(guarded, origin):
    origin.route("/page", Reply(body=FINE, etag='"1"', headers={**HTML, "Cache-Control": "max-age=0"}))
    edge = guarded()
    assert edge.get("/page").body == FINE
    again = edge.get("/page")
    assert (again.status, again.body) == (200, FINE)
    assert origin.requests[-1].header("If-None-Match") == '"1"'


def in_parts(body):
    """An origin's answers about a text that it also gives in parts."""
    def answer(request):
        headers = {**HTML, "ETag": '"1"', "Accept-Ranges": "bytes", "Cache-Control": "max-age=600"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("Range", ""))
        if not asked:
            return Reply(body=body, headers=headers)
        first, end = int(asked[1]), int(asked[2]) + 1
        return Reply(206, body[first:end], {**headers, "Content-Range": f"bytes {first}-{end - 1}/{len(body)}"})
    return answer


def test_a_large_object_is_judged_by_its_beginning(guarded, origin):
    body = FINE * ((20 << 20) // len(FINE)) + SQL  # far above what 64 MiB of cache keep in one piece
    origin.route("/fine", in_parts(body))
    origin.route("/leak", in_parts(SQL + body))
    edge = guarded()
    assert edge.get("/leak").status == 403 and origin.count("/leak") == 1
    assert edge.get("/fine").body == body
    assert origin.count("/fine") > 20
    until(lambda: edge.get("/fine", Range=f"bytes={len(body) - 10}-").is_hit, "the last slice to be stored")
    assert edge.get("/fine").is_hit


def test_a_warm_list_puts_nothing_into_the_cache_that_viewers_would_not_get(guarded, origin, repository):
    origin.route("/page", Reply(body=SQL, headers=HTML), Reply(body=FINE, headers=HTML))
    origin.route("/fine", Reply(body=FINE, headers=HTML))
    edge = guarded()
    edge.apply(repository, "warm.yaml", warm_list("start", "/page", "/fine"))
    edge.warmed()
    assert (origin.count("/page"), origin.count("/fine")) == (1, 1)
    assert edge.get("/fine").is_hit
    answer = edge.get("/page")
    assert (answer.is_hit, answer.body) == (False, FINE)


# --- How far -------------------------------------------------------------------------------------------------------


PADDING = b"<p>" + b"x " * 2000 + b"</p>"


@pytest.mark.parametrize("oversize,status", [("continue", 200), ("match", 403), ("no_match", 200)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_longer_body_is_a_decision_and_streams_on(guarded, origin, oversize, status, framing):
    long = PADDING + SQL + b"y" * 300_000
    origin.route("/late", Reply(body=long, headers=HTML, framing=framing))
    origin.route("/early", Reply(body=SQL + long, headers=HTML, framing=framing))
    edge = guarded(body={"response": "1KiB", "responseOversize": oversize})
    answer = edge.get("/late")
    assert answer.status == status
    if status == 200:
        assert answer.body == long
        assert edge.get("/late").is_hit and edge.get("/late").body == long
    assert edge.get("/early").status == (200 if oversize == "no_match" else 403)


def test_what_is_behind_the_inspected_beginning_is_not_waited_for(guarded, origin):
    go = threading.Event()
    origin.route("/page", Reply(body=b"x" * 100_000, headers=HTML, wait_after=(50_000, go)))
    edge = guarded(body={"response": "1KiB"})
    with edge.socket() as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        octets = b""
        while len(octets) < 50_000:  # the origin has not sent the rest yet
            octets += client.recv(65536)
        assert octets.startswith(b"HTTP/1.1 200")
    go.set()


def test_nothing_is_sent_before_the_verdict(guarded, origin):
    go = threading.Event()
    body = PADDING + SQL
    reply = origin.route("/page", Reply(body=body, headers=HTML, wait_after=(len(PADDING), go)))
    origin.page("/other")
    edge = guarded(flags=("--threads", "1"))
    with edge.socket() as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        until(lambda: reply.progress.pushed == len(PADDING), "the beginning")
        assert edge.get("/other").status == 200  # the one worker has read what came before
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        go.set()
        client.settimeout(DEADLINE)
        assert client.recv(65536).startswith(b"HTTP/1.1 403")


def test_a_slow_reader_pauses_the_origin_as_ever(guarded, origin):
    reply = origin.route("/page", Reply(size=64 << 20, headers={**HTML, "Cache-Control": "no-store"}))
    edge = guarded(body={"response": "1KiB"})
    with edge.socket() as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        assert reply.progress.wait_blocked()
        assert reply.progress.pushed < 32 << 20


def test_an_origin_that_breaks_off_is_an_error_of_its_own(guarded, origin):
    origin.route("/page", Reply(body=FINE * 100, headers=HTML, truncate=50))
    edge = guarded()
    answer = edge.get("/page")
    assert answer.status == 502 and "waf" not in answer.headers["proxy-status"]


# --- Encodings -----------------------------------------------------------------------------------------------------


CODINGS = {"gzip": lambda octets: gzip.compress(octets, mtime=0), "br": brotli, "zstd": zstd, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODINGS)
def test_what_the_origin_has_encoded_is_decoded_to_be_judged(guarded, origin, coding):
    encode = CODINGS[coding]
    origin.route("/leak", Reply(body=encode(b"z" * 5000 + SQL), headers={**HTML, "Content-Encoding": coding}))
    origin.route("/fine", Reply(body=encode(FINE * 1000), headers={**HTML, "Content-Encoding": coding}))
    edge = guarded()
    assert edge.get("/leak", Accept_Encoding=coding).status == 403
    fine = edge.get("/fine", Accept_Encoding=coding)
    assert (fine.status, fine.headers["content-encoding"], fine.body) == (200, coding, encode(FINE * 1000))
    assert ("crs", "response_unread") not in {key for key, value in samples(edge).items() if value}


def test_what_cannot_be_decoded_passes_and_is_counted(guarded, origin):
    origin.route("/unknown", Reply(body=SQL, headers={**HTML, "Content-Encoding": "rot13"}))
    origin.route("/twice", Reply(body=gzip.compress(gzip.compress(SQL)), headers={**HTML, "Content-Encoding": "gzip, gzip"}))
    origin.route("/broken", Reply(body=b"no gzip at all" * 100, headers={**HTML, "Content-Encoding": "gzip"}))
    edge = guarded()
    assert [edge.get(path).status for path in ("/unknown", "/twice", "/broken")] == [200] * 3
    assert samples(edge)["crs", "response_unread"] == 3


def test_a_bomb_is_decoded_as_far_as_is_looked_at(guarded, origin):
    body = gzip.compress(bytes(256 << 20))
    origin.route("/page", Reply(body=body, headers={**HTML, "Content-Encoding": "gzip", "Cache-Control": "no-store"}))
    edge = guarded()
    before = memory(edge, "VmHWM")
    answer = edge.get("/page")
    assert (answer.status, answer.body == body) == (200, True)
    assert memory(edge, "VmHWM") - before < 32 << 20


# --- What the ACL says ---------------------------------------------------------------------------------------------


def test_count_overrides_exclusions_thresholds(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    edge = guarded(exclude=[{"rule": "951000-951999", "path": {"prefix": "/docs/"}}])
    assert edge.get("/docs/sql").status == 200
    assert edge.get("/page").status == 403


def test_a_group_that_only_counts(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    edge = guarded(action="count")
    answer = edge.get("/page")
    assert (answer.status, answer.body, answer.headers["x-waf-rules"]) == (200, SQL, "951230,959100")
    assert samples(edge)["crs", "response_count"] == 1


def test_a_rule_that_only_counts(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    edge = guarded(override={"951230": "count"})
    answer = edge.get("/page")
    assert (answer.status, answer.headers["x-waf-rules"]) == (200, "951230")


def test_a_higher_threshold(guarded, origin):
    origin.otherwise(Reply(body=SQL, headers=HTML))
    assert guarded(group={"threshold": {"outbound": 100}}).get("/page").status == 200


def test_whoever_asks_first_what_is_stored_was_judged(guarded, origin):
    """The group's `when` and the rules before it are about requests: the cache would give the answer to everybody."""
    origin.otherwise(Reply(body=SQL, headers=HTML))
    edge = guarded(first=[rule("friend", {"header": {"name": "x-friend", "exact": "1"}}, "allow")],
                   when={"path": {"prefix": "/elsewhere"}})
    assert edge.get("/page", X_Friend="1").status == 403
    assert edge.get("/page").status == 403


def test_without_a_group_nothing_is_held(serve, origin):
    go = threading.Event()
    origin.route("/page", Reply(body=SQL, headers=HTML, wait_after=(10, go)))
    edge = serve(acl(rule("other", {"path": {"exact": "/x"}})), webAclRef="acl")
    with edge.socket() as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        octets = b""
        while not octets.endswith(SQL[:10]):
            octets += client.recv(65536)
        go.set()
        while not octets.endswith(SQL):
            octets += client.recv(65536)
    assert octets.startswith(b"HTTP/1.1 200")
