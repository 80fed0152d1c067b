# SPDX-License-Identifier: MIT
"""HTTP/1.1 and HTTP/2, cleartext and TLS, certificates, and whose word on the client's address is believed."""
import json
import re
import socket
import ssl
import struct
import subprocess

import pytest

from harness import DEADLINE, behavior, curl, insecure, resource
from origin import Reply


def test_http2_over_tls_by_curl(serve, origin):
    origin.page("/page", "hello\n")
    edge = serve()
    for _ in range(2):
        answer = curl("--http2", f"https://{edge.https}/page")
        assert (answer.version, answer.status, answer.body) == ("2", 200, b"hello\n")
    assert answer.is_hit
    assert answer.headers["via"] in ("2 headgate", "2.0 headgate", "1.1 headgate")


def test_http2_by_nghttp_many_streams_on_one_connection(serve, origin):
    origin.page("/page", b"x" * 100_000)
    edge = serve()
    done = subprocess.run(["nghttp", "--no-verify-peer", "--stat", "--null-out", "--multiply=50", f"https://{edge.https}/page"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r" 200 +\S+ +/page$", done.stdout, re.M)) == 50, done.stdout


@pytest.mark.parametrize("control", ["no-store", "max-age=600"])
def test_head_of_what_is_too_large_to_be_stored_ends(serve, origin, control):
    """Its stream stayed open over HTTP/2: the edge waited for somebody to take content that is never sent."""
    origin.route("/large", Reply(size=8 << 20, headers={"Cache-Control": control}))
    edge = serve()
    for tls in (False, True):
        answer = edge.request("HEAD", "/large", tls=tls)
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(8 << 20), b"")
    done = subprocess.run(["nghttp", "--no-verify-peer", "--stat", f"--timeout={int(DEADLINE / 2)}s", "--header=:method: HEAD",
                           f"https://{edge.https}/large"], capture_output=True, text=True, timeout=DEADLINE)
    assert re.search(r" 200 +\S+ +/large$", done.stdout, re.M), done.stdout + done.stderr


def test_http2_without_tls_by_prior_knowledge_and_never_by_upgrade(serve, origin):
    origin.page("/page", "hello\n")
    edge = serve()
    for flag, version in (("--http2-prior-knowledge", "2"), ("--http2", "1.1")):
        done = subprocess.run(["curl", "--silent", flag, "--write-out", " %{http_version}", f"http://{edge.http}/page"],
                              capture_output=True, text=True, timeout=60)
        assert done.stdout == f"hello\n {version}", done.stderr


def test_http11_is_spoken_where_the_distribution_wants_it(serve, origin):
    origin.page("/page")
    edge = serve(httpVersion="http1.1", aliases=["shop.test"])
    port = edge.https.rsplit(":", 1)[1]
    answer = curl("--http2", "--resolve", f"shop.test:{port}:127.0.0.1", f"https://shop.test:{port}/page")
    assert (answer.version, answer.status) == ("1.1", 200)


def peer_certificate(address, sni):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as plain, insecure().wrap_socket(plain, server_hostname=sni) as tls:
        return tls.getpeercert(binary_form=True)


def test_a_self_signed_certificate_with_and_without_sni_is_said_in_a_condition(serve, origin):
    origin.page("/page")
    edge = serve(aliases=["shop.test", "127.0.0.1"])
    assert peer_certificate(edge.https, "shop.test")
    assert peer_certificate(edge.https, None)
    assert edge.get("/page", tls=True, sni="shop.test").status == 200
    assert edge.get("/page", tls=True, host="127.0.0.1").status == 200
    assert any(c["type"] == "SelfSignedCertificate" for c in edge.status()["conditions"]), edge.status()["conditions"]


def make_certificate(folder, name):
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", chain],
                   check=True, capture_output=True)
    return key, chain.read_text()


