# SPDX-License-Identifier: MIT
"""A browser: headless Chromium, with a QUIC and an HTTP/3 of its own."""
from browser import browse
from harness import resource
from test_http3 import serve3  # noqa: F401, a fixture
from test_protocols import make_certificate

PAGE = """<!doctype html><title>page</title><p id=said>nothing</p><script>
const navigation = performance.getEntriesByType("navigation")[0].nextHopProtocol;
Promise.all([...Array(20).keys()].map(i => fetch("/part?" + i).then(r => r.text()))).then(parts => {
  const resources = performance.getEntriesByType("resource").map(e => e.nextHopProtocol);
  document.getElementById("said").textContent =
    `page by ${navigation}, ${parts.filter(p => p.length === 100000).length} parts by ${[...new Set(resources)]}`;
});
</script>"""


def test_a_page_and_its_parts_come_over_http3(serve3, origin, tmp_path):
    origin.page("/", PAGE, Content_Type="text/html")
    origin.page("/part", b"x" * 100_000)
    key, chain = make_certificate(tmp_path, "shop.test")
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"file": str(key)}}})
    edge = serve3(certificate, aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"})
    port = edge.https.rsplit(":", 1)[1]
    page = browse(edge, tmp_path / "shop.test.pem", tmp_path / "profile", "/", f"--origin-to-force-quic-on=shop.test:{port}")
    assert page.text("said") == "page by h3, 20 parts by h3"
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1
