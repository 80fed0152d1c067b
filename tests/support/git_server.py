# SPDX-License-Identifier: MIT
"""git's own smart HTTP server (git http-backend) over TLS, with users and a log of who asked; and a proxy that only tunnels."""
import base64
import http.server
import os
import select
import socket
import socketserver
import ssl
import subprocess
import threading

BACKEND = "/usr/lib/git-core/git-http-backend"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self._body())

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _user(self):
        """(user, password) that came, or None."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        return tuple(base64.b64decode(value).decode().split(":", 1))

    def _answer(self, body):
        server = self.server.owner
        user = self._user()
        server.asked.append((self.path, user))
        if server.redirect:
            return self._send(302, [("Location", server.redirect + self.path)], b"")
        if server.user and user != server.user:
            return self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        path, _, query = self.path.partition("?")
        environment = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                       "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                       "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                       "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                       "GIT_CONFIG_VALUE_0": "*"}
        answer = subprocess.run([BACKEND], input=body, env=environment, stdout=subprocess.PIPE, check=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        self._send(status, [field for field in fields if field[0] != "Status"], content)

    def _send(self, status, fields, content):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class GitServer:
    """Serves the bare repositories of `folder`. `user`: the (name, password) that is let in; None: everybody.
    `redirect`: the URL that everything is redirected to instead. `asked`: (path, user) of each request."""

    def __init__(self, folder, certificate, user=None):
        self.folder, self.user, self.redirect, self.asked = folder, user, None, []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.owner = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.authority = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name="repo.git", user=""):
        return f"https://{user and user + '@'}{self.authority}/{name}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self):
        proxy = self.server.owner
        while request := self.rfile.readline():
            method, target, _ = request.decode().split(" ", 2)
            user = None
            while (line := self.rfile.readline().strip()):
                name, _, value = line.partition(b": ")
                if name.lower() == b"proxy-authorization":
                    user = base64.b64decode(value.partition(b" ")[2]).decode()
            proxy.asked.append((method, target))
            if not proxy.user or user == proxy.user:
                return self._tunnel(target)
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n")

    def _tunnel(self, target, agreed=b"HTTP/1.1 200 Connection established\r\n\r\n"):
        host, port = target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as other:
            self.wfile.write(agreed)
            self._relay(other)

    def _relay(self, other):
        ends = {self.request: other, other: self.request}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


class _Socks(_Tunnel):
    """SOCKS5 (RFC 1928) without authentication; `asked`: ("SOCKS5", target)."""

    def handle(self):
        _, count = self.rfile.read(2)
        self.rfile.read(count)
        self.wfile.write(b"\x05\x00")
        _, _, _, kind = self.rfile.read(4)
        host = socket.inet_ntoa(self.rfile.read(4)) if kind == 1 else self.rfile.read(self.rfile.read(1)[0]).decode()
        target = f"{host}:{int.from_bytes(self.rfile.read(2), 'big')}"
        self.server.owner.asked.append(("SOCKS5", target))
        self._tunnel(target, b"\x05\x00\x00\x01" + bytes(6))


class Proxy:
    """Answers CONNECT, or speaks SOCKS5, and nothing else. `asked`: (method, target) of each request; `user`: "name:password" that is let in."""

    def __init__(self, user=None, socks=False):
        self.asked, self.user = [], user
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Socks if socks else _Tunnel)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.owner = self
        self.authority = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
