# SPDX-License-Identifier: MIT
"""A file of any size, as an origin serves it: validators, ranges, and versions that cannot be mistaken for one another."""

import array
import re
import sys

from origin_messages import Reply


def content(version, first, end):
    """Octets [first, end) of a version: each group of eight is a number that says where it belongs and to which version."""
    words = array.array("Q", range((version << 40) + first // 8, (version << 40) + (end + 7) // 8))
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()[first % 8:first % 8 + end - first]


class _Part(Reply):
    """A Reply whose body is made while it is sent."""

    def __init__(self, version, first, end, **fields):
        super().__init__(size=end - first, **fields)
        self.version, self.first = version, first

    def octets(self, start, end):
        return content(self.version, self.first + start, self.first + end)


class File:
    """To be given to Origin.route. Its attributes may be changed at any time."""

    def __init__(self, size, cache_control="max-age=3600", **headers):
        self.size, self.version, self.cache_control, self.headers = size, 1, cache_control, headers
        self.accept_ranges = "bytes"
        self.ignores_ranges = False
        self.complete = None     # what Content-Range says instead of the size
        self.tag = None          # another form of the entity-tag: a function of the version
        self.before = None       # called with (request, first, end) before an answer is made; may return a Reply instead

    def etag(self):
        return self.tag(self.version) if self.tag else f'"version-{self.version}"'

    def bytes(self, first=0, end=None):
        return content(self.version, first, self.size if end is None else end)

    def __call__(self, request):
        first, end = self.range_of(request)
        if self.before and (reply := self.before(request, first, end)):
            return reply
        version, etag = self.version, self.etag()
        headers = {"Cache-Control": self.cache_control, "ETag": etag, "Content-Type": "application/octet-stream",
                   **{name.replace("_", "-"): value for name, value in self.headers.items()}}
        if self.accept_ranges:
            headers["Accept-Ranges"] = self.accept_ranges
        if request.header("If-None-Match") == etag:
            return Reply(304, headers=headers, framing="none")
        if first is None or request.header("If-Range", etag) != etag:
            return _Part(version, 0, self.size, headers=headers)
        if first >= self.size:
            return Reply(416, headers={"Content-Range": f"bytes */{self.size}"})
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{self.complete or self.size}"
        return _Part(version, first, end, status=206, headers=headers)

    def range_of(self, request):
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header("Range", ""))
        if not match or not self.accept_ranges or self.ignores_ranges:
            return None, None
        return int(match[1]), min(int(match[2]) + 1 if match[2] else self.size, self.size)
