# SPDX-License-Identifier: MIT
"""HTTP/3 frame by frame, on streams of a QUIC client that does what it is told (h3_raw.cc)."""
import queue
import subprocess
import threading

from hpack.huffman_table import decode_huffman

# RFC 9114 section 8.1, RFC 9204 section 6.
H3_NO_ERROR, H3_GENERAL_PROTOCOL_ERROR, H3_INTERNAL_ERROR, H3_STREAM_CREATION_ERROR, H3_CLOSED_CRITICAL_STREAM, H3_FRAME_UNEXPECTED, \
    H3_FRAME_ERROR, H3_EXCESSIVE_LOAD, H3_ID_ERROR, H3_SETTINGS_ERROR, H3_MISSING_SETTINGS, H3_REQUEST_REJECTED, H3_REQUEST_CANCELLED, \
    H3_REQUEST_INCOMPLETE, H3_MESSAGE_ERROR = range(0x100, 0x10f)
QPACK_DECOMPRESSION_FAILED, QPACK_ENCODER_STREAM_ERROR, QPACK_DECODER_STREAM_ERROR = 0x200, 0x201, 0x202
DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, PRIORITY_UPDATE = 0, 1, 3, 4, 5, 7, 13, 0xf0700
CONTROL, PUSH, ENCODER, DECODER = 0, 1, 2, 3

# RFC 9204 appendix A: where the table has a :status.
_STATUSES = dict(zip([24, 25, 26, 27, 28, 63, 64, 65, 66, 67, 68, 69, 70, 71],
                     [103, 200, 304, 404, 503, 100, 204, 206, 302, 400, 403, 421, 425, 500]))


