# SPDX-License-Identifier: MIT
"""A git server over HTTPS that stops in the middle, or spoils what it sends: at a step that the test names."""
import http.server
import os
import socket
import ssl
import subprocess
import threading

# Where a fetch can stop, in their order.
STEPS = ("accept", "tls", "answer", "head", "refs", "upload-pack", "pack")


class GitFront:
    """Serves the bare repositories of `folder`, by git http-backend, at `url`. `step` is where everybody hangs from now on; None: nowhere.
    `spoil` turns the octets of a pack into others on their way. `hung` says at how many times somebody got there."""

    def __init__(self, folder, certificate):
        self.folder, self.step, self.spoil = folder, None, None
        self.hung, self._changed, self._released = 0, threading.Condition(), threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self._listener.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def hang_at(self, step):
        self.step = step

    def release(self):
        """Everybody who hangs is let go, and nobody hangs any more."""
        self.step = None
        self._released.set()
        self._released = threading.Event()

    def wait_hung(self, count=1, timeout=60):
        """Until somebody has come to the step; of "accept" nothing tells that."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.hung >= count, timeout), "nobody came to the step"

    def close(self):
        self.release()
        self._listener.close()
        for one in self._sockets:
            one.close()

    # --- for the connections ---

    def _hang(self, step):
        if step is None or self.step != step:
            return
        released = self._released
        with self._changed:
            self.hung += 1
            self._changed.notify_all()
        released.wait()

    def _accept(self):
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock, address), daemon=True).start()

    def _serve(self, sock, address):
        # Of a connection that nobody has accepted the client sees no more than of one that is not read.
        self._hang("accept")
        try:
            if self.step == "tls":
                sock.recv(1, socket.MSG_PEEK)  # the handshake has begun
                self._hang("tls")
            _Handler(self._context.wrap_socket(sock, server_side=True), address, self)
        except OSError:
            pass  # the client has gone


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._run()

    def do_POST(self):
        self._run()

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _run(self):
        front = self.server
        path, _, query = self.path.partition("?")
        body = self._body()
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(front.folder), "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "REQUEST_METHOD": self.command,
            "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        made = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True).stdout
        head, _, content = made.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = fields.pop("Status", "200 OK")
        pack = content.find(b"PACK")
        if pack >= 0 and front.spoil is not None:
            content = content[:pack] + front.spoil(content[pack:])
        front._hang("answer")
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), f"Content-Length: {len(content)}"]
        if self.command == "POST":
            front._hang("upload-pack")
        self.wfile.write("\r\n".join(lines).encode())
        front._hang("head")
        self.wfile.write(b"\r\n\r\n")
        middle = "refs" if self.command == "GET" else "pack" if pack >= 0 else None
        half = pack + (len(content) - pack) // 2 if pack >= 0 else len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        front._hang(middle)
        self.wfile.write(content[half:])
