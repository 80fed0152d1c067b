# SPDX-License-Identifier: MIT
"""A browser: headless Chromium, with a QUIC and an HTTP/3 of its own."""
import re
import subprocess

from test_http3 import serve3  # noqa: F401, a fixture
from test_protocols import make_certificate
from harness import resource

PAGE = """<!doctype html><title>page</title><p id=said>nothing</p><script>
const navigation = performance.getEntriesByType("navigation")[0].nextHopProtocol;
Promise.all([...Array(20).keys()].map(i => fetch("/part?" + i).then(r => r.text()))).then(parts => {
  const resources = performance.getEntriesByType("resource").map(e => e.nextHopProtocol);
  document.getElementById("said").textContent =
    `page by ${navigation}, ${parts.filter(p => p.length === 100000).length} parts by ${[...new Set(resources)]}`;
});
</script>"""


def spki(certificate):
    """What Chromium's --ignore-certificate-errors-spki-list takes."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "base64", "-A"], input=digest, check=True, capture_output=True).stdout.decode()


def test_a_page_and_its_parts_come_over_http3(serve3, origin, tmp_path):
    origin.page("/", PAGE, Content_Type="text/html")
    origin.page("/part", b"x" * 100_000)
    key, chain = make_certificate(tmp_path, "shop.test")
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
    edge = serve3(certificate, aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"})
    address, port = edge.https.rsplit(":", 1)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         f"--origin-to-force-quic-on=shop.test:{port}", f"--host-resolver-rules=MAP shop.test {address}",
         f"--ignore-certificate-errors-spki-list={spki(tmp_path / 'shop.test.pem')}",
         "--virtual-time-budget=20000", "--dump-dom", f"https://shop.test:{port}/"], capture_output=True, text=True, timeout=120)
    said = re.search(r"<p id=\"said\">(.*)</p>", done.stdout)
    assert said, done.stdout + done.stderr
    assert said[1] == "page by h3, 20 parts by h3"
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1
