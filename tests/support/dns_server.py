# SPDX-License-Identifier: MIT
"""A DNS server with PTR, A and AAAA records (RFC 1035) that can also be silent, broken, slow, or say too much."""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "AAAA": 28}
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
OPT = 41


def reverse(address):
    return ipaddress.ip_address(address).reverse_pointer


class DnsServer:
    """Answers on UDP and, for what does not fit there, on TCP, both on `address`. Names have no case.

    What is asked for while `hold()` is in force is answered at `release()`. `asked` lists (name, type) of every question that has
    come, each once for each protocol and try; `wait_for` waits for one."""

    def __init__(self):
        self._changed = threading.Condition()
        self._records = {}      # (name, type) -> texts
        self._silent = []       # ends of names
        self._broken = []
        self._held = False
        self.asked = []
        self.over_tcp = 0
        self._tcp, self._udp = self._listen()
        self.address = f"127.0.0.1:{self._udp.getsockname()[1]}"
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _listen():
        while True:
            tcp = socket.create_server(("127.0.0.1", 0))
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
                return tcp, udp
            except OSError:  # somebody has that port for UDP
                tcp.close()
                udp.close()

    # What it knows

    def names(self, address, *names):
        """The PTR records of an address."""
        self.pointers(reverse(address), *names)

    def pointers(self, name, *names):
        self._records[name.lower(), "PTR"] = names

    def addresses(self, name, *addresses):
        for kind, version in (("A", 4), ("AAAA", 6)):
            mine = [each for each in addresses if ipaddress.ip_address(each).version == version]
            self._records[name.lower(), kind] = mine

    def crawler(self, address, name):
        """Both ways, as it should be."""
        self.names(address, name)
        self.addresses(name, address)

    def alias(self, name, target):
        """A CNAME record, as of a reverse zone that is delegated by RFC 2317."""
        self._records[name.lower(), "CNAME"] = [target]

    # How it fails

    def silence(self, end):
        """No answers about names that end in this."""
        self._silent.append(end)

    def break_down(self, end):
        """SERVFAIL for names that end in this."""
        self._broken.append(end)

    def mend(self):
        self._silent, self._broken = [], []

    def hold(self):
        with self._changed:
            self._held = True

    def release(self):
        with self._changed:
            self._held = False
            self._changed.notify_all()

    # What it was asked

    def count(self, name, kind):
        with self._changed:
            return self.asked.count((name.lower(), kind))

    def wait_for(self, name, kind, deadline=60):
        with self._changed:
            assert self._changed.wait_for(lambda: (name.lower(), kind) in self.asked, deadline), f"nobody asked for {kind} of {name}"

    # Messages

    def _serve_udp(self):
        while True:
            try:
                query, client = self._udp.recvfrom(65535)
            except OSError:
                return
            if not query:  # close() says so
                return
            threading.Thread(target=self._answer_udp, args=(query, client), daemon=True).start()

    def _answer_udp(self, query, client):
        answer, room = self._answer(query)
        if answer is None:
            return
        if len(answer) > room:  # RFC 2181 section 9: nothing of what is cut off is of use
            flags = struct.unpack(">H", answer[2:4])[0] | 0x0200
            answer = answer[:2] + struct.pack(">HHHHH", flags, 1, 0, 0, 0) + self._question(query)
        try:
            self._udp.sendto(answer, client)
        except OSError:
            pass  # closed meanwhile

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(length := stream.read(2)) == 2:
                self.over_tcp += 1
                answer, _ = self._answer(stream.read(struct.unpack(">H", length)[0]))
                if answer is None:
                    continue
                connection.sendall(struct.pack(">H", len(answer)) + answer)

    def _question(self, query):
        end = query.index(b"\0", 12) + 5
        return query[12:end]

    def _answer(self, query):
        """A whole message, or None; and how many octets the other side takes over UDP."""
        question = self._question(query)
        labels, at = [], 0
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += 1 + question[at]
        name = ".".join(labels).lower()
        number = struct.unpack(">H", question[at + 1:at + 3])[0]
        kind = next((known for known, value in TYPES.items() if value == number), str(number))
        with self._changed:
            self.asked.append((name, kind))
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held)
        if any(name.endswith(end) for end in self._silent):
            return None, 0
        broken = any(name.endswith(end) for end in self._broken)
        records = [] if broken else self._find(name, kind)
        known = any(each == name for each, _ in self._records)
        code = SERVFAIL if broken else NOERROR if known else NXDOMAIN
        body = b"".join(self._record(*record) for record in records)
        flags = 0x8400 | (query[2] & 1) << 8 | 0x0080 | code
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + body, self._room(query, 12 + len(question))

    def _find(self, name, kind):
        if alias := self._records.get((name, "CNAME")):
            return [(name, "CNAME", alias[0]), *self._find(alias[0].lower(), kind)]
        return [(name, kind, text) for text in self._records.get((name, kind), ())]

    @staticmethod
    def _room(query, at):
        """RFC 6891 section 6.2.3."""
        if struct.unpack(">H", query[10:12])[0] and query[at] == 0 and struct.unpack(">H", query[at + 1:at + 3])[0] == OPT:
            return max(512, struct.unpack(">H", query[at + 3:at + 5])[0])
        return 512

    @staticmethod
    def _record(name, kind, text):
        data = _encode(text) if kind in ("PTR", "CNAME") else ipaddress.ip_address(text).packed
        return _encode(name) + struct.pack(">HHIH", TYPES[kind], 1, 300, len(data)) + data

    def close(self):
        self.release()
        self._tcp.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._udp.getsockname())
        for thread in self._threads:
            thread.join()
        self._tcp.close()
        self._udp.close()


def _encode(name):
    """`\\.` is a dot within a label."""
    out = b""
    for label in name.replace("\\.", "\0").rstrip(".").split("."):
        octets = label.replace("\0", ".").encode("latin-1")
        out += bytes([len(octets)]) + octets
    return out + b"\0"
