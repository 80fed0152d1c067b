# SPDX-License-Identifier: MIT
"""Challenges over real HTTP: the page in a browser that solves it by itself, and proofs that are worth nothing."""
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import time

import pytest

from browser import browse
from harness import behavior, curl, resource
from test_protocols import make_certificate
from test_waf import TRUSTED, acl, guarded, rule, samples  # noqa: F401, the fixture

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def challenge_of(answer):
    return json.loads(re.search(rb'id="challenge">(.*?)</script>', answer.body)[1])


def solve(task):
    for nonce in range(1 << 24):
        proof = f"{task['challenge']}.{nonce}"
        digest = hashlib.sha256(proof.encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - task["bits"]) == 0:
            return f"{task['cookie']}={proof}"
    raise AssertionError("unsolvable")


@pytest.mark.http1
def test_a_client_that_solves_the_challenge_passes_and_others_do_not(guarded, origin):
    edge = guarded(rule("pow", {"path": {"exact": "/page"}}, {"challenge": {"bits": 10, "immunity": "1h"}}))
    refused = edge.get("/page", **BROWSER)
    assert (refused.status, refused.headers["cache-control"]) == (403, "no-store")
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert refused.headers["proxy-status"].endswith('details="challenge pow"')
    assert origin.count("/page") == 0
    cookie = solve(challenge_of(refused))
    assert edge.get("/page", Cookie=cookie, **BROWSER).body == b"content"
    assert edge.get("/page", Cookie=cookie).body == b"content"
    assert edge.get("/page", Cookie=cookie, host="other.test").status == 403
    assert edge.get("/page", Cookie=cookie[:-1] + ("0" if cookie[-1] != "0" else "1")).status == 403
    assert edge.request("GET", "/page", tls=True, Cookie=cookie).status == 403  # another TLS fingerprint: none before
    assert samples(edge)["pow", "challenge_passed"] == 2


def test_who_does_not_accept_html_gets_no_page(guarded):
    edge = guarded(rule("pow", action="challenge"))
    answer = edge.get("/page", Accept="application/json")
    assert answer.status == 403
    assert answer.headers["content-type"].startswith("text/plain") and b"reason: challenge" in answer.body


def test_the_page_is_solved_by_its_own_script(guarded, tmp_path):
    """The script runs in node with as much of a browser as it uses."""
    edge = guarded(rule("pow", action={"challenge": {"bits": 12}}))
    page = edge.get("/page", **BROWSER).body.decode()
    script = re.search(r"<script>(.*)</script>", page, re.S)[1]
    task = re.search(r'id="challenge">(.*?)</script>', page)[1]
    (tmp_path / "run.js").write_text(f"""
const elements = {{challenge: {{textContent: {json.dumps(task)}}}, text: {{}}}};
globalThis.document = {{cookie: '', getElementById: (id) => elements[id]}};
globalThis.location = {{protocol: 'http:', reload: () => {{ console.log(document.cookie.split(';')[0]); }}}};
{script}
""")
    done = subprocess.run([shutil.which("node"), tmp_path / "run.js"], capture_output=True, text=True, check=True)
    assert edge.get("/page", Cookie=done.stdout.strip()).status == 200


def test_edges_with_the_same_secret_believe_each_other(guarded, run, tmp_path):
    (tmp_path / "secret").write_text("0123456789abcdef0123")
    pow_rule = rule("pow", action={"challenge": {"bits": 4}})
    one = guarded(pow_rule, challenge={"secret": {"valueFrom": {"file": str(tmp_path / "secret")}}})
    other = run(state="other")
    cookie = solve(challenge_of(one.get("/page", **BROWSER)))
    assert one.get("/page", Cookie=cookie).status == 200
    assert other.get("/page", Cookie=cookie).status == 200


def test_without_a_secret_each_edge_has_its_own(guarded, run):
    one = guarded(rule("pow", action={"challenge": {"bits": 4}}))
    other = run(state="other")
    cookie = solve(challenge_of(one.get("/page", **BROWSER)))
    assert one.get("/page", Cookie=cookie).status == 200
    assert other.get("/page", Cookie=cookie).status == 403


# --- Proofs that are worth nothing ---------------------------------------------------------------------------------


def test_a_proof_is_worth_something_in_its_network_only(guarded, tmp_path):
    (tmp_path / "edge.yaml").write_text(TRUSTED)
    edge = guarded(rule("pow", action={"challenge": {"bits": 4, "immunity": "1h"}}), flags=("--config", tmp_path / "edge.yaml"))
    for first, same, other in (("198.51.100.7", "198.51.100.200", "198.51.101.7"), ("2001:db8:0:1::7", "2001:db8:0:1:ffff::1", "2001:db8:0:2::7")):
        cookie = solve(challenge_of(edge.get("/page", X_Forwarded_For=first, **BROWSER)))
        assert [edge.get("/page", X_Forwarded_For=address, Cookie=cookie).status for address in (first, same, other)] == [200, 200, 403]


