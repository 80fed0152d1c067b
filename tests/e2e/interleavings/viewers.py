# SPDX-License-Identifier: MIT
"""Viewers: each asks for pages on connections of its own, over HTTP/1.1 or HTTP/2, until the run is over."""
import http.client
import itertools
import sys
import threading
import time

import harness

sys.path.append(str(harness.ROOT / "tests/h2o"))
import http2  # noqa: E402

from interleavings.judge import Seen, Wrong, judge, require
from interleavings.pages import LANGUAGES

BROKEN = (OSError, http.client.HTTPException)
HOST = "shop.test"


class Viewer(threading.Thread):
    """What viewers have in common: what they ask for, and that everything they get is judged."""

    def __init__(self, world, edge, name):
        super().__init__(name=name, daemon=True)
        self.world, self.edge = world, edge
        self.random = world.chance(name)
        self.etags = {}  # path → those that were seen
        self.generation, self.connected = 0, 0

    def run(self):
        try:
            while not self.world.done.is_set():
                self.turn()
        except Exception as failure:  # a defect of the test is not to pass for a run without problems
            self.world.problem(f"{self.name}: {failure!r}")
            raise
        finally:
            self.disconnect()

    def wish(self, methods=("GET",) * 12 + ("HEAD",)):
        page = self.world.pick(self.random)
        language = self.random.choice(LANGUAGES)
        method = self.random.choice(methods)
        sent = {"X-Language": language}
        if self.random.random() < 0.3:
            sent["Accept-Encoding"] = "gzip"
        size = max(page.sizes)
        form = self.random.random()
        known = self.etags.get(page.path, [])
        if form < 0.2 and size and method == "GET":
            sent["Range"] = self.range_of(size)
            if known and self.random.random() < 0.5:
                sent["If-Range"] = self.random.choice(known)
        elif form < 0.35 and known:
            sent["If-None-Match"] = ", ".join(self.random.sample(known, min(2, len(known))))
        return Seen(page, method, language, sent, time.monotonic(), self.connected, version_then=page.version)

    def range_of(self, size):
        def one():
            first = self.random.randrange(size)
            last = first + self.random.randrange(1 + self.random.choice((0, 100, size)))
            return self.random.choice((f"{first}-{last}", f"{first}-{last}", f"{first}-", f"-{self.random.randrange(1, size + 1)}"))
        return "bytes=" + ",".join(one() for _ in range(self.random.choice((1, 1, 1, 2, 3))))

    def ended(self, seen):
        """Judges it. Whether this run goes on."""
        seen.end = time.monotonic()
        seen.version_now = seen.page.version
        try:
            if seen.status and "headgate-generation" in seen.fields:
                generation = int(seen.fields["headgate-generation"].partition("-")[0])
                require(generation >= self.generation, f"generation {generation} after {self.generation}")
            judge(self.world, seen)
        except Wrong as wrong:
            self.note(seen)
            return self.world.problem(f"{self.name}: {wrong}\n{seen}", seen.page)
        self.note(seen)
        if etag := seen.fields.get("etag"):
            known = self.etags.setdefault(seen.page.path, [])
            if etag not in known:
                known[:] = [*known[-3:], etag]

    @staticmethod
    def note(seen):
        seen.page.note(f"asks: {seen.method} {seen.sent} floor {seen.page.floor_of(seen.start, seen.end).version}", seen.start)
        seen.page.note(f"gets: {seen}", seen.end)

    def saw_generation(self, *all_seen):
        """What was asked for from now on is not from before."""
        for seen in all_seen:
            if "headgate-generation" in seen.fields:
                self.generation = max(self.generation, int(seen.fields["headgate-generation"].partition("-")[0]))

    def reconnect(self, connect):
        """A connection, or None when the edge is down."""
        self.connected = time.monotonic()
        self.generation = 0
        try:
            return connect()
        except BROKEN as failure:
            if not self.world.interrupted(self.connected, time.monotonic()):
                self.world.problem(f"{self.name}: cannot connect: {failure!r}")
            self.world.done.wait(0.02)
            return None


