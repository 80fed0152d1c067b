"""A raw HTTP/2 client: sends frames as they are and collects what comes back."""
import collections
import socket
import ssl
import struct
import time

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 1, 3, 4, 6
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 3, 5, 6, 7, 8
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 9, 11
LARGEST = 0x7FFFFFFF
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def u32(value):
    return struct.pack(">I", value)


def setting(identifier, value):
    return struct.pack(">HI", identifier, value)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, u32(increment))


def rst_stream(stream, error=CANCEL):
    return frame(RST_STREAM, 0, stream, u32(error))


def data(stream, payload=b"", end=False):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def get(stream, path):
    """A request that does not touch the state of the header compression."""
    block = b"\x82\x86\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01a"
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


class Client:
    """A connection; what has arrived so far is in the dictionaries by stream."""

    def __init__(self, port, timeout, settings=b"", receive_buffer=None, window=0, preface=True, tls=False):
        self.timeout = timeout
        self.scheme = "https" if tls else "http"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.encoder.huffman = False
        self.status, self.fields, self.resets, self.windows = {}, {}, {}, {}
        self.body = collections.defaultdict(bytes)
        self.statuses = {}  # all of them, interim ones included
        self.ended = set()
        self.goaways, self.settings, self.header_blocks = [], [], []
        self.closed = False
        self.pongs = self.pings = self.settings_acks = 0
        self.pong = None
        self._input = b""
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        if preface:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        if window:
            self.send(window_update(0, window))

    def send(self, *frames):
        """False if the server has closed."""
        try:
            self.socket.sendall(b"".join(frames))
            return True
        except OSError:
            return False

    def block(self, path="/object/1024", method="GET", fields=(), authority="a"):
        """A header block; `authority` None leaves it out."""
        head = [(":method", method), (":scheme", self.scheme), (":path", path)]
        return self.encoder.encode(head + ([(":authority", authority)] if authority is not None else []) + list(fields))

    def request(self, stream, path="/object/1024", **options):
        return self.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, self.block(path, **options)))

    def post(self, stream, path, **options):
        """Begins a request whose body follows."""
        return self.send(frame(HEADERS, END_HEADERS, stream, self.block(path, method="POST", **options)))

    def read(self, timeout=None):
        """Reads once; False if nothing has arrived within `timeout` or if the connection has ended."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        try:
            received = self.socket.recv(65536)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            received = b""
        if not received:
            self.closed = True
            return False
        self._input += received
        while len(self._input) >= 9:
            size = int.from_bytes(self._input[:3], "big")
            if len(self._input) < 9 + size:
                break
            self._on_frame(self._input[3], self._input[4], int.from_bytes(self._input[5:9], "big"), self._input[9 : 9 + size])
            self._input = self._input[9 + size :]
        return True

    def _on_frame(self, kind, flags, stream, payload):
        if kind == DATA:
            self.body[stream] += payload
        elif kind == HEADERS:
            self.header_blocks.append(payload)
            try:
                self.fields[stream] = self.decoder.decode(payload)
            except hpack.HPACKError as error:
                raise AssertionError(f"header block of stream {stream}: {error}") from error
            self.status[stream] = int(dict(self.fields[stream])[":status"])
            self.statuses.setdefault(stream, []).append(self.status[stream])
        elif kind == RST_STREAM:
            self.resets.setdefault(stream, []).append(int.from_bytes(payload, "big"))
        elif kind == SETTINGS and flags & ACK:
            self.settings_acks += 1
        elif kind == SETTINGS:
            self.settings.append(dict(struct.unpack(">HI", payload[i : i + 6]) for i in range(0, len(payload), 6)))
        elif kind == PING:
            self.pongs += flags & ACK
            self.pong = payload
        elif kind == GOAWAY:
            self.goaways.append((int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")))
        elif kind == WINDOW_UPDATE:
            self.windows[stream] = self.windows.get(stream, 0) + int.from_bytes(payload, "big")
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)

    def wait_for(self, condition, what):
        """Reads until `condition(self)` holds; fails if the connection ends before."""
        deadline = time.monotonic() + self.timeout
        while not condition(self):
            assert not self.closed, f"{what}: the connection has ended, {self}"
            left = deadline - time.monotonic()
            assert left > 0, f"{what}: not within {self.timeout} s, {self}"
            self.read(left)

    def wait_for_response(self, *streams):
        """Reads until the streams have ended, by the response's end or by a reset."""
        self.wait_for(lambda _: all(s in self.ended or s in self.resets for s in streams), f"responses on {streams}")

    def wait_for_status(self, stream):
        self.wait_for(lambda _: stream in self.status or stream in self.resets, f"response on {stream}")

    def wait_for_end(self):
        """Reads until the server closes the connection."""
        deadline = time.monotonic() + self.timeout
        while not self.closed:
            left = deadline - time.monotonic()
            assert left > 0, f"the connection is still open after {self.timeout} s, {self}"
            self.read(left)

    def sync(self):
        """Waits until the server has processed everything sent so far (it answers PING in order)."""
        self.pings += 1
        self.send(frame(PING, 0, 0, b"barrier!"))
        self.wait_for(lambda _: self.pongs >= self.pings, "PING")

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __repr__(self):
        sizes = {stream: len(body) for stream, body in self.body.items()}
        return f"status={self.statuses} resets={self.resets} goaways={self.goaways} closed={self.closed} bodies={sizes}"
