# SPDX-License-Identifier: MIT
"""What people and programs that mean no harm send: thousands of requests, the same ones each time."""
import base64
import json
import random
import urllib.parse
import uuid

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.43 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
PROGRAMS = ("shop-app/4.12.0 (iOS 17.2; iPhone14,5)", "okhttp/4.12.0", "Dalvik/2.1.0 (Linux; U; Android 13; SM-A536B)", "GitHub-Hookshot/044aadd")
LANGUAGES = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.7", "nb-NO,nb;q=0.9,no;q=0.8", "ja", "fr-CA,fr;q=0.8,en;q=0.5", "pt-BR,pt;q=0.9")
FIRST = ("Anna", "Jürgen", "Siobhan", "José", "Łukasz", "Mary Ann", "Nguyễn", "Omar", "Yuki", "Zoë")
LAST = ("Smith", "O'Neil", "D'Angelo", "Müller", "van der Berg", "García-López", "Øverland", "Kowalski", "Null", "Select")
STREETS = ("12 Rue de l'Église", "Hauptstraße 7", "221B Baker Street", "PO Box 1234", "5th Ave #12", "Storgata 3, 0155 Oslo")
CITIES = ("Köln", "São Paulo", "New York", "Zürich", "Coeur d'Alene", "東京")
SEARCHES = ("red running shoes size 42", "rock & roll", "t-shirt \"large\"", "how to drop weight", "women's jackets", "usb c to hdmi cable 2m", "50% off",
            "order by phone", "café crème", "сапоги зимние", "靴 26.5", "ac/dc vinyl", "select committee", "union jack flag", "C++ primer", "q&a", "1/2 inch pipe",
            "table for 8", "case iphone 15", "what's new")
COMMENTS = ("Great product, I love it <3", "Arrived on time. Would buy again!", "It's OK - but the colour isn't what I expected :(", "5/5 *****",
            "Does this fit the 2019 model? Mine is 2018; thanks in advance.", "Size runs small; order one up.\n\nThe rest is fine.",
            "Price went from $20 to $25?!", "Très bon rapport qualité/prix, je recommande.", "Wer hat Erfahrung mit \"Modell X\" & Zubehör?",
            "I'd give it 4.5 -- the strap broke after 3 weeks", "See https://example.com/reviews/123?page=2#top for photos", "送料が無料でした。")
SECTIONS = ("shoes", "men/jackets", "kids", "sale", "electronics/cables", "böcker", "new-arrivals")
ASSETS = ("js", "css", "png", "webp", "woff2", "svg", "json", "map", "ico", "mp4")


