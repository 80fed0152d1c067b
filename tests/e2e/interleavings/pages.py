# SPDX-License-Identifier: MIT
"""The pages of the model: what each version of them contains, and which versions a viewer may still be given."""
import collections
import dataclasses
import hashlib
import math
import random
import re
import threading
import time

LANGUAGES = ("de", "en", "fr")
BLOCK = 1024
#: Cache-Control, and for how many seconds after the origin's answer a version may be served without asking.
CONTROLS = (
    ("max-age=600", 600), ("max-age=600, stale-if-error=60", 600), ("max-age=1", 1), ("max-age=0", 0), ("no-cache", 0),
    ("max-age=1, stale-while-revalidate=2", 3), ("max-age=0, stale-if-error=60", 0), ("max-age=1, stale-if-error=60", 1),
    ("s-maxage=2, max-age=600", 2), ("max-age=1, must-revalidate", 1), ("public, max-age=600, immutable", 600), (None, math.inf),
    ("no-store", None), ("private, max-age=600", None))
SMALL = (0, 1, 700, 5_000, 15_000)
MIDDLE = (20_000, 65_536, 150_001, 400_000)
LARGE = (600_000, 1 << 20, 2_500_001, 5 << 20)


@dataclasses.dataclass(frozen=True)
class Floor:
    """From `since` on no version below `version` may be given, unless this is undone."""
    version: int
    since: float
    why: str


class Page:
    """One URL. Its traits stay; its version counts up. Threads: any."""

    def __init__(self, number, chance, large=False):
        """`large`: it is to be kept in slices."""
        self.name = f"p{number}"
        folder, extension = chance.choice("abc"), chance.choice(("html", "bin", "json"))
        self.path = f"/{folder}/{self.name}.{extension}"
        self.content_type = {"html": "text/html; charset=utf-8", "bin": "application/octet-stream", "json": "application/json"}[extension]
        self.control, self.lifetime = CONTROLS[number % len(CONTROLS)]
        self.validator = "strong" if large else chance.choice(("strong", "strong", "strong", "weak", "date", None))
        self.varies = chance.random() < 0.3
        self.sizes = chance.sample(LARGE if large or number % 8 == 5 else chance.choice((SMALL, MIDDLE)), 3)
        self.is_large = max(self.sizes) > MIDDLE[-1]
        self.framing = "length" if large else chance.choice(("length", "length", "chunked"))
        self.accepts_ranges = large or chance.random() < 0.7
        self.tags = chance.sample(("red", "green", "blue"), chance.randrange(3))
        self.status = 404 if number % 11 == 10 else 200
        self._changed = threading.Lock()
        self.version = 1
        self.superseded = {}  # version → moment
        self.floors = []
        self.undone = {}  # floor → moment
        self.troubles = collections.deque(maxlen=50)  # (moment, what)
        self.asked = 0
        self._history = collections.deque(maxlen=400)

    # What it contains

    def content(self, version, language):
        """Every block says where it belongs, so octets of another version, variant, page or place cannot pass for these."""
        size = self.sizes[version % len(self.sizes)]
        label = f"{self.path} v{version} {language or '-'}"
        text = random.Random(label).randbytes(BLOCK // 2).hex()
        rest = text[:BLOCK - 64]
        blocks = [f"{label} #{number}\n".ljust(64) + rest for number in range(-(-size // BLOCK))]
        return "".join(blocks).encode()[:size]

    def etag(self, version, language):
        if self.validator not in ("strong", "weak"):
            return None
        return f'{"W/" if self.validator == "weak" else ""}"{self.name}.{version}.{language or "-"}"'

    def last_modified(self, version):
        """Of versions in the far past, a second apart: a strong validator is not what it has to be."""
        if self.validator != "date":
            return None
        return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(1_700_000_000 + version))

    # What becomes of it

    def bump(self, why):
        with self._changed:
            self.superseded[self.version] = time.monotonic()
            self.version += 1
            version = self.version
        self.note(f"origin has version {version} ({why})")
        return version

    def take_number(self):
        """How many requests have come to the origin before."""
        with self._changed:
            self.asked += 1
            return self.asked - 1

    def add_floor(self, version, why):
        floor = Floor(version, time.monotonic(), why)
        with self._changed:
            self.floors.append(floor)
        self.note(f"floor {version} ({why})")
        return floor

    def undo(self, floor, why):
        with self._changed:
            self.undone[floor] = time.monotonic()
        self.note(f"floor {floor.version} of {floor.why} is being taken back ({why})")

    def trouble(self, what):
        self.troubles.append((time.monotonic(), what))
        self.note(f"origin: {what}")

    def floor_of(self, start, end):
        """The floor that holds for a request of that time: its reason too."""
        with self._changed:
            standing = [floor for floor in self.floors if floor.since <= start and self.undone.get(floor, math.inf) > end]
        return max(standing, key=lambda floor: floor.version, default=Floor(1, 0, "the beginning"))

    # What has been seen of it

    def note(self, text, moment=None):
        self._history.append((moment or time.monotonic(), threading.current_thread().name, text))

    def history(self, count=80):
        events = sorted(self._history)
        first = events[0][0] if events else 0
        return "\n".join(f"{moment - first:9.4f} {thread:>10}  {text}" for moment, thread, text in events[-count:])

    def __str__(self):
        return (f"{self.path}: {self.control!r}, validator {self.validator}, {'varies, ' if self.varies else ''}sizes {self.sizes}, "
                f"{self.framing}, {'ranges, ' if self.accepts_ranges else ''}tags {self.tags}, status {self.status}")


def belonging(octets):
    """Where these octets say that they belong, in runs: for a failure's message."""
    labels = [match.decode() for match in re.findall(rb"(/[abc]/p\d+\.\w+ v\d+ \S+) #\d+\n", octets)]
    runs = []
    for label in labels:
        if not runs or runs[-1][0] != label:
            runs.append([label, 0])
        runs[-1][1] += 1
    digest = hashlib.sha256(octets).hexdigest()[:12]
    return f"{len(octets)} octets (sha256 {digest}): " + (", ".join(f"{count} blocks of {label}" for label, count in runs) or repr(octets[:80]))
