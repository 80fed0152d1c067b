# SPDX-License-Identifier: MIT
"""The world of a run: its seed, its pages, and the origin that answers for them, faults included."""
import collections
import random
import re
import threading

from origin import Reply

from interleavings.pages import Page

RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


class World:
    """Threads: any."""

    def __init__(self, seed, pages, faults=False, large=False):
        self.seed, self.faults = seed, faults
        chance = self.chance("pages")
        self.pages = [Page(number, chance, large) for number in range(pages)]
        self.by_path = {page.path: page for page in self.pages}
        self.counts = collections.Counter()
        self.done = threading.Event()
        self.problems = []
        self.processes = threading.Lock()  # held while the edge has no process that knows what SIGHUP means
        self.interruptions = []  # [from, to]: the edge is down, or about to be
        self.changes = {}  # X-Change of a POST → {path: the version that it made}
        self._turn = threading.Event()

    def chance(self, *who):
        """The same for the same actor of the same seed."""
        return random.Random(f"{self.seed} {who}")

    def pick(self, chance):
        """A page: some are much more wanted than others."""
        if chance.random() < 0.3:
            return chance.choice(self.pages)
        return self.pages[min(int(chance.paretovariate(0.6)) - 1, len(self.pages) - 1)]

    def problem(self, text, page=None):
        """Ends the run. What is known of the page is said with it."""
        known = f"\n{page}\n{page.history()}" if page else ""
        self.problems.append(f"HEADGATE_SEED={self.seed}: {text}{known}")
        self.done.set()

    def turn(self):
        """What the origin holds back in the middle goes on: a purge has been acknowledged, or its time is over."""
        turned, self._turn = self._turn, threading.Event()
        turned.set()

    def interrupted(self, start, end):
        """Whether the edge was down, or going down, at that time."""
        return any(begin <= end and start <= over for begin, over in list(self.interruptions))

    def troubled(self, page, start, end):
        """Whether the origin was at fault for this page at that time; a fault may take effect a while after its request came."""
        return any(moment <= end and start <= moment + 10 for moment, _ in list(page.troubles))

    # The origin

    def answer(self, request):
        page = self.by_path.get(request.path)
        if page is None:
            return Reply(404)
        if request.method == "POST":
            return self._change(page, request)
        number = page.take_number()
        chance = self.chance("answer", page.path, number)
        language = request.header("X-Language") if page.varies else ""
        version = page.version
        kind = chance.random()
        if self.faults and kind < 0.1:
            return self._fault(page, chance, version, language)
        headers = self.fields(page, version, language)
        if self._is_known(request, headers):
            page.note(f"origin: #{number} 304 for version {version} {language}")
            return Reply(304, headers=headers, framing="none")
        body = page.content(version, language)
        part = self._part(page, request, headers, body)
        if part is not None:
            self.counts["slices"] += 1
            page.note(f"origin: #{number} part {dict(part.headers).get('Content-Range')} of version {version}")
            return part
        page.note(f"origin: #{number} version {version} {language}, {len(body)} octets")
        reply = Reply(page.status, body, headers, framing=page.framing)
        if kind > 0.75 and body:
            reply.wait_after = (chance.randrange(len(body)), self._turn)
        elif kind > 0.65 and body:
            reply.drip = (len(body) // 5 + 1, 0.01)
        return reply

    @staticmethod
    def fields(page, version, language):
        headers = {"X-Version": version, "X-Language-Of": language or "-", "Content-Type": page.content_type}
        optional = {"Cache-Control": page.control, "ETag": page.etag(version, language), "Last-Modified": page.last_modified(version),
                    "Vary": "X-Language" if page.varies else None, "Surrogate-Key": " ".join(page.tags) or None,
                    "Accept-Ranges": "bytes" if page.accepts_ranges else None}
        return headers | {name: value for name, value in optional.items() if value is not None}

    @staticmethod
    def _is_known(request, headers):
        asked = [tag.strip() for value in request.values("If-None-Match") for tag in value.split(",")]
        if asked:
            return headers.get("ETag") in asked
        return headers.get("Last-Modified") is not None and request.values("If-Modified-Since") == [headers["Last-Modified"]]

    @staticmethod
    def _part(page, request, headers, body):
        asked = RANGE.match(request.header("Range", ""))
        if not asked or not page.accepts_ranges or page.status != 200:
            return None
        condition = request.header("If-Range")
        if condition and condition not in (headers.get("ETag"), headers.get("Last-Modified")):
            return None
        first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
        if first >= len(body):
            return Reply(416, headers=headers | {"Content-Range": f"bytes */{len(body)}"})
        return Reply(206, body[first:last + 1], headers | {"Content-Range": f"bytes {first}-{last}/{len(body)}"})

    def _fault(self, page, chance, version, language):
        kind = chance.choice(("error", "error", "no answer", "end", "reset"))
        page.trouble(f"{kind} for version {version} {language}")
        if kind == "error":
            return Reply(503, f"{page.path} is ill\n".encode(), {"Content-Type": "text/plain"})
        if kind == "no answer":
            return Reply(reset=-1)
        body = page.content(version, language)
        reply = Reply(page.status, body, self.fields(page, version, language), framing=page.framing)
        if body:
            place = chance.randrange(len(body))
            reply.truncate, reply.reset = (place, None) if kind == "end" else (None, place)
        return reply

    def _change(self, page, request):
        """An unsafe method: an error changes nothing; without an answer the page has changed all the same."""
        chance = self.chance("change", page.path, page.take_number())
        kind = chance.random()
        if kind < 0.2:
            return Reply(409, b"not now\n")
        made = self.changes[request.header("X-Change")] = {page.path: page.bump("POST")}
        if self.faults and kind < 0.35:
            page.trouble("no answer to a POST")
            return Reply(reset=-1)
        headers = {}
        if kind > 0.8:
            other = chance.choice([each for each in self.pages if each is not page])
            made[other.path] = other.bump("POST elsewhere")
            headers[chance.choice(("Location", "Content-Location"))] = other.path
        return Reply(chance.choice((200, 201, 303)), b"changed\n", headers)
