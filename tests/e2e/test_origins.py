# SPDX-License-Identifier: MIT
"""Origins: failover, collapsing, streaming, uploads, and what a broken origin may not do."""
import hashlib
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BrokenTransfer, behavior, cache_policy, curl, distribution, origin as origin_of, until
from origin import Reply

UNCACHED = behavior("group", cachePolicy="Managed-CachingDisabled")


@pytest.fixture
def pair(new_origin):
    """Two origins that answer /page with their name."""
    primary, secondary = new_origin(), new_origin()
    primary.page("/page", "primary")
    secondary.page("/page", "secondary")
    return primary, secondary


def group(repository, primary, secondary, read_timeout="1s", default=UNCACHED, breaker=None, **spec):
    fields = {"connectionTimeout": "1s", "custom": {"originReadTimeout": read_timeout}}
    origins = [origin_of("primary", primary, **fields), origin_of("secondary", secondary, **fields)]
    repository.put("shop.yaml", distribution(origins, default=default, originGroups=[
        {"id": "group", "members": ["primary", "secondary"], "failoverCriteria": {"statusCodes": [500, 502, 503, 504]},
         **({"breaker": breaker} if breaker else {})}], **spec),
        cache_policy())
    return repository.commit("group")


def test_the_secondary_answers_when_the_primary_dies_and_no_client_sees_it(repository, pair, run):
    primary, secondary = pair
    group(repository, primary.port, secondary.port)
    edge = run()
    assert edge.get("/page").body == b"primary"
    died = threading.Event()
    answers = []

    def client():
        with edge.connect() as connection:
            while not died.is_set():
                answers.append(connection.get("/page"))
            answers.extend(connection.get("/page") for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client) for _ in range(8)]
        assert primary.wait_count("/page", 50)
        primary.close()
        died.set()
        for one in clients:
            one.result()
    assert {a.status for a in answers} == {200}
    assert {a.body for a in answers} == {b"primary", b"secondary"}
    assert edge.get("/page").body == b"secondary"
    primary.open()
    assert edge.get("/page").status == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_failover_on_listed_status_codes(repository, pair, run, status):
    primary, secondary = pair
    primary.page("/page", "broken", status=status)
    group(repository, primary.port, secondary.port)
    answer = run().get("/page")
    assert (answer.status, answer.body) == (200, b"secondary")