def test_the_repository_s_certificate_is_served_by_sni_and_changes_with_a_commit(serve, origin, repository, tmp_path):
    origin.page("/page")
    key, chain = make_certificate(tmp_path, "shop.test")
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
    edge = serve(certificate, aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"})
    assert peer_certificate(edge.https, "shop.test") == ssl.PEM_cert_to_DER_cert(chain)
    assert peer_certificate(edge.https, "other.test") != ssl.PEM_cert_to_DER_cert(chain)
    port = edge.https.rsplit(":", 1)[1]
    verified = subprocess.run(["curl", "--silent", "--fail", "--cacert", tmp_path / "shop.test.pem", "--resolve",
                               f"shop.test:{port}:127.0.0.1", f"https://shop.test:{port}/page"], capture_output=True)
    assert verified.returncode == 0, verified.stderr

    other, other_chain = make_certificate(tmp_path, "new.test")
    text = (repository.path / "shop.yaml").read_text()
    text = text.replace(json.dumps(chain)[1:-1], json.dumps(other_chain)[1:-1]).replace(str(key), str(other))
    repository.write("shop.yaml", text)
    edge.apply(repository)
    assert peer_certificate(edge.https, "shop.test") == ssl.PEM_cert_to_DER_cert(other_chain)


def test_tls_below_the_minimum_is_refused(serve, origin):
    origin.page("/page")
    edge = serve(aliases=["shop.test"], viewerCertificate={"minimumProtocolVersion": "TLSv1.3_2025"})
    host, port = edge.https.rsplit(":", 1)
    context = insecure()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((host, int(port))) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname="shop.test")
    assert edge.get("/page", tls=True, sni="shop.test").status == 200


# --- The client's address ------------------------------------------------------------------------------------------


EDGE = """apiVersion: headgate/v1
kind: Edge
spec:
  trustedProxies: [{proxies}]
"""


def edge_file(folder, proxies):
    path = folder / "edge.yaml"
    path.write_text(EDGE.format(proxies=proxies))
    return ["--config", path]


@pytest.mark.parametrize("proxies,sent,believed", [
    ("127.0.0.0/8", "203.0.113.7", "203.0.113.7"),
    ("127.0.0.0/8", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
    ("192.0.2.0/24", "203.0.113.7", "127.0.0.1"),
], ids=["trusted", "only-the-last", "not-trusted"])
def test_x_forwarded_for_is_believed_from_trusted_proxies_only(serve, origin, tmp_path, proxies, sent, believed):
    origin.page("/page", Cache_Control="no-store")
    log = tmp_path / "access.log"
    edge = serve(flags=[*edge_file(tmp_path, proxies), "--access-log", log])
    edge.get("/page", X_Forwarded_For=sent)
    edge.stop()
    assert json.loads(log.read_text())["client"] == believed
    # The origin hears of every hop, the last one being who connected to us.
    assert origin.requests_to("/page")[0].header("X-Forwarded-For") == f"{sent}, 127.0.0.1"


def proxied(edge, header):
    """What a client gets that sends a PROXY header and a request."""
    with edge.socket() as connection:
        connection.sendall(header + b"GET /page HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""


V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, socket.inet_aton("203.0.113.7"), socket.inet_aton("192.0.2.1"),
                                           5555, 80)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_the_proxy_protocol_gives_the_client_s_address(serve, origin, tmp_path, header):
    origin.page("/page", Cache_Control="no-store")
    edge = serve(flags=edge_file(tmp_path, "127.0.0.1"), default=behavior(originRequestPolicy="Managed-AllViewer"))
    assert b"200 OK" in proxied(edge, header).partition(b"\r\n")[0]
    assert origin.requests_to("/page")[0].header("X-Forwarded-For").split(",")[-1].strip() == "203.0.113.7"


def test_a_proxy_header_from_others_gets_nothing(serve, origin, tmp_path):
    origin.page("/page")
    edge = serve(flags=edge_file(tmp_path, "192.0.2.0/24"))
    assert b"200 OK" not in proxied(edge, V1)
    assert origin.requests == []


def loopbacks():
    """IPv4 always; IPv6 where this machine has it."""
    addresses = ["127.0.0.2"]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        addresses.append("[::1]")
    except OSError:
        pass
    return addresses


@pytest.mark.parametrize("address", loopbacks())
def test_more_listeners_on_other_addresses(serve, origin, address):
    origin.page("/page")
    edge = serve(flags=["--http", f"{address}:0"])
    listening = edge.output.wait_for(rf"^headgate: http on ({re.escape(address)}:\d+)$")[0][1]
    assert curl(f"http://{listening}/page").status == 200
