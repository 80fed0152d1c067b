# SPDX-License-Identifier: MIT
"""HTTP/3: the same pipeline as the other versions, over QUIC. Clients are libcurl and ngtcp2's gtlsclient."""
import json
import subprocess

import pytest

from h3_client import BrokenTransfer, H3Client
from harness import DEADLINE, behavior, curl, distribution, resource
from origin import Reply
from test_protocols import make_certificate

ALL = behavior(allowedMethods=["ALL"], cachePolicy="Managed-CachingDisabled")


@pytest.fixture
def serve3(serve):
    """`serve` for a distribution that speaks HTTP/3."""
    return lambda *resources, **spec: serve(*resources, **{"httpVersion": "http2and3", **spec})


def gtlsclient(edge, *arguments, target="/page", host="shop.test", method="GET", deadline=DEADLINE):
    """What ngtcp2's client says; the certificate is not verified."""
    address, port = edge.https.rsplit(":", 1)
    done = subprocess.run(["gtlsclient", "--exit-on-all-streams-close", "--no-quic-dump", "--http-method", method, *map(str, arguments),
                           "--sni", host, address, port, f"https://{host}:{port}{target}"], capture_output=True, timeout=deadline)
    text = (done.stdout + done.stderr).decode("latin-1")
    assert done.returncode == 0, text  # also when there was no answer
    return text


def test_a_miss_and_a_hit_over_http3(serve3, origin, tmp_path):
    origin.page("/page", "hello\n")
    log = tmp_path / "access.log"
    edge = serve3(flags=["--access-log", log])
    with edge.connect_h3() as client:
        for _ in range(2):
            answer = client.get("/page")
            assert (answer.version, answer.status, answer.body) == ("3", 200, b"hello\n")
        assert answer.is_hit
        assert client.connects == 1
    # What one version has fetched the others find.
    assert edge.get("/page").is_hit
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1
    edge.stop()
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(r["protocol"] for r in records) == ["HTTP/1.1", "HTTP/3", "HTTP/3"]  # workers write their lines apart
    over = [r for r in records if r["protocol"] == "HTTP/3"]
    assert all(r["tls_version"] == "TLSv1.3" and r["client"] == "127.0.0.1" for r in over)


def test_alt_svc_is_said_over_tls_where_http3_is_spoken(serve3, origin):
    origin.page("/page")
    edge = serve3()
    port = edge.https.rsplit(":", 1)[1]
    assert edge.get("/page", tls=True).headers["alt-svc"] == f'h3=":{port}"; ma=86400'
    assert curl("--http2", f"https://{edge.https}/page").headers["alt-svc"] == f'h3=":{port}"; ma=86400'
    assert "alt-svc" not in edge.get("/page").headers
    assert "alt-svc" not in edge.h3("GET", "/page").headers


def test_http3_stands_for_http3_and_http11(serve, origin):
    origin.page("/page")
    edge = serve(httpVersion="http3", aliases=["shop.test"])
    port = edge.https.rsplit(":", 1)[1]
    answer = curl("--http2", "--resolve", f"shop.test:{port}:127.0.0.1", f"https://shop.test:{port}/page")
    assert (answer.version, answer.status) == ("1.1", 200)
    assert edge.h3("GET", "/page", sni="shop.test").status == 200


def test_without_a_distribution_that_speaks_it_nobody_answers_on_udp(serve, origin, repository):
    origin.page("/page")
    edge = serve(aliases=["shop.test"])
    assert "alt-svc" not in edge.get("/page", tls=True).headers
    assert "[:status:" not in gtlsclient(edge, "--timeout=300ms")
    assert edge.metric("headgate_quic_events_total")['event="dropped"'] > 0
    # A commit opens the door.
    text = (repository.path / "shop.yaml").read_text()
    repository.write("shop.yaml", text.replace('"aliases"', '"httpVersion": "http2and3", "aliases"'))
    edge.apply(repository)
    assert edge.h3("GET", "/page", sni="shop.test").status == 200


def test_quic_version_2_and_version_negotiation(serve3, origin):
    origin.page("/page", "hello\n")
    edge = serve3()
    assert "[:status: 200]" in gtlsclient(edge, "--version=v2")
    text = gtlsclient(edge, "--version=0x1a2a3a4a", "--preferred-versions=v1,v2", "--available-versions=v1,v2")
    assert "[:status: 200]" in text
    assert edge.metric("headgate_quic_events_total")['event="version_negotiation"'] == 1


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_bodies_come_whole_by_hit_and_by_miss(serve3, origin, size):
    body = bytes(i % 251 for i in range(size))
    origin.page("/page", body)
    edge = serve3()
    with edge.connect_h3() as client:
        for _ in range(2):
            answer = client.get("/page")
            assert (answer.status, len(answer.body), answer.body == body) == (200, size, True)
            assert answer.headers["content-length"] == str(size)