class Corpus:
    """(method, target, headers, body) of each, by a seed."""

    def __init__(self, seed=20240101):
        self.random = random.Random(seed)

    def one_of(self, choices):
        return self.random.choice(choices)

    def token(self, octets=16):
        return self.random.randbytes(octets).hex()

    def cookies(self):
        r = self.random
        known = {"sid": self.token(), "_ga": f"GA1.2.{r.randrange(10**9)}.{r.randrange(1_600_000_000, 1_700_000_000)}", "theme": self.one_of(("dark", "light")),
                 "consent": urllib.parse.quote(json.dumps({"ads": False, "stats": True})), "cart": base64.b64encode(r.randbytes(24)).decode(),
                 "jwt": ".".join(base64.urlsafe_b64encode(r.randbytes(30)).decode().rstrip("=") for _ in range(3)),
                 "locale": self.one_of(("en_US", "de_DE", "nb_NO")), "tz": "Europe%2FBerlin", "seen": "|".join(str(r.randrange(9999)) for _ in range(4))}
        return "; ".join(f"{name}={known[name]}" for name in r.sample(sorted(known), r.randrange(0, 6)))

    def headers(self, agents=BROWSERS, accept="text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", **more):
        headers = {"User-Agent": self.one_of(agents), "Accept": accept, "Accept-Language": self.one_of(LANGUAGES),
                   "Accept-Encoding": "gzip, deflate, br", **{name.replace("_", "-"): value for name, value in more.items()}}
        if cookies := self.cookies():
            headers["Cookie"] = cookies
        if self.random.random() < 0.6:
            headers["Referer"] = self.one_of(("https://shop.test/", "https://www.google.com/", "https://shop.test/search?q=" +
                                              urllib.parse.quote_plus(self.one_of(SEARCHES))))
        if self.random.random() < 0.2:
            headers["If-None-Match"] = f'W/"{self.token(8)}"'
        return headers

    def page(self):
        section = urllib.parse.quote(self.one_of(SECTIONS))
        query = self.one_of(("", "", "?page=" + str(self.random.randrange(1, 40)), "?sort=price-asc&color=blue&size=42",
                             f"?utm_source=newsletter&utm_medium=email&utm_campaign=summer_sale_{self.random.randrange(2024)}&gclid={self.token(12)}"))
        return "GET", f"/{section}/{self.random.randrange(99999)}-{self.one_of(('alpha', 'trail-runner', 'best-of-2024'))}{query}", self.headers(), None

    def asset(self):
        kind = self.one_of(ASSETS)
        more = {"Range": f"bytes={self.random.randrange(9999)}-"} if kind == "mp4" else {}
        return "GET", f"/assets/{self.token(4)}/{self.one_of(('app', 'vendor~main', 'logo@2x', 'font-400'))}.{kind}?v={self.token(4)}", \
            self.headers(accept="*/*", Sec_Fetch_Dest="script", Sec_Fetch_Mode="no-cors", **more), None

    def search(self):
        pairs = {"q": self.one_of(SEARCHES), "category": self.one_of(SECTIONS), "min": self.random.randrange(50), "max": self.random.randrange(50, 500)}
        return "GET", "/search?" + urllib.parse.urlencode(pairs), self.headers(), None

    def sign_in(self):
        name = self.one_of(FIRST).lower().replace(" ", ".")
        body = urllib.parse.urlencode({"email": f"{name}@example.com", "password": self.one_of(("correct horse battery", "P@ssw0rd!2024", "h4 mster&")),
                                       "csrf": base64.b64encode(self.random.randbytes(24)).decode(), "remember": "on",
                                       "next": "/account/orders?page=2"})
        return "POST", "/login", self.headers(Content_Type="application/x-www-form-urlencoded", Origin="https://shop.test"), body.encode()

    def checkout(self):
        body = urllib.parse.urlencode({"first": self.one_of(FIRST), "last": self.one_of(LAST), "street": self.one_of(STREETS), "city": self.one_of(CITIES),
                                       "zip": str(self.random.randrange(10000, 99999)), "phone": f"+49 170 {self.random.randrange(10**6, 10**7)}",
                                       "note": self.one_of(COMMENTS)})
        return "POST", "/checkout/address", self.headers(Content_Type="application/x-www-form-urlencoded", Origin="https://shop.test"), body.encode()

    def api(self):
        body = {"id": str(uuid.UUID(int=self.random.getrandbits(128))), "items": [
            {"sku": f"SKU-{self.random.randrange(9999)}", "qty": self.random.randrange(1, 5), "price": round(self.random.random() * 100, 2)}
            for _ in range(self.random.randrange(1, 8))], "customer": {"name": f"{self.one_of(FIRST)} {self.one_of(LAST)}", "city": self.one_of(CITIES)},
            "comment": self.one_of(COMMENTS), "gift": self.random.random() < 0.5, "createdAt": "2024-03-01T12:34:56.789Z"}
        return self.one_of(("POST", "PUT", "PATCH")), f"/api/v2/orders/{self.random.randrange(9999)}", self.headers(
            BROWSERS + PROGRAMS, "application/json", Content_Type="application/json", Authorization=f"Bearer {self.token(24)}"), json.dumps(body).encode()

    def graphql(self):
        query = "query Product($id: ID!, $first: Int) { product(id: $id) { name price { amount currency } reviews(first: $first) { edges { node { stars } } } } }"
        body = {"operationName": "Product", "variables": {"id": f"gid://shop/Product/{self.random.randrange(9999)}", "first": 10}, "query": query}
        return "POST", "/graphql", self.headers(BROWSERS + PROGRAMS, "application/json", Content_Type="application/json"), json.dumps(body).encode()

    def upload(self):
        boundary = "----WebKitFormBoundary" + self.token(8)
        photo = b"\xff\xd8\xff\xe0" + self.random.randbytes(self.random.randrange(500, 5000))
        parts = [(b'name="title"', b"", self.one_of(COMMENTS).encode()), (b'name="stars"', b"", b"4"),
                 (b'name="photo"; filename="IMG_%d.jpg"' % self.random.randrange(9999), b"Content-Type: image/jpeg\r\n", photo)]
        body = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n%s\r\n%s\r\n" % (boundary.encode(), *part) for part in parts)
        return "POST", "/reviews", self.headers(Content_Type=f"multipart/form-data; boundary={boundary}"), body + f"--{boundary}--\r\n".encode()

    def callback(self):
        state = base64.urlsafe_b64encode(self.random.randbytes(18)).decode()
        query = urllib.parse.urlencode({"code": self.token(20), "state": state, "scope": "openid email profile"})
        return "GET", f"/oauth/callback?{query}", self.headers(), None

    def hook(self):
        body = {"ref": "refs/heads/main", "commits": [{"id": self.token(20), "message": "Fix #42: don't drop the last row\n\nCo-authored-by: A <a@example.com>",
                                                       "added": ["src/main.c", "docs/select.md"], "url": "https://git.example.com/r/commit/1"}],
                "pusher": {"name": "anna", "email": None}}
        return "POST", "/hooks/git", self.headers(PROGRAMS, "*/*", Content_Type="application/json", X_Hub_Signature_256=f"sha256={self.token(32)}"), \
            json.dumps(body).encode()

    def beacon(self):
        body = json.dumps({"type": "pageview", "url": "https://shop.test/sale?x=1&y=2", "t": self.random.randrange(10**12), "vp": "1280x720"})
        return "POST", "/collect", self.headers(accept="*/*", Content_Type="text/plain;charset=UTF-8"), body.encode()

    def soap(self):
        body = ('<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                f'<GetStock xmlns="http://shop.test/stock"><Sku>{self.random.randrange(9999)}</Sku><Place>{self.one_of(CITIES)}</Place></GetStock>'
                "</s:Body></s:Envelope>")
        return "POST", "/soap/stock", self.headers(PROGRAMS, "text/xml", Content_Type="text/xml; charset=utf-8", SOAPAction='"GetStock"'), body.encode()

    def requests(self, count):
        """`count` of them, as often as each kind comes."""
        kinds = {self.page: 22, self.asset: 26, self.search: 12, self.sign_in: 5, self.checkout: 5, self.api: 12, self.graphql: 5, self.upload: 4,
                 self.callback: 3, self.hook: 2, self.beacon: 3, self.soap: 1}
        for make in self.random.choices(list(kinds), list(kinds.values()), k=count):
            yield (make.__name__, *make())