def varint(value):
    """RFC 9000 section 16."""
    for bits, prefix in ((6, 0), (14, 1), (30, 2), (62, 3)):
        if value < 1 << bits:
            return ((prefix << bits) | value).to_bytes((bits + 2) // 8, "big")
    raise ValueError(value)


def read_varint(octets, at):
    size = 1 << (octets[at] >> 6)
    return int.from_bytes(octets[at:at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def frame(kind, payload=b""):
    return varint(kind) + varint(len(payload)) + payload


def prefixed(value, bits, first=0):
    """RFC 7541 section 5.1: an integer after a prefix."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytes([first | most]), value - most
    while value >= 128:
        out, value = out + bytes([value % 128 | 128]), value // 128
    return out + bytes([value])


def section(fields):
    """RFC 9204 section 4.5.6: field lines with literal names, no table."""
    out = b"\0\0"
    for name, value in fields:
        name, value = name.encode("latin-1"), value.encode("latin-1")
        out += prefixed(len(name), 3, 0x20) + name + prefixed(len(value), 7) + value
    return out


def request_fields(path="/page", method="GET", host="shop.test", *more, scheme="https"):
    return [(":method", method), (":scheme", scheme), (":authority", host), (":path", path), *more]


def headers(*arguments, **options):
    return frame(HEADERS, section(request_fields(*arguments, **options)))


def read_prefixed(octets, at, bits):
    most = (1 << bits) - 1
    value, at = octets[at] & most, at + 1
    if value == most:
        shift = 0
        while True:
            value, shift, at = value + ((octets[at] & 127) << shift), shift + 7, at + 1
            if octets[at - 1] < 128:
                break
    return value, at


def first_status(payload):
    """:status, which is a section's first line and, for a client without a table, indexed or named by the static one."""
    if payload[2] & 0x80:
        return _STATUSES[read_prefixed(payload, 2, 6)[0]]
    name, at = read_prefixed(payload, 2, 4)
    assert payload[2] & 0x50 == 0x50 and name in _STATUSES, payload[:10]
    huffman = payload[at] & 0x80
    size, at = read_prefixed(payload, at, 7)
    value = payload[at:at + size]
    return int(decode_huffman(value) if huffman else value)


class Stream:
    def __init__(self):
        self.octets, self.fin, self.reset, self.shut = b"", False, None, False

    def frames(self):
        """Whole frames that have come: (kind, payload)."""
        found, at = [], 0
        while at < len(self.octets):
            try:
                kind, after = read_varint(self.octets, at)
                size, after = read_varint(self.octets, after)
            except IndexError:
                break
            if after + size > len(self.octets):
                break
            found.append((kind, self.octets[after:after + size]))
            at = after + size
        return found

    @property
    def status(self):
        """Of the final response, by an index of the static table; the client has no other."""
        for kind, payload in self.frames():
            if kind == HEADERS:
                status = first_status(payload)
                if status >= 200:
                    return status
        return None

    @property
    def body(self):
        return b"".join(payload for kind, payload in self.frames() if kind == DATA)


class RawClient:
    """A connection. `prepare`: with the control stream and SETTINGS that HTTP/3 asks for."""

    def __init__(self, binary, address, sni="shop.test", prepare=True, deadline=60):
        host, _, port = address.rpartition(":")
        self._process = subprocess.Popen([binary, host, port, sni], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._deadline = deadline
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.streams, self.closed, self._opened, self._synced, self.ready = {}, None, [], 0, False
        self.wait(lambda: self.ready or self.closed)
        if prepare:
            self.control = self.open("uni", varint(CONTROL) + frame(SETTINGS))

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.split())
        self._lines.put(["gone"])

    def _take(self, words):
        verb, *rest = words
        if verb in ("closed", "ended", "gone"):
            self.closed = self.closed or tuple(words)
        elif verb == "ready":
            self.ready = True
        elif verb == "opened":
            self._opened.append(int(rest[0]))
        elif verb == "synced":
            self._synced += 1
        else:
            stream = self.streams.setdefault(int(rest[0]), Stream())
            if verb == "data":
                stream.octets += bytes.fromhex(rest[1])
            elif verb == "fin":
                stream.fin = True
            elif verb == "reset":
                stream.reset = int(rest[1])
            elif verb == "shut":
                stream.shut = True

    def wait(self, condition):
        """Takes what comes until the condition holds."""
        while not condition():
            try:
                self._take(self._lines.get(timeout=self._deadline))
            except queue.Empty:
                raise AssertionError(f"waited too long: closed={self.closed}, streams="
                                     f"{ {i: (len(s.octets), s.fin, s.reset) for i, s in self.streams.items()} }") from None

    def say(self, *words):
        if self.closed is None:
            try:
                self._process.stdin.write(" ".join(map(str, words)) + "\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                pass

    def open(self, kind="bidi", octets=None, fin=False):
        """A new stream's number; None when the edge has closed the connection or allows no more."""
        self.say("open", kind)
        self.wait(lambda: self._opened or self.closed)
        if not self._opened:
            return None
        number = self._opened.pop()
        if number < 0:
            return None
        self.streams.setdefault(number, Stream())
        if octets is not None:
            self.send(number, octets, fin)
        return number

    def send(self, stream, octets=b"", fin=False):
        self.say("send", stream, octets.hex() or "-", "fin" if fin else "")

    def request(self, *arguments, **options):
        """A request without a body, and its stream once that has ended."""
        number = self.open("bidi", headers(*arguments, **options), fin=True)
        return self.answer(number)

    def answer(self, number):
        stream = self.streams[number]
        self.wait(lambda: stream.fin or stream.reset is not None or self.closed)
        return stream

    def sync(self):
        before = self._synced
        self.say("sync")
        self.wait(lambda: self._synced > before or self.closed)

    def wait_closed(self):
        """(by whom, its error code)."""
        self.wait(lambda: self.closed)
        return self.closed[1], int(self.closed[2]) if len(self.closed) > 2 and self.closed[2].isdigit() else None

    def close(self):
        self._process.stdin.close()
        self._process.wait(self._deadline)
        self._reader.join()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
