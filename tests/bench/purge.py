# SPDX-License-Identifier: MIT
"""How long an invalidation takes to be acknowledged, beside an fsync of as much in the same folder, and whether the next look-up obeys."""
import json
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from harness import Client, Edge, Repository, behavior, cache_policy, distribution, invalidation
from origin import Origin

OBJECTS = 5000
PURGES = 300  # a round, of each kind
MOST_BEYOND_MS = 1.0
WORKERS = 2
PAGE = "/pages/{}.html"
KINDS = {
    "path": lambda number: {"paths": [PAGE.format(number)]},
    "tag of all": lambda number: {"tags": ["all"]},
    "prefix": lambda number: {"paths": ["/pages/*"]},
    "everything": lambda number: {"paths": ["/*"]},
}


def fill(edge):
    def some(first):
        with Client(edge.http) as client:
            for number in range(first, OBJECTS, 8):
                client.get(PAGE.format(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))


class Probe:
    """What the disk takes for a record of the journal's size."""

    def __init__(self, path):
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def seconds(self):
        began = time.monotonic()
        os.write(self._file, b"x" * 400)
        os.fsync(self._file)
        return time.monotonic() - began

    def close(self):
        os.close(self._file)


class Operator:
    """A connection to the admin listener; no more than a socket, so that the client is not what is measured."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._connect()

    def _connect(self):
        self._socket = socket.create_connection(self._address, timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path, document):
        """(seconds, status, body) of a request; the seconds are those from its being written to the last octet of the answer."""
        body = json.dumps(document).encode()
        request = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            path.encode(), len(body), body)
        began = time.monotonic()
        self._socket.sendall(request)
        octets = self._more(b"")
        while b"\r\n\r\n" not in octets or len(octets) < self._whole(octets):
            octets = self._more(octets)
        took = time.monotonic() - began
        head, _, text = octets.partition(b"\r\n\r\n")
        if b"\r\nconnection: close" in head.lower():  # after as many requests as one connection may have
            self._socket.close()
            self._connect()
        return took, int(head.split(b" ", 2)[1]), text

    def _more(self, octets):
        piece = self._socket.recv(65536)
        if not piece:
            raise RuntimeError(f"the admin listener has closed the connection after {octets}")
        return octets + piece

    @staticmethod
    def _whole(octets):
        head, _, _ = octets.partition(b"\r\n\r\n")
        length = next(line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return len(head) + 4 + int(length)

    def close(self):
        self._socket.close()


def percentile(values, part):
    return sorted(values)[int(part * (len(values) - 1))]


def measure(scratch, rounds):
    origin = Origin()
    for number in range(OBJECTS):
        origin.page(PAGE.format(number), b"x" * 1024, Cache_Control="max-age=3600", Surrogate_Key="all")
    repository = Repository(scratch / "purge-repository")
    repository.put("shop.yaml", distribution(origin.port, default=behavior()), cache_policy())
    repository.commit("bench")
    state = scratch / "purge-state"
    edge = Edge(repository.path, state, "--cache-memory", "1GiB", threads=WORKERS)
    probe = Probe(state / "probe")
    found = {kind: {"fsync_ms": [], "acknowledged_ms": [], "disobeyed": 0} for kind in KINDS}
    viewers = [Client(edge.http) for _ in range(2 * WORKERS)]  # spread over the workers
    admin = Operator(edge.admin)
    try:
        for turn in range(rounds):
            for kind, select in KINDS.items():
                print(f"purge: round {turn + 1} of {rounds}, {kind}    ", end="\r", file=sys.stderr, flush=True)
                fill(edge)
                entry = found[kind]
                for number in range(PURGES):
                    entry["fsync_ms"].append(1000 * probe.seconds())
                    took, status, text = admin.post("/invalidations", invalidation(
                        f"{kind.split()[0]}-{turn}-{number}", mode="delete", select=select(number)))
                    if status != 201:
                        raise RuntimeError(f"a purge got {status}: {text}")
                    entry["acknowledged_ms"].append(1000 * took)
                    entry["disobeyed"] += viewers[number % len(viewers)].get(PAGE.format(number)).is_hit
        print(" " * 60, end="\r", file=sys.stderr)
    finally:
        for viewer in viewers:
            viewer.close()
        admin.close()
        probe.close()
        edge.stop()
        origin.close()
    for entry in found.values():
        for name in ("fsync_ms", "acknowledged_ms"):
            values = entry[name]
            entry[name] = {"median": percentile(values, 0.5), "p99": percentile(values, 0.99)}
        entry["beyond_ms"] = entry["acknowledged_ms"]["p99"] - entry["fsync_ms"]["p99"]
    return found
