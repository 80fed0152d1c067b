# SPDX-License-Identifier: MIT
"""Encodings that the edge makes of what it caches: negotiation, validators, ranges, eligibility, purge, metrics."""
import gzip
import subprocess
import threading

import pytest

from harness import BrokenTransfer, behavior, cache_policy, curl, invalidation, until
from origin import Reply

TEXT = b"".join(b"line %d of a page that compresses well\n" % i for i in range(4000))  # about 150 KiB
SMALL = TEXT[:5000]
ENCODINGS = ("br", "zstd", "gzip")


def decoded(answer):
    """The body of an answer as it was before its Content-Encoding, by decoders that are not ours."""
    encoding = answer.headers.get("content-encoding")
    if encoding is None:
        return answer.body
    if encoding == "gzip":
        return gzip.decompress(answer.body)
    assert encoding == "zstd"
    return subprocess.run(["zstd", "-d", "-c"], input=answer.body, capture_output=True, check=True).stdout


@pytest.fixture
def compressing(serve):
    """An edge that compresses in all three encodings; fields of the distribution's spec as keywords."""

    def start(*resources, compress=True, parameters=None, **spec):
        policy = cache_policy("compressing", **(parameters or {f"enableAcceptEncoding{name}": True for name in ("Gzip", "Brotli", "Zstd")}))
        return serve(policy, *resources, default=behavior(cachePolicy="compressing", compress=compress), **spec)

    return start


def page(origin, path="/page", body=TEXT, **headers):
    origin.page(path, body, **{"Content_Type": "text/html; charset=utf-8", "Cache_Control": "max-age=600", "ETag": '"1"', **headers})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("body", [SMALL, TEXT], ids=["small", "large"])
def test_curl_decodes_each_encoding_of_misses_and_hits(compressing, origin, encoding, body):
    page(origin, body=body)
    edge = compressing()
    for _ in range(3):
        plain = curl("--header", "Host: shop.test", f"http://{edge.http}/page")
        coded = curl("--compressed", "--header", f"Accept-Encoding: {encoding}", "--header", "Host: shop.test", f"http://{edge.http}/page")
        over_h2 = curl("--compressed", "--header", f"Accept-Encoding: {encoding}", "--header", "Host: shop.test", f"https://{edge.https}/page")
        assert coded.headers["content-encoding"] == over_h2.headers["content-encoding"] == encoding
        assert "content-encoding" not in plain.headers
        assert plain.body == coded.body == over_h2.body == body
    assert origin.count("/page") == 1