def test_a_head_a_range_and_a_condition(serve3, origin):
    origin.page("/page", "0123456789", ETag='"a"')
    edge = serve3()
    with edge.connect_h3() as client:
        client.get("/page")
        head = client.request("HEAD", "/page")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
        part = client.get("/page", Range="bytes=2-4")
        assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
        unchanged = client.get("/page", If_None_Match='"a"')
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert "content-length" not in unchanged.headers
        many = client.get("/page", Range="bytes=0-1,8-9")
        assert many.status == 206 and many.headers["content-type"].startswith("multipart/byteranges")


def test_fifty_requests_at_a_time_on_one_connection(serve3, origin):
    origin.page("/page", b"x" * 100_000)
    edge = serve3()
    text = gtlsclient(edge, "--nstreams=50", "--no-http-dump")
    assert text.count("[:status: 200]") == 50
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1


# --- Uploads -------------------------------------------------------------------------------------------------------


def test_an_upload_is_passed_on_whole(serve3, origin):
    origin.page("/upload")
    edge = serve3(default=ALL)
    for body in (b"", b"small", bytes(i % 249 for i in range(2_000_000))):
        assert edge.h3("POST", "/upload", body).status == 200
        assert origin.requests_to("/upload")[-1].body == body


def test_an_upload_that_is_too_large_is_refused_whether_or_not_its_length_is_said(serve3, origin, tmp_path):
    config = tmp_path / "edge.yaml"
    config.write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { maxRequestBody: 100KiB } }\n")
    origin.page("/upload")
    edge = serve3(flags=["--config", config], default=ALL)
    assert edge.h3("POST", "/upload", b"x" * 200_000).status == 413
    with edge.connect_h3() as client:
        pieces = iter([b"x" * 16384] * 20)
        status, *_ = client.perform("POST", "/upload", [("Host", "shop.test")], lambda most: next(pieces, b"")[:most])
        assert status == 413
        assert client.get("/upload").status == 200  # the connection goes on
        assert client.connects == 1


# --- Responses that break, clients that leave ----------------------------------------------------------------------


def test_a_response_that_breaks_off_at_the_origin_is_not_ended_cleanly(serve3, origin):
    origin.route("/broken", Reply(size=400_000, truncate=200_000))
    edge = serve3()
    with edge.connect_h3() as client:
        with pytest.raises(BrokenTransfer) as broken:
            client.get("/broken")
        assert broken.value.status == 200
        origin.page("/page", "hello\n")
        assert client.get("/page").status == 200
        assert client.connects == 1


# --- Certificates --------------------------------------------------------------------------------------------------


def test_the_repository_s_certificate_by_sni_and_421_for_names_that_it_does_not_cover(serve3, origin, tmp_path):
    origin.page("/page")
    key, chain = make_certificate(tmp_path, "shop.test")
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
    edge = serve3(certificate, aliases=["shop.test", "other.test", "127.0.0.1"], viewerCertificate={"certificateRef": "shop-cert"})
    with edge.connect_h3("shop.test", tmp_path / "shop.test.pem") as client:
        assert client.get("/page").status == 200
        answer = client.get("/page", host="other.test")
        assert answer.status == 421 and b"misdirected" in answer.body
        # Addresses are nobody's to speak for.
        assert client.get("/page", host="127.0.0.1").status == 200
        assert client.connects == 1


def test_the_self_signed_certificate_refuses_no_name(serve3, origin):
    origin.page("/page")
    edge = serve3(aliases=["shop.test", "other.test"])
    with edge.connect_h3("shop.test") as client:
        assert client.get("/page", host="other.test").status == 200


def test_a_name_that_does_not_speak_http3_is_not_served_over_it(serve3, origin, repository):
    origin.page("/page")
    edge = serve3(distribution(origin.port, "plain", ["plain.test"]), aliases=["shop.test"])
    with edge.connect_h3("shop.test") as client:
        assert client.get("/page", host="plain.test").status == 421
    # Refused by no_application_protocol; libcurl tries again until its time is over.
    with H3Client(edge.https, "plain.test", deadline=1) as client, pytest.raises(BrokenTransfer):
        client.perform("GET", "/page")
    assert edge.metric("headgate_tls_handshake_failures_total")[""] >= 1


def test_a_commit_s_certificate_holds_from_the_next_handshake_on(serve3, origin, repository, tmp_path):
    origin.page("/page")
    key, chain = make_certificate(tmp_path, "shop.test")
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
    edge = serve3(certificate, aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"})
    old = edge.connect_h3("shop.test", tmp_path / "shop.test.pem")
    assert old.get("/page").status == 200
    (tmp_path / "next").mkdir()
    next_key, next_chain = make_certificate(tmp_path / "next", "shop.test")
    text = (repository.path / "shop.yaml").read_text()
    repository.write("shop.yaml", text.replace(json.dumps(chain)[1:-1], json.dumps(next_chain)[1:-1]).replace(str(key), str(next_key)))
    edge.apply(repository)
    assert old.get("/page").status == 200 and old.connects == 1
    with edge.connect_h3("shop.test", tmp_path / "next/shop.test.pem") as client:
        assert client.get("/page").status == 200
    with edge.connect_h3("shop.test", tmp_path / "shop.test.pem") as client, pytest.raises(BrokenTransfer):
        client.get("/page")
    old.close()
