# SPDX-License-Identifier: MIT
"""An HTTP/1.1 origin for end-to-end tests that does exactly what it is told, faults included.

    with Origin() as origin:
        origin.route("/a", Reply(body=b"hello", headers={"Cache-Control": "max-age=60"}))
        ...
        assert origin.count("/a") == 1
        assert origin.requests[0].header("Host") == "shop.test"

Standard library only. One thread a connection; every method of Origin may be called from any thread.
"""

import hashlib
import pathlib
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from origin_messages import Reply, Request

SEND_BUFFER = 64 * 1024
REASONS = {200: "OK", 206: "Partial Content", 301: "Moved Permanently", 302: "Found", 304: "Not Modified",
           400: "Bad Request", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


class _Gone(Exception):
    """The client, or the test, has ended the connection."""


class _Connection:
    def __init__(self, origin, sock, number):
        self.origin, self.sock, self.number = origin, sock, number
        self.buffer = b""

    def serve(self):
        try:
            if self.origin.tls_context is not None:
                self.sock.settimeout(30)
                self.sock = self.origin.tls_context.wrap_socket(self.sock, server_side=True)
                self.sock.settimeout(None)
            while self.exchange():
                pass
        except (_Gone, OSError):
            pass
        finally:
            self.sock.close()

    # --- the request ---

    def fill(self):
        octets = self.sock.recv(65536)
        if not octets:
            raise _Gone
        self.buffer += octets

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def exactly(self, count):
        while len(self.buffer) < count:
            self.fill()
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def field_lines(self):
        fields = []
        while line := self.line():
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        return fields

    def read_head(self):
        method, target, version = self.line().split(" ")
        return Request(method, target, version, self.field_lines(), connection=self.number)

    def read_body(self, request, on_body=None):
        if "100-continue" in [value.lower() for value in request.values("Expect")]:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        pieces = []
        for piece in self.body_pieces(request):
            pieces.append(piece)
            if on_body:
                on_body(piece)
        request.body = b"".join(pieces)

    def body_pieces(self, request):
        if "chunked" in [value.lower() for value in request.values("Transfer-Encoding")]:
            while size := int(self.line().split(";")[0], 16):
                yield self.exactly(size)
                self.line()
            request.trailers = self.field_lines()
            return
        left = int(request.header("Content-Length", "0"))
        while left:
            if not self.buffer:
                self.fill()
            piece = self.exactly(min(left, len(self.buffer)))
            left -= len(piece)
            yield piece

    def exchange(self):
        """One request and its answer; whether the connection goes on."""
        request = self.read_head()
        reply = self.origin._arrived(request)
        if callable(reply) or not reply.early:
            self.read_body(request, None if callable(reply) else reply.on_body)
            self.origin._complete(request)
        if callable(reply):
            reply = reply(request)
        if self.answer(request, reply):
            return True
        if reply.early:
            # Closing with octets unread would be a reset, and could overtake the answer.
            self.sock.shutdown(socket.SHUT_WR)
            while True:
                self.exactly(len(self.buffer) or 1)
        return False

    # --- the answer ---

    def send(self, octets, progress=None):
        """Sends all of it, and takes note when the client stops taking."""
        view = memoryview(octets)
        while view:
            if self.origin.stopping:
                raise _Gone
            _, writable, _ = select.select([], [self.sock], [], 0.5)
            if not writable:
                if progress:
                    progress._note(blocked=True)
                continue
            self.sock.setblocking(False)
            try:
                sent = self.sock.send(view[:65536])
            except (ssl.SSLWantWriteError, BlockingIOError):
                continue
            finally:
                self.sock.setblocking(True)
            if progress:
                progress._note(pushed=sent, blocked=False)
            view = view[sent:]

    def wait(self, event):
        if event is not None and not self.origin._wait(event):
            raise _Gone

    def reset(self):
        raw = self.sock
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Gone

    def hang(self):
        """Until the client goes, or the origin stops."""
        while not self.origin.stopping:
            readable, _, _ = select.select([self.sock], [], [], 0.1)
            if readable and not self.sock.recv(65536):
                break
        raise _Gone

    def answer(self, request, reply):
        self.wait(reply.wait)
        if reply.delay:
            time.sleep(reply.delay)
        if reply.hang:
            self.hang()
        if reply.reset == -1:
            self.reset()
        if reply.raw is not None:
            self.send(reply.raw)
            return False
        for status, headers in reply.interim:
            self.send(self.head(status, "Interim", list(dict(headers).items())))
        status, headers, has_body = self.framed(request, reply)
        self.send(self.head(status, reply.reason or REASONS.get(status, "X"), headers))
        try:
            if has_body:
                self.send_body(reply)
        finally:
            reply.progress._note(ended=True)
        self.send(reply.extra)
        wants_close = "close" in [value.lower() for value in request.values("Connection")]
        return not (reply.close or reply.early or reply.framing == "close" or wants_close
                    or reply.truncate is not None or request.version == "HTTP/1.0")

    @staticmethod
    def head(status, reason, headers):
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @staticmethod
    def framed(request, reply):
        """Status, fields and whether a body follows; 304 when a validator matches."""
        status, headers = reply.status, reply.pairs()
        etag = reply.etag
        if etag == "auto":
            etag = '"%s"' % hashlib.sha256(reply.body).hexdigest()[:16]
        if etag:
            headers.append(("ETag", etag))
        if reply.last_modified:
            headers.append(("Last-Modified", reply.last_modified))
        if status == 200 and request.method in ("GET", "HEAD"):
            asked = [tag.strip() for value in request.values("If-None-Match") for tag in value.split(",")]
            since = request.values("If-Modified-Since")
            if etag and (etag in asked or "*" in asked):
                status = 304
            elif not asked and reply.last_modified and since == [reply.last_modified]:
                status = 304
        has_body = request.method != "HEAD" and status not in (204, 304) and reply.framing != "none"
        if reply.close:
            headers.append(("Connection", "close"))
        if status not in (204, 304):
            if reply.framing == "length":
                length = reply.length() if reply.declare is None else reply.declare
                headers.append(("Content-Length", str(length)))
            elif reply.framing == "chunked":
                headers.append(("Transfer-Encoding", "chunked"))
            elif reply.framing == "close" and not reply.close:
                headers.append(("Connection", "close"))
        return status, headers, has_body

    def send_body(self, reply):
        self.wait(reply.wait_body)
        sent, length = 0, reply.length()
        stops = [stop for stop in (reply.truncate, reply.reset, reply.hang_after,
                                   reply.wait_after and reply.wait_after[0], reply.trickle and reply.trickle[0]) if stop is not None]
        step = reply.drip[0] if reply.drip else 65536
        while True:
            if reply.wait_after and sent == reply.wait_after[0]:
                self.wait(reply.wait_after[1])
            if sent == reply.truncate:
                raise _Gone
            if sent == reply.reset:
                self.reset()
            if sent == reply.hang_after:
                self.hang()
            if sent >= length:
                break
            trickles = reply.trickle and sent >= reply.trickle[0] and not reply.trickle[1].is_set()
            end = min([sent + (16 if trickles else step), length] + [stop for stop in stops if stop > sent])
            octets = reply.octets(sent, end)
            if reply.framing == "chunked":
                octets = b"%x\r\n%s\r\n" % (len(octets), octets)
            self.send(octets, reply.progress)
            sent = end
            if reply.drip:
                time.sleep(reply.drip[1])
            if trickles:
                reply.trickle[1].wait(0.001)
        if reply.framing == "chunked":
            self.send(b"0\r\n\r\n")


class Certificate:
    """A self-signed certificate for `names` ("DNS:shop.test", "IP:127.0.0.1") in a directory that goes with it."""

    def __init__(self, *names):
        self._directory = tempfile.TemporaryDirectory(prefix="origin-tls-")
        base = pathlib.Path(self._directory.name)
        self.certificate, self.key = str(base / "cert.pem"), str(base / "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=headgate test origin", "-addext", "subjectAltName=" + ",".join(names or ("IP:127.0.0.1",)),
             "-keyout", self.key, "-out", self.certificate],
            check=True, capture_output=True)

    @property
    def pem(self):
        return pathlib.Path(self.certificate).read_text()


