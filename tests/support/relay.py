# SPDX-License-Identifier: MIT
"""A UDP relay between a client and an edge that behaves as badly as networks do."""
import heapq
import itertools
import random
import selectors
import socket
import threading
import time


class Relay:
    """Loses, doubles and reorders datagrams of both directions, each with a probability; the same `seed` does the same again.
    `rebind` is what a NAT does: from then on the edge sees the client under another port; answers to the one before still come through.
    `to_edge` and `to_client` are seconds that a datagram takes, and may be changed at any time; so may `most`, the octets that one may have."""

    def __init__(self, target, loss=0.0, double=0.0, reorder=0.0, seed=1):
        self.target = target
        self._target = target.rpartition(":")[0], int(target.rpartition(":")[2])
        self._loss, self._double, self._reorder = loss, double, reorder
        self._random = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._client = None
        self.to_edge = self.to_client = 0.0
        self.most = None
        self.largest = 0         # of what has come through from the edge
        self._late, self._count = [], itertools.count()  # (when, number, from the client, datagram), the next one first
        self._kept = {}          # a datagram a direction that waits for the next one to overtake it
        self.lost = self.passed = 0
        self.sent = []           # what the client has sent
        self._front = self._socket()
        self._front.bind(("127.0.0.1", 0))
        self._selector.register(self._front, selectors.EVENT_READ)
        self._back = self._before = None
        self.rebind()
        self._wake, waker = socket.socketpair()
        self._selector.register(waker, selectors.EVENT_READ)
        self._waker = waker
        self.address = f"127.0.0.1:{self._front.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made.setblocking(False)  # a datagram may be gone by the time it is asked for
        return made

    def rebind(self):
        fresh = self._socket()
        fresh.connect(self._target)
        with self._lock:
            gone, self._before, self._back = self._before, self._back, fresh
            self._selector.register(fresh, selectors.EVENT_READ)
            if gone is not None:
                self._selector.unregister(gone)
                gone.close()
        return fresh.getsockname()[1]

    def _run(self):
        while True:
            for key, _ in self._selector.select(max(0.0, self._late[0][0] - time.monotonic()) if self._late else None):
                if key.fileobj is self._waker:
                    return
                with self._lock:
                    self._take(key.fileobj)
            with self._lock:
                while self._late and self._late[0][0] <= time.monotonic():
                    self._pass_on(*heapq.heappop(self._late)[2:])

    def _take(self, source):
        if source not in (self._front, self._back, self._before):
            return
        try:
            octets, sender = source.recvfrom(65535)
        except OSError:  # nobody listens there, or was rebound meanwhile
            return
        if source is self._front:
            self._client = sender
            self.sent.append(octets)
        if self._random.random() < self._loss or (self.most is not None and len(octets) > self.most):
            self.lost += 1
            return
        if source is not self._front:
            self.largest = max(self.largest, len(octets))
        if self._random.random() < self._reorder and source not in self._kept:
            self._kept[source] = octets
            return
        kept = self._kept.pop(source, None)
        for piece in [octets] * (2 if self._random.random() < self._double else 1) + ([kept] if kept else []):
            self.passed += 1
            delay = self.to_edge if source is self._front else self.to_client
            if delay > 0:
                heapq.heappush(self._late, (time.monotonic() + delay, next(self._count), source is self._front, piece))
            else:
                self._pass_on(source is self._front, piece)

    def _pass_on(self, from_client, piece):
        try:
            if from_client:
                self._back.send(piece)
            elif self._client:
                self._front.sendto(piece, self._client)
        except OSError:  # as if it were lost
            pass

    def close(self):
        self._wake.send(b"x")
        self._thread.join()
        for one in (self._front, self._back, self._before, self._wake, self._waker):
            if one is not None:
                one.close()
        self._selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
