"""Random but mostly valid HTTP/2 with uploads, trailers, CONTINUATION and shutdowns, for a server built with sanitizers.

usage: /usr/bin/python3 tests/h2o/fuzz_http2.py SERVER SECONDS SEED        not part of the test suites
Ends with 1 if a server dies, says something, or hangs in a shutdown.
"""
import os
import random
import socket
import struct
import sys
import time

from conftest import Server
from http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    SETTINGS,
    data,
    frame,
    rst_stream,
    setting,
    u32,
    window_update,
)

ALWAYS = {"stream_request_body": 1, "max_request_entity_size": 100000, "write_progress.window": 300}
SOMETIMES = {
    "http2.stream_window": 70000,
    "http2.connection_window": 150000,
    "http2.budget.window": 0,
    "http2.header_timeout": 200,
    "http2.body_timeout": 200,
    "http2.body_min_rate": 100000,
    "http2.body_min_rate_grace": 50,
    "http2.graceful_shutdown_timeout": 500,
    "http2.idle_timeout": 300,
    "send_buffer": 4096,
}
PATHS = ["/object/0", "/object/1024", "/object/65536", "/object/1048576", "/hold", "/hold/3000", "/stream/300000/4000"]
PATHS += ["/stream/5000/1", "/unknown/5000/100", "/cut/1000/100", "/content/204", "/echo", "/nope"]
UPLOADS = ["/upload", "/upload", "/upload/step", "/upload/early/50", "/upload/unread", "/upload/refused", "/upload/echo"]
UPLOADS += ["/upload/answered", "/echo", "/stream/100000/3000"]


class Talk:
    """The frames of one connection."""

    def __init__(self, client, choose):
        self.client, self.choose = client, choose
        self.stream, self.uploads = -1, []

    def any_stream(self):
        back = self.choose.choice([0, 2, 2 * self.choose.randint(0, 40)])
        return max(1, self.stream - back) | 1

    def headers(self):
        choose = self.choose
        self.stream += 2
        upload = choose.random() < 0.6
        size = choose.choice([0, 3, 10, 5000, 30000])
        fields = [(":method", "POST" if upload else choose.choice(["GET", "GET", "HEAD"])), (":scheme", "http")]
        fields += [(":path", choose.choice(UPLOADS if upload else PATHS)), (":authority", "a")]
        if choose.random() < 0.1:
            fields.append(("content-length", str(choose.choice([size, size, size, 7]))))
        if choose.random() < 0.1:
            fields += [("cookie", "c=" + "d" * choose.choice([0, 5, 500]))] * choose.randint(1, 4)
        if choose.random() < 0.05:
            name = choose.choice(["host", "te", "x", "X", "", "expect", ":path"])
            fields.append((name, choose.choice(["a", "b", " c", "100-continue", "", "d" * 3000])))
        if choose.random() < 0.02:
            fields += [("y%d" % i, "z") for i in range(choose.choice([100, 300]))]
        block = self.client.encoder.encode(fields, huffman=choose.random() < 0.5)
        end = 0 if upload else END_STREAM
        if choose.random() < 0.1:
            cut = choose.randint(0, len(block))
            out = frame(HEADERS, end, self.stream, block[:cut]) + frame(CONTINUATION, END_HEADERS, self.stream, block[cut:])
        else:
            out = frame(HEADERS, END_HEADERS | end, self.stream, block)
        if upload:
            self.uploads.append(self.stream)
            while size > 0 and choose.random() < 0.9:
                part = min(size, choose.choice([1, 100, 16000]))
                size -= part
                out += data(self.stream, b"u" * part, end=size == 0)
        return out

    def more_of_an_upload(self):
        choose, stream = self.choose, self.choose.choice(self.uploads)
        kind = choose.random()
        if kind < 0.7:
            flags = choose.choice([0, 0, END_STREAM, PADDED])
            return frame(DATA, flags, stream, b"\2" + b"v" * choose.choice([2, 100, 9000]))
        if kind < 0.85:
            block = self.client.encoder.encode([(choose.choice(["x-t", "x-t", ":path"]), "y")])
            if choose.random() < 0.7:
                return frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
            return frame(HEADERS, END_STREAM, stream, block[:1]) + frame(CONTINUATION, END_HEADERS, stream, block[1:])
        return rst_stream(stream)

    def control(self):
        choose, stream = self.choose, self.any_stream()
        kind = choose.randrange(20)
        if kind < 7:
            return window_update(choose.choice([0, stream]), choose.choice([1, 1024, 65536, 1 << 20]))
        if kind < 10:
            return rst_stream(stream)
        if kind < 12:
            return frame(PRIORITY, 0, stream, struct.pack(">IB", max(0, stream - 2 * choose.randint(1, 5)), choose.randrange(256)))
        if kind < 16:
            return frame(SETTINGS, 0, 0, setting(choose.choice([1, 4, 5]), choose.choice([16384, 65535, 1 << 20])))
        if kind < 18:
            return frame(choose.choice([PING, PING, 11, 99]), 0, 0, b"12345678")
        return os.urandom(choose.randint(1, 30)) if kind < 19 and choose.random() < 0.3 else b""

    def some(self):
        kind = self.choose.random()
        if kind < 0.5 or not self.uploads:
            return self.headers()
        return self.more_of_an_upload() if kind < 0.75 else self.control()