@pytest.mark.http1
def test_a_proof_is_worth_something_for_its_tls_client_only(guarded):
    edge = guarded(rule("pow", action={"challenge": {"bits": 4, "immunity": "1h"}}))
    cookie = solve(challenge_of(edge.request("GET", "/page", tls=True, **BROWSER)))
    assert edge.request("GET", "/page", tls=True, Cookie=cookie).status == 200
    assert curl("--header", f"Cookie: {cookie}", f"https://{edge.https}/page", "--header", "Host: shop.test").status == 403
    assert edge.get("/page", Cookie=cookie).status == 403  # and not without TLS


def made(secret, expires, bits=4, host="shop.test", network="7f0000", ja4=""):
    """The cookie of who solved a challenge that ends at `expires`, in seconds since 1970; as the edge itself makes challenges."""
    expiry = f"{int(expires * 1000):x}"
    text = f"headgate challenge\n{host}\n{network}\n{ja4}\n{bits}\n{expiry}"
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]
    return solve({"challenge": f"1.{bits}.{expiry}.{mac}", "bits": bits, "cookie": "headgate-challenge"})


@pytest.mark.http1
def test_a_proof_ends_and_is_of_this_secret_and_of_enough_work(guarded, tmp_path):
    secret = "0123456789abcdef0123"
    (tmp_path / "secret").write_text(secret)
    edge = guarded(rule("pow", action={"challenge": {"bits": 4}}), challenge={"secret": {"valueFrom": {"file": str(tmp_path / "secret")}}})
    now = time.time()
    for cookie, status in ((made(secret, now + 3600), 200), (made(secret, now - 1), 403), (made("another secret of 20", now + 3600), 403),
                           (made(secret, now + 3600, bits=3), 403), (made(secret, now + 3600, bits=5), 200)):
        assert edge.get("/page", Cookie=cookie).status == status, cookie


# --- A browser -----------------------------------------------------------------------------------------------------


PAGE = """<!doctype html><title>page</title><p id=page>the page</p><p id=cookie></p><p id=parts></p><script>
document.getElementById("cookie").textContent = document.cookie;
Promise.all([...Array(12).keys()].map(i => fetch("/part?" + i).then(r => r.text()))).then(parts => {
  document.getElementById("parts").textContent = [...new Set(parts)];
});
</script>"""


@pytest.fixture
def challenged(serve, origin, tmp_path):
    """An edge that challenges everybody, with a certificate that a browser takes."""
    def start(**spec):
        origin.page("/", PAGE, Content_Type="text/html")
        origin.page("/other", PAGE.replace("the page", "the other page"), Content_Type="text/html")
        origin.page("/part", b"a part")
        key, chain = make_certificate(tmp_path, "shop.test")
        certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
        return serve(certificate, acl(rule("pow", action={"challenge": {"bits": 14, "immunity": "1h"}})), webAclRef="acl",
                     aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"}, **spec)
    return start


@pytest.mark.http1
@pytest.mark.parametrize("version", ["http1.1", "http2", "http2and3"])
def test_a_browser_solves_it_by_itself_once_and_nobody_can_steal_the_proof(challenged, tmp_path, version):
    edge = challenged(httpVersion=version)
    port = edge.https.rsplit(":", 1)[1]
    flags = [f"--origin-to-force-quic-on=shop.test:{port}"] if version == "http2and3" else []

    def open_page(target):
        return browse(edge, tmp_path / "shop.test.pem", tmp_path / "profile", target, *flags)

    page = open_page("/")
    assert page.text("page") == "the page"
    assert page.text("parts") == "a part"  # also on connections that resume the first one's session
    assert samples(edge)["pow", "challenge"] == 1  # and no icon was asked for
    # On another connection, of another process.
    other = open_page("/other")
    assert other.text("page") == "the other page"
    assert other.text("parts") == "a part"
    assert other.text("cookie") == page.text("cookie")
    assert samples(edge)["pow", "challenge"] == 1  # and no icon was asked for
    stolen = page.text("cookie")
    assert re.fullmatch(r"headgate-challenge=1\.14\.[0-9a-f]+\.[0-9a-f]{32}\.\d+", stolen)
    assert curl("--resolve", f"shop.test:{port}:127.0.0.1", "--header", f"Cookie: {stolen}", f"https://shop.test:{port}/").status == 403
    assert edge.get("/", Cookie=stolen).status == 403