class Http1Viewer(Viewer):
    """One request after the other; some leave in the middle, some change pages."""

    changes = itertools.count()

    def __init__(self, world, edge, name, tls=False):
        super().__init__(world, edge, name)
        self.tls, self.client = tls, None

    def disconnect(self):
        if self.client:
            self.client.close()
        self.client = None

    def connect(self):
        client = self.edge.connect(self.tls)
        if not self.tls:
            client.connection.connect()
        return client

    def turn(self):
        if self.client is None:
            self.client = self.reconnect(self.connect)
            return
        if self.random.random() < 0.03:
            return self.change()
        seen = self.wish()
        leaves_after = self.random.randrange(300_000) if self.random.random() < 0.05 else None
        self.exchange(seen, leaves_after)
        if seen.broken or seen.left:
            self.disconnect()
        self.ended(seen)
        self.saw_generation(seen)

    def exchange(self, seen, leaves_after=None):
        connection = self.client.connection
        pieces = []
        try:
            connection.request(seen.method, seen.page.path, headers={"Host": HOST, **seen.sent})
            response = connection.getresponse()
            seen.status = response.status
            seen.fields = {name.lower(): value for name, value in response.getheaders()}
            while piece := response.read(65536):
                pieces.append(piece)
                if leaves_after is not None and sum(map(len, pieces)) > leaves_after:
                    seen.left = True
                    break
            if response.length and not seen.left:  # read(n) does not say so
                seen.broken = f"{response.length} octets are missing"
        except http.client.IncompleteRead as failure:
            pieces.append(failure.partial)
            seen.broken = repr(failure)
        except BROKEN as failure:
            seen.broken = repr(failure)
        seen.body = b"".join(pieces)

    def change(self):
        """An unsafe method: when it has been answered, nobody is given what was there before."""
        page = self.world.pick(self.random)
        name = f"change-{next(self.changes)}"
        seen = Seen(page, "POST", "", {"X-Change": name}, time.monotonic(), self.connected)
        self.exchange(seen)
        seen.end = time.monotonic()
        self.note(seen)
        if seen.broken:
            self.disconnect()
            if not self.world.interrupted(seen.connected, seen.end):
                self.world.problem(f"{self.name}: {seen}", page)
            return
        self.world.counts["changes"] += 1
        if seen.status < 400 or seen.status == 502:
            for path, version in self.world.changes.get(name, {}).items():
                self.world.by_path[path].add_floor(version, f"{name} of {page.path}")


class Http2Viewer(Viewer):
    """Several requests at once on one connection."""

    def __init__(self, world, edge, name):
        super().__init__(world, edge, name)
        self.connection, self.stream = None, 1

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def connect(self):
        settings = http2.setting(http2.INITIAL_WINDOW_SIZE, http2.LARGEST)
        connection = http2.Client(int(self.edge.http.rsplit(":", 1)[1]), harness.DEADLINE, settings, window=http2.LARGEST - 65535)
        connection.body = _Bodies()
        self.stream = 1
        return connection

    def turn(self):
        if self.connection is None or self.stream > 400:
            self.disconnect()
            self.connection = self.reconnect(self.connect)
            return
        batch = {}
        for _ in range(self.random.randrange(1, 5)):
            seen = batch[self.stream] = self.wish()
            fields = [(name.lower(), value) for name, value in seen.sent.items()]
            self.connection.request(self.stream, seen.page.path, method=seen.method, fields=fields, authority=HOST)
            self.stream += 2
        self.read(batch)
        if any(seen.broken for seen in batch.values()):
            self.disconnect()
        for seen in batch.values():
            self.ended(seen)
        self.saw_generation(*batch.values())

    def read(self, batch):
        connection = self.connection
        try:
            connection.wait_for_response(*batch)
        except AssertionError:
            pass  # what is missing shows below
        for stream, seen in batch.items():
            if stream in connection.fields:
                seen.status = connection.status[stream]
                seen.fields = dict(connection.fields[stream])
            seen.body = bytes(connection.body.pop(stream))
            if stream in connection.resets:
                seen.broken = f"RST_STREAM {connection.resets[stream]}"
            elif stream not in connection.ended:
                why = f"the connection was closed, GOAWAY {connection.goaways}" if connection.closed else "it hangs"
                seen.broken = f"stream {stream}: {why}"
            for of_stream in (connection.fields, connection.status, connection.statuses):
                of_stream.pop(stream, None)
        connection.header_blocks.clear()


class _Bodies(dict):
    """Bodies by stream that grow in place."""

    def __missing__(self, stream):
        return self.setdefault(stream, bytearray())

    def pop(self, stream):
        return super().pop(stream, b"")
