# SPDX-License-Identifier: MIT
"""Whether what a viewer got may be: whole, of one version, and none that the viewer must not be given any more."""
import dataclasses
import gzip
import math
import re

from interleavings.pages import belonging

#: How far an edge under load may lag behind the clock of the test. Only expiry is judged by it, never an invalidation.
LAG = 3
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")


@dataclasses.dataclass
class Seen:
    """A request and what came back. `broken` says how it ended if not well; then `body` is what had come."""
    page: object
    method: str
    language: str
    sent: dict
    start: float
    connected: float = 0
    end: float = 0
    status: int = 0
    fields: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    broken: str = ""
    left: bool = False      # the viewer has not waited for the end
    version_then: int = 0   # the origin's when the request began
    version_now: int = 0    # and when it had ended

    @property
    def version(self):
        return int(self.fields.get("x-version", 0))

    def __str__(self):
        outcome = self.broken or ("left" if self.left else "")
        return (f"{self.method} {self.sent} → {self.status} version {self.version or '-'}, {len(self.body)} octets, "
                f"{self.fields.get('cache-status', '')} age {self.fields.get('age', '-')} {self.fields.get('headgate-generation', '')} {outcome}")


class Wrong(Exception):
    """What was seen must not be."""


def require(condition, text):
    if not condition:
        raise Wrong(text)


def judge(world, seen):
    """Raises Wrong. Counts what was seen in `world.counts`."""
    page = seen.page
    excused = (world.interrupted(seen.connected, seen.end) or world.troubled(page, seen.start, seen.end)
               or page.is_large and seen.version_now != (seen.version or seen.version_then))  # nobody has the slices any more
    if seen.broken:
        world.counts["broken"] += 1
        require(excused, "the transfer broke, and nobody had given a reason")
    if not seen.status:
        return
    if seen.status >= 500:
        world.counts["error"] += 1
        return require(excused, "an error, and nobody had given a reason")
    count(world, seen)
    require(seen.version, "no X-Version")
    judge_version(world, seen)
    judge_head(seen)
    judge_body(seen)


def count(world, seen):
    status = seen.fields.get("cache-status", "")
    for word in ("hit", "collapsed", "fwd=miss", "fwd=uri-miss", "fwd=stale", "fwd-status=304"):
        if re.search(rf"headgate;.*\b{word}\b", status):
            world.counts[word] += 1
    world.counts[str(seen.status)] += 1
    if "multipart" in seen.fields.get("content-type", ""):
        world.counts["multipart"] += 1
    if "content-encoding" in seen.fields:
        world.counts["encoded"] += 1


def judge_version(world, seen):
    page = seen.page
    require(seen.version <= seen.version_now, f"version {seen.version} does not exist yet")
    floor = page.floor_of(seen.start, seen.end)
    require(seen.version >= floor.version, f"version {seen.version} is older than {floor.version}, since {floor.why}")
    if page.lifetime is None:  # nobody may store it, so it was asked for after the request had begun
        require(seen.version >= seen.version_then, f"version {seen.version} was not the latest when the request began")
        return
    superseded = page.superseded.get(seen.version, math.inf)
    if seen.start > superseded + page.lifetime + LAG:
        world.counts["long expired"] += 1
        may = "must-revalidate" not in (page.control or "") and page.control != "no-cache"
        excused = world.troubled(page, seen.start, seen.end)
        require(may and excused, f"version {seen.version} had expired {seen.start - superseded - page.lifetime:.1f} s before")


def judge_head(seen):
    page, fields = seen.page, seen.fields
    language = seen.language if page.varies else ""
    require(fields.get("x-language-of") == (language or "-"), f"the variant of {fields.get('x-language-of')}")
    etag = fields.get("etag")
    mine = page.etag(seen.version, language)
    weak = f"W/{mine}" if mine and "content-encoding" in fields else mine
    require(etag in (mine, weak), f"ETag {etag} with version {seen.version}")
    require(fields.get("last-modified") == page.last_modified(seen.version), "Last-Modified of another version")


def judge_body(seen):
    page, fields = seen.page, seen.fields
    whole = page.content(seen.version, seen.language if page.varies else "")
    if seen.method == "HEAD":
        require(not seen.body, "content after a HEAD")
        length = fields.get("content-length")
        require(length is None or "content-encoding" in fields or int(length) == len(whole), f"Content-Length {length}, not {len(whole)}")
    elif seen.status == 304:
        judge_not_modified(seen)
    elif seen.status == 416:
        require("Range" in seen.sent, "416 without Range")
        require(fields.get("content-range") == f"bytes */{len(whole)}", f"Content-Range {fields.get('content-range')}, length {len(whole)}")
    elif seen.status == 206:
        judge_parts(seen, whole)
    else:
        require(seen.status == page.status, f"status {seen.status}")
        judge_whole(seen, whole)


def judge_not_modified(seen):
    known = [tag.removeprefix("W/") for tag in seen.sent.get("If-None-Match", "").split(", ")]
    require(seen.fields.get("etag", "").removeprefix("W/") in known, "304 for what the viewer does not have")
    require(not seen.body, "a 304 with content")


def judge_whole(seen, whole):
    body = seen.body
    if seen.fields.get("content-encoding") == "gzip":
        if seen.broken or seen.left:
            return
        body = gzip.decompress(body)
    same = whole.startswith(body) if seen.broken or seen.left else whole == body
    require(same, f"not the octets of version {seen.version}: {belonging(body)}; wanted {belonging(whole)}")


def judge_parts(seen, whole):
    fields = seen.fields
    require("Range" in seen.sent, "206 without Range")
    condition = seen.sent.get("If-Range")
    if condition:
        strong = not condition.startswith("W/") and condition == fields.get("etag")
        require(strong, f"a part of another version than If-Range asks for: ETag {fields.get('etag')}")
    require("content-encoding" not in fields, "a part of an encoding")
    if "multipart" not in fields.get("content-type", ""):
        return judge_part(seen, whole, fields.get("content-range", ""), seen.body, seen.broken or seen.left)
    if seen.broken or seen.left:
        return
    boundary = b"\r\n--" + fields["content-type"].partition("boundary=")[2].encode()
    parts = (b"\r\n" + seen.body).split(boundary)
    require(len(parts) > 2 and parts[0] == b"" and parts[-1] == b"--\r\n", f"not a multipart body: {len(parts)} parts")
    for part in parts[1:-1]:
        head, _, octets = part.partition(b"\r\n\r\n")
        found = re.search(rb"content-range: (.*)", head, re.I)
        require(found, f"a part without Content-Range: {head!r}")
        judge_part(seen, whole, found[1].decode().strip(), octets, False)


def judge_part(seen, whole, content_range, octets, partial):
    match = RANGE.match(content_range)
    require(match, f"Content-Range {content_range!r}")
    first, last, length = map(int, match.groups())
    require(length == len(whole), f"Content-Range {content_range}: version {seen.version} has {len(whole)} octets")
    wanted = whole[first:last + 1]
    same = wanted.startswith(octets) if partial else wanted == octets
    require(same, f"not octets {first}-{last} of version {seen.version}: {belonging(octets)}; wanted {belonging(wanted)}")