class Origin:
    """Listens from construction until `close`. Unrouted paths answer 404."""

    def __init__(self, tls=None, address="127.0.0.1", port=0):
        """`tls`: a Certificate, or None for plain HTTP."""
        self.tls_context = None
        if tls is not None:
            self.tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls_context.load_cert_chain(tls.certificate, tls.key)
        self.stopping = False
        self._changed = threading.Condition()
        self._routes, self._requests, self._connections, self._arrivals = {}, [], [], {}
        self._default = Reply(status=404, body=b"the test gave this path no reply\n")
        self.address, self.port = address, port
        self.open()

    def open(self):
        """Listens again after `close`, on the same port: routes and the log are as they were."""
        self.stopping = False
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listener = socket.create_server((self.address, self.port), family=family, backlog=128)
        # Small and fixed, so that a client that does not read is felt soon.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.tls_context else 'http'}://{host}:{self.port}"

    # --- the script ---

    def route(self, path, *replies):
        """Answers `path` (without query) with `replies` in order, the last one again and again. Each is a Reply, or a function
        from Request to Reply. Returns the first."""
        with self._changed:
            self._routes[path] = list(replies)
        return replies[0]

    def otherwise(self, reply):
        """What paths without a route get: a Reply or a function."""
        with self._changed:
            self._default = reply

    def reset_log(self):
        """Forgets requests and counts; routes stay as they are."""
        with self._changed:
            self._requests.clear()
            self._arrivals.clear()

    def page(self, path, body=b"page\n", status=200, **headers):
        """Answers `path` with this, always. Names of headers are written with _ for -."""
        self.route(path, Reply(status, body if isinstance(body, bytes) else body.encode(),
                               {name.replace("_", "-"): str(value) for name, value in headers.items()}))

    # --- what happened ---

    @property
    def requests(self):
        """Every request whose body has come whole, in that order."""
        with self._changed:
            return list(self._requests)

    def requests_to(self, path):
        return [request for request in self.requests if request.path == path]

    def count(self, path=None):
        """Requests whose head has arrived: for one path, or all."""
        with self._changed:
            return sum(self._arrivals.values()) if path is None else self._arrivals.get(path, 0)

    def wait_count(self, path, count, timeout=30):
        """Waits until `path` was asked for `count` times."""
        with self._changed:
            return self._changed.wait_for(lambda: self._arrivals.get(path, 0) >= count, timeout)

    @property
    def connections(self):
        """How many connections were accepted."""
        with self._changed:
            return len(self._connections)

    def close_connections(self):
        """Ends every open connection, the idle ones among them, as an origin does that restarts."""
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        """As if the process had died: nobody listens, and what was open ends."""
        with self._changed:
            if self.stopping:
                return
            self.stopping = True
            self._changed.notify_all()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._acceptor.join()
        self._listener.close()
        self.close_connections()

    # --- for the connections ---

    def _accept(self):
        listener = self._listener
        while not self.stopping:
            try:
                sock, _ = listener.accept()
            except OSError:
                break
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                connection = _Connection(self, sock, len(self._connections))
                self._connections.append(connection)
                self._changed.notify_all()
            threading.Thread(target=connection.serve, daemon=True).start()

    def _arrived(self, request):
        with self._changed:
            number = self._arrivals.get(request.path, 0)
            self._arrivals[request.path] = number + 1
            replies = self._routes.get(request.path) or [self._default]
            self._changed.notify_all()
        return replies[min(number, len(replies) - 1)]

    def _complete(self, request):
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def _wait(self, event):
        while not self.stopping:
            if event.wait(0.1):
                return True
        return False