@pytest.mark.http1
def test_a_miss_is_encoded_while_the_origin_still_sends(compressing, origin):
    go_on = threading.Event()
    origin.route("/page", Reply(body=TEXT, wait_after=(len(TEXT) // 2, go_on), headers={"Content-Type": "text/css"}))
    edge = compressing()
    with edge.connect() as client:
        client.connection.request("GET", "/page", headers={"Host": "shop.test", "Accept-Encoding": "gzip"})
        response = client.connection.getresponse()  # the head, while half of the page is held back
        assert response.getheader("Content-Encoding") == "gzip" and response.getheader("Content-Length") is None
        go_on.set()
        assert gzip.decompress(response.read()) == TEXT
    assert origin.count("/page") == 1


def test_one_fetch_serves_every_encoding(compressing, origin):
    page(origin, Vary="Accept-Encoding, Origin")
    edge = compressing()
    for accepted in ("gzip", "zstd", "br", "gzip, br", "identity", "deflate", "*"):
        edge.get("/page", Accept_Encoding=accepted)
    edge.get("/page")
    assert origin.count("/page") == 1


@pytest.mark.parametrize("accepted, chosen", [
    ("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"), ("gzip", "gzip"), ("x-gzip", "gzip"), ("br;q=0.1, gzip;q=0.9", "gzip"),
    ("br;q=0, gzip;q=0.5", "gzip"), ("identity, gzip;q=0.5", None), ("gzip;q=0", None), ("deflate", None), ("*", "br"), ("*;q=0, gzip", "gzip")])
def test_weights_decide_and_then_brotli_comes_first(compressing, origin, accepted, chosen):
    page(origin)
    edge = compressing()
    assert edge.get("/page", Accept_Encoding=accepted).headers.get("content-encoding") == chosen


def test_the_tag_is_weak_beside_an_encoding_and_conditions_hold(compressing, origin):
    page(origin)
    edge = compressing()
    plain, coded = edge.get("/page"), edge.get("/page", Accept_Encoding="gzip")
    assert (plain.headers["etag"], coded.headers["etag"]) == ('"1"', 'W/"1"')
    assert plain.headers["vary"] == coded.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    for tag in ('"1"', 'W/"1"'):
        answer = edge.get("/page", Accept_Encoding="gzip", If_None_Match=tag)
        assert (answer.status, answer.body, answer.headers["etag"], answer.headers["vary"]) == (304, b"", 'W/"1"', "Accept-Encoding")
    assert edge.get("/page", Accept_Encoding="gzip", If_None_Match='"2"').status == 200
    assert origin.count("/page") == 1


def test_lengths_are_of_what_is_sent_and_head_agrees(compressing, origin):
    page(origin, body=SMALL)
    edge = compressing()
    edge.get("/page")
    until(lambda: edge.metric("headgate_compression_running")[""] == 0, "the encodings to be made")
    got = edge.get("/page", Accept_Encoding="gzip")
    assert int(got.headers["content-length"]) == len(got.body) < len(SMALL)
    head = edge.request("HEAD", "/page", Accept_Encoding="gzip")
    assert (head.headers["content-length"], head.headers["content-encoding"]) == (str(len(got.body)), "gzip")


def test_ranges_are_of_the_identity(compressing, origin):
    page(origin)
    edge = compressing()
    edge.get("/page")
    answer = edge.get("/page", Accept_Encoding="gzip, br", Range="bytes=10-19")
    assert (answer.status, answer.body, answer.headers["etag"]) == (206, TEXT[10:20], '"1"')
    assert answer.headers["content-range"] == f"bytes 10-19/{len(TEXT)}" and "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
    # A weak tag never joins parts: RFC 9110 section 13.1.5.
    whole = edge.get("/page", Accept_Encoding="gzip", Range="bytes=10-19", If_Range='W/"1"')
    assert (whole.status, whole.body) == (200, TEXT)


def test_http_1_0_gets_the_identity(compressing, origin):
    page(origin)
    edge = compressing()
    edge.get("/page", Accept_Encoding="gzip")
    answer = curl("--http1.0", "--header", "Accept-Encoding: gzip", "--header", "Host: shop.test", f"http://{edge.http}/page")
    assert answer.body == TEXT and "content-encoding" not in answer.headers


@pytest.mark.parametrize("case", [
    {"body": TEXT[:999]}, {"Content_Type": "image/png"}, {"Content_Type": None}, {"Cache_Control": "max-age=600, no-transform"},
    {"Content_Encoding": "compress"}, {"status": 410}, {"framing": "chunked"}], ids=str)
def test_what_is_not_eligible_stays_as_it_is(compressing, origin, case):
    case = dict(case)
    reply = {"body": case.pop("body", TEXT), "status": case.pop("status", 200), "framing": case.pop("framing", "length")}
    headers = {"Content_Type": "text/html", "Cache_Control": "max-age=600", **case}
    origin.route("/page", Reply(headers={k.replace("_", "-"): v for k, v in headers.items() if v}, **reply))
    edge = compressing()
    for _ in range(2):
        answer = edge.get("/page", Accept_Encoding="gzip, br, zstd")
        assert answer.body == reply["body"]
        assert answer.headers.get("content-encoding") == case.get("Content_Encoding")


@pytest.mark.parametrize("status", [403, 404])
def test_errors_that_are_cached_are_compressed_too(compressing, origin, status):
    origin.page("/page", TEXT, status=status, Content_Type="text/html", Cache_Control="max-age=600")
    edge = compressing()
    answer = edge.get("/page", Accept_Encoding="gzip")
    assert (answer.status, decoded(answer)) == (status, TEXT) and answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("off", ["behavior", "policy", "ttl"])
def test_compress_needs_the_behavior_the_policy_and_a_ttl(compressing, serve, origin, off):
    page(origin)
    if off == "ttl":
        edge = serve(default=behavior(cachePolicy="Managed-CachingDisabled", compress=True))
    else:
        edge = compressing(compress=off != "behavior", parameters={"queryStrings": {"behavior": "none"}} if off == "policy" else None)
    answer = edge.get("/page", Accept_Encoding="gzip")
    assert "content-encoding" not in answer.headers and answer.body == TEXT


def test_what_the_origin_encodes_is_passed_as_it_is_and_kept_apart(compressing, origin):
    packed = gzip.compress(TEXT)

    def reply(request):
        if "gzip" in (request.header("Accept-Encoding") or ""):
            return Reply(body=packed, headers={"Content-Type": "text/html", "Content-Encoding": "gzip", "Cache-Control": "max-age=600"})
        return Reply(body=TEXT, headers={"Content-Type": "text/html", "Cache-Control": "max-age=600"})

    origin.route("/page", reply)
    edge = compressing()
    for _ in range(2):
        answer = edge.get("/page", Accept_Encoding="gzip")
        assert (answer.body, answer.headers["content-encoding"], answer.headers["vary"].lower()) == (packed, "gzip", "accept-encoding")
    assert edge.get("/page").body == TEXT  # no Accept-Encoding: the origin is asked again, and what it says now serves all
    assert decoded(edge.get("/page", Accept_Encoding="zstd")) == TEXT
    assert origin.count("/page") == 2


def test_a_304_keeps_the_encodings(compressing, origin):
    origin.route("/page", Reply(body=SMALL, etag='"1"', headers={"Content-Type": "text/html", "Cache-Control": "max-age=0", "Vary": "Accept-Encoding"}))
    edge = compressing()
    first = edge.get("/page", Accept_Encoding="gzip")
    until(lambda: edge.metric("headgate_compression_running")[""] == 0, "the encodings to be made")
    made = edge.metric("headgate_compression_encoded_total")
    again = edge.get("/page", Accept_Encoding="gzip")
    assert again.headers["x-cache"] == "RefreshHit from headgate" and again.headers["content-encoding"] == "gzip"
    assert again.body == first.body and again.headers["vary"] == "Accept-Encoding"
    assert edge.metric("headgate_compression_encoded_total") == made  # nothing was made twice


def test_a_purge_takes_every_encoding_along(compressing, origin, repository):
    page(origin, body=SMALL)
    edge = compressing()
    for encoding in ENCODINGS:
        edge.get("/page", Accept_Encoding=encoding)
    page(origin, body=SMALL.replace(b"line", b"LINE"), ETag='"2"')
    edge.apply(repository, "purge.yaml", invalidation("purge", "/page", mode="delete"))
    for encoding in ("gzip", "zstd", "identity"):
        assert b"LINE 1 " in decoded(edge.get("/page", Accept_Encoding=encoding))


def test_a_broken_transfer_breaks_off_every_encoding(compressing, origin):
    origin.route("/page", Reply(body=TEXT, truncate=len(TEXT) // 2, headers={"Content-Type": "text/html"}))
    edge = compressing()
    with pytest.raises(BrokenTransfer):
        curl("--header", "Accept-Encoding: gzip", "--header", "Host: shop.test", f"http://{edge.http}/page")
    page(origin)
    assert decoded(edge.get("/page", Accept_Encoding="gzip")) == TEXT


def test_turning_compression_on_acts_on_what_is_stored(compressing, origin, repository):
    page(origin, body=SMALL)
    edge = compressing(compress=False, parameters={"enableAcceptEncodingGzip": False, "queryStrings": {"behavior": "none"}})
    assert edge.get("/page", Accept_Encoding="gzip").headers.get("content-encoding") is None
    text = (repository.path / "shop.yaml").read_text()
    (repository.path / "shop.yaml").write_text(text.replace('"compress": false', '"compress": true').replace(
        '"enableAcceptEncodingGzip": false', '"enableAcceptEncodingGzip": true'))
    edge.apply(repository)
    answer = until(lambda: (lambda a: a if "content-encoding" in a.headers else None)(edge.get("/page", Accept_Encoding="gzip")), "an encoding")
    assert answer.is_hit and decoded(answer) == SMALL
    assert origin.count("/page") == 1


def test_types_and_levels_can_be_chosen(compressing, origin):
    page(origin, "/wasm", Content_Type="Application/Wasm")
    page(origin, "/html")
    page(origin, "/fast.js", Content_Type="text/javascript")
    edge = compressing(compression={"compressibleTypes": ["application/wasm", "text/javascript"],
                                    "rules": [{"types": ["text/*"], "gzipLevel": 1}, {"types": ["application/wasm"], "gzipLevel": 9}]})
    sizes = {path: len(edge.get(path, Accept_Encoding="gzip").body) for path in ("/wasm", "/html", "/fast.js")}
    assert sizes["/html"] == len(TEXT) and sizes["/wasm"] < sizes["/fast.js"] < len(TEXT)


def test_the_metrics_tell_what_was_made_and_saved(compressing, origin):
    page(origin, body=SMALL)
    edge = compressing()
    edge.get("/page")
    until(lambda: edge.metric("headgate_compression_running")[""] == 0, "the encodings to be made")
    for _ in range(3):
        size = len(edge.get("/page", Accept_Encoding="gzip").body)
    assert edge.metric("headgate_compression_encoded_total") == {f'encoding="{e}"': 1 for e in ENCODINGS}
    assert edge.metric("headgate_compression_input_bytes_total")['encoding="gzip"'] == len(SMALL)
    assert edge.metric("headgate_compression_output_bytes_total")['encoding="gzip"'] == size
    saved = until(lambda: edge.metric("headgate_compression_saved_bytes_total")['encoding="gzip"'] == 3 * (len(SMALL) - size), "the last request's end")
    assert saved and edge.metric("headgate_compression_responses_total")['encoding="gzip"'] == 3
    assert edge.metric("headgate_compression_cpu_seconds_total")['encoding="br"'] > 0