def test_no_failover_on_other_status_codes(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", "gone", status=410)
    group(repository, primary.port, secondary.port)
    answer = run().get("/page")
    assert (answer.status, answer.body) == (410, b"gone")
    assert secondary.requests == []


def test_failover_when_the_primary_hangs(repository, pair, run):
    primary, secondary = pair
    primary.route("/page", Reply(hang=True))
    group(repository, primary.port, secondary.port)
    answer = run().get("/page")
    assert (answer.status, answer.body) == (200, b"secondary")


def test_failover_when_nobody_accepts_the_primary_s_connections(repository, pair, run):
    _, secondary = pair
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        full = [socket.socket() for _ in range(3)]
        for one in full:  # what fills the queue of a listener that never accepts
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        group(repository, deaf.getsockname()[1], secondary.port)
        answer = run().get("/page")
        assert (answer.status, answer.body) == (200, b"secondary")


def test_a_post_is_not_sent_twice_once_the_primary_has_it(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", "broken", status=503)
    group(repository, primary.port, secondary.port, default={**UNCACHED, "allowedMethods": ["ALL"]})
    assert run().request("POST", "/page", b"order").status == 503
    assert secondary.requests == []


def test_all_origins_down_is_502_with_a_reason(repository, pair, run):
    primary, secondary = pair
    primary.close()
    secondary.close()
    group(repository, primary.port, secondary.port)
    answer = run().get("/page")
    assert answer.status == 502
    assert "connection_refused" in answer.headers["proxy-status"]


def test_stale_content_is_served_when_the_origin_fails(serve, origin):
    origin.page("/page", "old", Cache_Control="max-age=0, stale-if-error=600")
    edge = serve()
    edge.get("/page")
    origin.close()
    answer = edge.get("/page")
    assert (answer.status, answer.body) == (200, b"old")
    assert "hit" in answer.cache_status or "stale" in answer.cache_status


# --- Collapsing and streaming --------------------------------------------------------------------------------------


@pytest.mark.http1
def test_concurrent_misses_make_one_origin_request_and_all_see_it_stream(serve, origin):
    rest = threading.Event()
    origin.route("/page", Reply(body=b"first half, second half", framing="chunked", headers={"Cache-Control": "max-age=60"},
                                wait_after=(11, rest)))
    edge = serve()
    connections = [edge.connect() for _ in range(20)]
    try:
        for client in connections:
            client.connection.request("GET", "/page", headers={"Host": "shop.test"})
        responses = [client.connection.getresponse() for client in connections]
        assert [r.read(11) for r in responses] == [b"first half,"] * 20  # before the origin has the rest
        rest.set()
        assert [r.read() for r in responses] == [b" second half"] * 20
    finally:
        rest.set()
        for client in connections:
            client.close()
    assert origin.count("/page") == 1
    assert edge.get("/page").is_hit


def test_what_may_not_be_shared_is_fetched_for_each(serve, origin):
    gate = threading.Barrier(5, timeout=30)

    private = Reply(headers={"Cache-Control": "private"})

    def together(_):
        gate.wait()  # all of them are at the origin at once: nobody waits for another's answer
        return private

    origin.route("/page", private, together)
    edge = serve()
    edge.get("/page")  # teaches the edge that the page is not to be shared
    with ThreadPoolExecutor(5) as pool:
        assert {a.status for a in pool.map(lambda _: edge.get("/page"), range(5))} == {200}
    assert origin.count("/page") == 6


@pytest.mark.http1
def test_a_client_that_leaves_does_not_break_the_fill_for_others(serve, origin):
    rest = threading.Event()

    origin.route("/page", Reply(body=b"0123456789", headers={"Cache-Control": "max-age=60"}, wait_after=(5, rest)))
    edge = serve()
    leader, follower = edge.connect(), edge.connect()
    for client in (leader, follower):
        client.connection.request("GET", "/page", headers={"Host": "shop.test"})
        response = client.connection.getresponse()
        assert response.read(5) == b"01234"
        if client is leader:
            leader.connection.sock.close()
            leader.close()
    rest.set()
    assert response.read() == b"56789"
    follower.close()
    assert origin.count("/page") == 1


def test_a_request_body_streams_to_the_origin(serve, origin):
    got = threading.Event()
    origin.route("/upload", Reply(on_body=lambda piece: got.set(), body=b"thanks"))
    edge = serve(default=behavior(cachePolicy="Managed-CachingDisabled", allowedMethods=["ALL"]))
    with edge.socket() as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 8\r\nConnection: close\r\n\r\nbegin")
        assert got.wait(60), "the origin has not seen the beginning while the client still held the end"
        client.sendall(b"end")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"thanks")
    assert origin.requests[0].body == b"beginend"


@pytest.mark.parametrize("options", [["--http1.1"], ["--http2"]], ids=["http1.1", "http2"])
def test_a_large_upload_arrives_whole(serve, origin, tmp_path, options):
    origin.route("/upload", lambda request: Reply(body=hashlib.sha256(request.body).hexdigest().encode()))
    edge = serve(default=behavior(cachePolicy="Managed-CachingDisabled", allowedMethods=["ALL"]))
    body = bytes(range(256)) * 4 * 20_000  # 20 MB
    (tmp_path / "body").write_bytes(body)
    answer = curl(*options, "--data-binary", f"@{tmp_path}/body", f"https://{edge.https}/upload")
    assert (answer.status, answer.body.decode()) == (200, hashlib.sha256(body).hexdigest())


def test_several_ranges_of_what_is_too_large_to_be_stored_arrive_in_any_order(serve, origin):
    """They broke off: octets had gone by before the reader of the next part came."""
    size = 8 << 20
    origin.route("/large", Reply(size=size, headers={"Cache-Control": "no-store"}))
    whole = Reply(size=size).octets(0, 16) * (size // 16)
    edge = serve()
    for ranges in ("0-99,300000-300099,5000000-", "5000000-5000099,0-99", "-100,200-299,0-150"):
        answer = edge.get("/large", Range=f"bytes={ranges}")
        assert answer.status == 206
        parts = re.findall(rb"content-range: bytes (\d+)-(\d+)/%d\r\n\r\n" % size, answer.body, re.I)
        assert len(parts) == len(ranges.split(","))
        for first, last in parts:
            assert b"\r\n\r\n" + whole[int(first):int(last) + 1] + b"\r\n--" in answer.body


@pytest.mark.parametrize("options", [["--http1.1"], ["--http2"]], ids=["http1.1", "http2"])
def test_a_large_download_arrives_whole_as_a_miss_and_as_a_hit(serve, origin, options):
    body = bytes(range(256)) * 4 * 20_000
    origin.page("/large", body)
    edge = serve(flags=["--cache-memory", "512MiB"])
    for is_hit in (False, True):
        answer = curl(*options, f"https://{edge.https}/large")
        assert (answer.status, answer.is_hit) == (200, is_hit)
        assert answer.body == body


@pytest.mark.parametrize("options", [["--http1.1"], ["--http2"]], ids=["http1.1", "http2"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_truncated_body_breaks_the_transfer_and_is_not_cached(serve, origin, options, framing):
    origin.route("/page", Reply(size=100, truncate=9, framing=framing, headers={"Cache-Control": "max-age=60"}))
    edge = serve()
    for count in (1, 2):
        with pytest.raises(BrokenTransfer):
            curl(*options, f"https://{edge.https}/page")
        assert origin.count("/page") >= count
    origin.page("/page", "whole")
    assert curl(*options, f"https://{edge.https}/page").body == b"whole"


def test_octets_beyond_content_length_cost_the_viewer_neither_the_response_nor_its_connection(serve, origin):
    origin.route("/long", Reply(raw=b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n0123456789 and more"))
    origin.page("/page")
    edge = serve()
    with edge.connect() as viewer:
        for count in (1, 2):
            assert viewer.get("/long").body == b"0123456789"
            assert viewer.get("/page").status == 200
            assert origin.count("/long") == count  # it was not stored


def test_a_stale_connection_to_the_origin_is_not_a_client_s_problem(serve, origin):
    origin.page("/page", Cache_Control="no-store")
    edge = serve()
    for _ in range(3):
        assert edge.get("/page").status == 200
        origin.close_connections()  # what is kept alive, too


def test_connections_to_the_origin_are_kept_alive(serve, origin):
    origin.page("/page", Cache_Control="no-store")
    edge = serve()
    with edge.connect() as client:
        for _ in range(10):
            client.get("/page")
    assert len({r.connection for r in origin.requests_to("/page")}) == 1


@pytest.mark.http1
def test_hop_by_hop_fields_stay_on_their_hop(serve, origin):
    origin.page("/page", Connection="X-Hop", X_Hop="1", Keep_Alive="timeout=5", Cache_Control="no-store")
    edge = serve(default=behavior(cachePolicy="Managed-CachingDisabled", originRequestPolicy="Managed-AllViewer"))
    answer = edge.get("/page", Connection="X-Mine", X_Mine="1", TE="trailers", Proxy_Authorization="Basic eA==")
    assert "x-hop" not in answer.headers
    sent = origin.requests_to("/page")[0]
    assert not {"x-mine", "te", "proxy-authorization"} & {name.lower() for name, _ in sent.headers}
    assert "headgate" in sent.header("Via") and "headgate" in sent.header("CDN-Loop")


def test_a_loop_is_refused(serve, origin, repository, run):
    edge = serve()
    port = int(edge.http.rsplit(":", 1)[1])
    repository.put("shop.yaml", distribution(port), cache_policy())
    edge.apply(repository)
    assert edge.get("/page").status == 508


LATCH = {"failures": 2, "within": "1h", "probeEvery": "1h"}


def test_a_primary_that_is_down_is_not_asked_again(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", status=503)
    group(repository, primary.port, secondary.port, breaker=LATCH)
    edge = run()
    assert [edge.get("/page").body for _ in range(10)] == [b"secondary"] * 10
    assert primary.count("/page") == 2


def test_a_primary_that_is_down_is_asked_behind_the_requests_and_comes_back(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", status=503)
    group(repository, primary.port, secondary.port, breaker={**LATCH, "probeEvery": "1s"})
    edge = run()
    assert {edge.get("/page").body for _ in range(5)} == {b"secondary"}
    primary.page("/page", "primary")
    until(lambda: edge.get("/page").body == b"primary", "the primary to answer again")
    assert any(request.method == "HEAD" for request in primary.requests_to("/page"))


def test_what_is_stale_is_served_without_asking_origins_that_are_down(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", "kept", Cache_Control="max-age=10, stale-if-error=600", Age="20")
    group(repository, primary.port, secondary.port, default=behavior("group"), breaker=LATCH)
    edge = run()
    assert edge.get("/page").body == b"kept"
    for origin in pair:
        origin.page("/page", status=503)
    def counts():
        assert edge.get("/page").body == b"kept"
        return primary.count("/page"), secondary.count("/page")

    # A request that comes before the last answer has ended shares it: it may take more than two.
    until(lambda: counts() == (1 + 2, 2), "both to be known as down")
    assert {counts() for _ in range(10)} == {(1 + 2, 2)}


def test_the_health_of_an_origin_survives_a_commit(repository, pair, run):
    primary, secondary = pair
    primary.page("/page", status=503)
    group(repository, primary.port, secondary.port, breaker=LATCH)
    edge = run()
    edge.get("/page"), edge.get("/page")
    commit = group(repository, primary.port, secondary.port, breaker=LATCH, comment="another")
    edge.reconcile()
    edge.wait(commit)
    assert edge.get("/page").body == b"secondary"
    assert primary.count("/page") == 2
