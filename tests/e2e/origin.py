# SPDX-License-Identifier: MIT
"""An origin inside the test: pages, handlers written in the test, and a record of what was asked."""
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Seen:
    """A request as the origin got it. Header names are in lower case."""

    method: str
    target: str
    headers: dict
    body: bytes = b""
    port: int = 0  # of the connection: the same for requests on one connection


@dataclass
class Page:
    body: bytes = b"page\n"
    status: int = 200
    headers: dict = field(default_factory=dict)


class Exchange:
    """What a handler answers with. Bytes written are on the wire when the call returns."""

    def __init__(self, handler, seen):
        self._handler = handler
        self.seen = seen

    def reply(self, status=200, body=b"", headers=None):
        self.start(status, {"Content-Length": str(len(body)), **(headers or {})})
        if self.seen.method != "HEAD":
            self.write(body)

    def start(self, status, headers):
        self._handler.send_response_only(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def write(self, data):
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def chunk(self, data):
        """One chunk of a chunked body; empty data ends it."""
        self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def read(self, length):
        """Up to `length` bytes of the request's body, as they come; empty at its end."""
        return self._handler.read_body(length)

    def abort(self):
        """Resets the connection."""
        connection = self._handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self._handler.close_connection = True
        try:
            self._handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._handler.connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError, OSError):
            self.close_connection = True

    def _serve(self):
        origin = self.server.origin
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._left = int(headers.get("content-length", 0))
        self._chunked = headers.get("transfer-encoding", "") == "chunked"
        seen = Seen(self.command, self.path, headers, port=self.client_address[1])
        origin.note(seen)
        path = self.path.partition("?")[0]
        answer = origin.handlers.get(path, origin.fallback)
        if isinstance(answer, Page):
            self._drain(seen)
            Exchange(self, seen).reply(answer.status, answer.body, answer.headers)
        else:
            answer(Exchange(self, seen))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_PURGE = _serve

    def read_body(self, length):
        if self._chunked and self._left == 0:
            self._left = int(self.rfile.readline().split(b";")[0], 16)
            if self._left == 0:
                self.rfile.readline()
                self._chunked = False
                return b""
        data = self.rfile.read1(min(length, self._left)) if self._left else b""
        self._left -= len(data)
        if self._chunked and self._left == 0:
            self.rfile.readline()
        return data

    def _drain(self, seen):
        while data := self.read_body(65536):
            seen.body += data

    def log_message(self, *args):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    connections = ()

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass


class Origin:
    """Listens on a free port of loopback. Threads: any."""

    def __init__(self):
        self.handlers = {}
        self.fallback = Page(b"no such page\n", 404)
        self._seen = []
        self._changed = threading.Condition()
        self.port = 0
        self._server = None
        self.start()

    def start(self):
        """Listens, after `kill` on the same port as before."""
        server = _Server(("127.0.0.1", self.port), _Handler)
        server.origin = self
        server.connections = set()
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self):
        """As if the process had died: nobody listens, and what was open is reset."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        for connection in list(server.connections):
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def page(self, path, body=b"page\n", status=200, **headers):
        """Answers `path` with this. Header names are written with _ for -."""
        names = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self.handlers[path] = Page(body if isinstance(body, bytes) else body.encode(), status, names)

    def on(self, path):
        """Decorates a handler, called with an Exchange on a thread of its own."""

        def register(handler):
            self.handlers[path] = handler
            return handler

        return register

    def note(self, seen):
        with self._changed:
            self._seen.append(seen)
            self._changed.notify_all()

    def seen(self, path=None):
        """Requests so far, for `path` (without query) or all."""
        with self._changed:
            return [s for s in self._seen if path is None or s.target.partition("?")[0] == path]

    def wait_for(self, path, count=1, deadline=30):
        """Returns when `count` requests for `path` have arrived."""

        def arrived():
            return sum(s.target.partition("?")[0] == path for s in self._seen) >= count

        with self._changed:
            assert self._changed.wait_for(arrived, deadline), f"the origin got no request number {count} for {path}"
