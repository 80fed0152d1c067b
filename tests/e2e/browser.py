# SPDX-License-Identifier: MIT
"""A browser: headless Chromium, which knows shop.test and its certificate."""
import html
import re
import subprocess


def spki(certificate):
    """What Chromium's --ignore-certificate-errors-spki-list takes."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True, capture_output=True).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "base64", "-A"], input=digest, check=True, capture_output=True).stdout.decode()


class Page:
    """What a page has become when its scripts have come to rest."""

    def __init__(self, dom, said):
        self.dom, self._said = dom, said

    def text(self, id):
        """Of the element of this id, which holds text only."""
        found = re.search(rf'id="{id}"[^>]*>([^<]*)<', self.dom)
        assert found, f"nothing is called {id} in:\n{self.dom}\n{self._said}"
        return html.unescape(found[1])


def browse(edge, certificate, profile, target="/", *flags):
    """Opens https://shop.test and `target`; what the browser remembers is in the folder `profile`. `certificate` is the edge's."""
    address, port = edge.https.rsplit(":", 1)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
         f"--host-resolver-rules=MAP shop.test {address}", f"--ignore-certificate-errors-spki-list={spki(certificate)}",
         *flags, "--virtual-time-budget=20000", "--dump-dom", f"https://shop.test:{port}{target}"],
        capture_output=True, text=True, timeout=120)
    return Page(done.stdout, done.stderr)