def connect(server, choose):
    window = choose.choice([None, 0, 1, 1000, 65535, (1 << 31) - 1])
    settings = b"" if window is None else setting(4, window)
    if choose.random() < 0.3:
        settings += setting(1, choose.choice([0, 50, 4096, 70000]))
    client = server.http2(settings=settings, receive_buffer=choose.choice([2048, None]))
    if choose.random() < 0.7:
        client.send(window_update(0, choose.choice([1, 1000, 1 << 20, (1 << 31) - 1 - 65535])))
    return client


def converse(server, choose):
    """One connection; returns whether it has shut the server down."""
    client = connect(server, choose)
    talk = Talk(client, choose)
    reads = choose.random() < 0.5
    for _ in range(choose.randint(3, 60)):
        out = b"".join(talk.some() for _ in range(choose.randint(1, 30)))
        cut = choose.randint(0, len(out)) if choose.random() < 0.2 else len(out)
        client.socket.settimeout(0.3)
        client.socket.sendall(out[:cut])
        if cut != len(out):
            time.sleep(choose.choice([0, 0.01, 0.3]))
            client.socket.sendall(out[cut:])
        if reads or choose.random() < 0.05:
            client.socket.settimeout(0.001)
            try:
                client.socket.recv(1 << 16)
            except (socket.timeout, TimeoutError):
                pass
        if choose.random() < 0.05:
            server.release()
    if choose.random() < 0.1:
        time.sleep(0.7)
    shut_down = choose.random() < 0.05
    if shut_down:
        server.shut_down()
        client.send(*[data(stream, b"end", end=True) for stream in talk.uploads[-5:]])
        time.sleep(choose.choice([0, 0.5, 1.2]))
        client.send(talk.headers())
    client.reset() if choose.random() < 0.3 else client.close()
    return shut_down


def main(path, seconds, seed):
    choose, connections, shutdowns, server = random.Random(seed), 0, 0, None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server is None:
            server = Server(path, ALWAYS | {name: value for name, value in SOMETIMES.items() if choose.random() < 0.6})
        connections += 1
        try:
            shut_down = converse(server, choose)
        except (OSError, AssertionError):
            shut_down = False
        if shut_down:
            shutdowns += 1
            try:
                server.release()
            except (OSError, AssertionError):
                pass  # it has exited already, or dies: wait_for_exit tells
            server.wait_for_exit()
        if shut_down or server.process.poll() is not None or choose.random() < 0.05:
            server.stop()
            server = None
    if server is not None:
        server.stop()
    print(f"{connections} connections, {shutdowns} shutdowns")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
