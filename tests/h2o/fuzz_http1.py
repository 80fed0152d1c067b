"""Random HTTP/1 traffic, partly mutated, for a server built with sanitizers; not part of the test suites.

usage: /usr/bin/python3 tests/h2o/fuzz_http1.py SERVER SECONDS SEED
Ends with 1 if the server dies, says something, or still holds requests when everybody has gone.
"""
import random
import sys
import threading
import time

from conftest import Server

PATHS = [b"/object/0", b"/object/100", b"/object/65536", b"/object/400000", b"/stream/300000/4000", b"/stream/5000/1"]
PATHS += [b"/unknown/100000/3000", b"/unknown/1000/300/404", b"/cut/1000/300", b"/hold", b"/hold", b"/echo", b"/status/204"]
PATHS += [b"/status/304", b"/content/204", b"/declares/5/sends/9", b"/declares/9/sends/5", b"/upgrade/100000", b"/nope", b"/date"]
PATHS += [b"/upload", b"/upload", b"/upload", b"/upload/step", b"/upload/echo", b"/upload/answered", b"/upload/early/1"]
PATHS += [b"/upload/early/5000", b"/upload/refused", b"/upload/unread", b"http://b/echo", b"http://b?x", b"*", b"b:80"]
BITS = [b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"0\r\n\r\n", b"fffffff", b"\xff", b";", b"Connection: close\r\n"]
BITS += [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Host: b\r\n"]
FIELDS = [b"Connection: upgrade\r\nUpgrade: test\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n"]
FIELDS += [b"Upgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"]
SETTINGS = {
    "max_request_entity_size": 150000,
    "write_progress.window": 400,
    "http1.req_timeout": 500,
    "http1.body_timeout": 400,
    "http1.body_min_rate": 1000,
    "http1.body_min_rate_grace": 300,
    "http1.body_drain_bytes": 5000,
}


def request(choose):
    method = choose.choice([b"GET", b"GET", b"HEAD", b"POST", b"POST", b"PUT", b"OPTIONS", b"CONNECT"])
    head = method + b" " + choose.choice(PATHS) + b" HTTP/1." + choose.choice([b"1"] * 8 + [b"0", b"0", b"2"]) + b"\r\nHost: a\r\n"
    for _ in range(choose.choice([0, 0, 1, 5, 30, 110])):
        head += b"x-%d: %s\r\n" % (choose.randint(0, 99), b"v" * choose.choice([0, 3, 50, 700]))
    if choose.random() < 0.2:
        head += choose.choice(FIELDS)
    if choose.random() < 0.4:
        return head + b"\r\n"
    body = choose.randbytes(choose.choice([0, 0, 1, 5, 100, 3000, 70000, 200000]))
    if choose.random() < 0.5:
        wrong = choose.randint(-3, 3) if choose.random() < 0.1 and len(body) > 3 else 0
        return head + b"Content-Length: %d\r\n\r\n" % (len(body) + wrong) + body
    out, at = head + b"Transfer-Encoding: chunked\r\n\r\n", 0
    while at < len(body):
        part = body[at : at + choose.choice([1, 10, 1000, 65536]) + choose.randint(0, 5)]
        out += b"%x%s\r\n" % (len(part), choose.choice([b"", b"", b";a=b", b" ; c"])) + part + b"\r\n"
        at += len(part)
    return out + b"0\r\n" + choose.choice([b"", b"T: x\r\n"]) + b"\r\n"


def mutate(choose, message):
    message = bytearray(message)
    for _ in range(choose.choice([0, 0, 0, 1, 1, 2, 5])):
        limit = min(len(message), choose.choice([60, 400, len(message)]))
        at = choose.randrange(limit) if limit else 0
        kind = choose.randrange(5)
        if kind == 0:
            message[at:at] = choose.choice(BITS)
        elif kind == 1 and message:
            message[at] = choose.randrange(256)
        elif kind == 2:
            del message[at : at + choose.randint(1, 5)]
        elif kind == 3:
            start = choose.randrange(len(message) + 1)
            message[at:at] = message[start : start + choose.randint(1, 40)]
        else:
            del message[at:]
    return bytes(message)


def talk(server, choose):
    """One connection."""
    connect = server.https if choose.random() < 0.25 else server.http1
    client = connect(receive_buffer=choose.choice([None, 2048]))
    client.socket.settimeout(0.3)
    messages = [request(choose) for _ in range(choose.choice([1, 1, 2, 3, 8]))]
    data = b"".join(mutate(choose, each) if choose.random() < 0.4 else each for each in messages)
    cuts = [0] + sorted(choose.randrange(len(data) + 1) for _ in range(choose.choice([0, 0, 1, 3, 10]))) + [len(data)]
    for start, end in zip(cuts, cuts[1:]):
        if not client.send(data[start:end]) or choose.random() < 0.05:
            break
        if choose.random() < 0.3:
            time.sleep(choose.choice([0.0005, 0.003, 0.02]))
    if choose.random() < 0.15:
        client.finish_sending()
    end = time.monotonic() + choose.choice([0, 0, 0, 0.02, 0.02, 0.1, 0.5])
    client.socket.settimeout(0.05)
    while time.monotonic() < end and client.ended is None:
        try:
            client.receive()
        except AssertionError:
            pass
    client.reset() if choose.random() < 0.3 else client.close()


def work(server, seed, end):
    choose = random.Random(seed)
    while time.monotonic() < end and server.process.poll() is None:
        try:
            talk(server, choose)
            if choose.random() < 0.1:
                server.release()
        except (OSError, ValueError, AssertionError):
            pass


def main(path, seconds, seed):
    for stream in (0, 1):
        server = Server(path, SETTINGS | {"stream_request_body": stream, "http1.upgrade_to_http2": 1 - stream})
        end = time.monotonic() + seconds / 2
        threads = [threading.Thread(target=work, args=(server, seed * 1000 + 100 * stream + i, end)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if server.process.poll() is None:
            server.release()
            stats = server.wait_for(
                lambda stats: stats["connections"] == 0 and stats["uploads_alive"] == 0 and stats["requests"] == stats["disposed"],
                "the end of everything",
            )
            print(f"stream_request_body={stream} {stats}")
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
