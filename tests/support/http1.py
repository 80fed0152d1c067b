"""A raw HTTP/1 client: sends octets as they are, and takes responses apart without being lenient."""
import re
import socket
import ssl
import struct
from dataclasses import dataclass


@dataclass
class Response:
    status: int
    fields: list  # of (name in lower case, value)
    body: bytes
    complete: bool  # whether the body ended as its framing says; by the end of the connection is not such an end

    def values(self, name):
        return [value for field, value in self.fields if field == name]


class Client:
    """A connection. `ended` is None, "closed" or "reset"."""

    def __init__(self, port, timeout, tls=False, receive_buffer=None):
        self.timeout = timeout
        self.ended = None
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, *parts):
        """Sends the parts one by one, each as a segment of its own; False if the server has closed."""
        try:
            for part in parts:
                self.socket.sendall(part)
            return True
        except OSError:
            return False

    def receive(self, size=65536):
        """What arrives next; empty at the end."""
        try:
            data = self.socket.recv(size)
        except (socket.timeout, TimeoutError):
            raise AssertionError(f"nothing arrives within {self.timeout} s, and the connection stays open") from None
        except OSError:
            self.ended = "reset"
            return b""
        if not data:
            self.ended = "closed"
        return data

    def read_until(self, marker):
        """Reads until `marker` has arrived."""
        data = b""
        while marker not in data:
            part = self.receive()
            assert part, f"{self.ended} before {marker!r}: {data[-200:]!r}"
            data += part
        return data

    def read_to_end(self):
        """Reads until the server ends the connection."""
        data = []
        while part := self.receive():
            data.append(part)
        return b"".join(data)

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def exchange(client, *parts):
    """Sends `parts`, then nothing more, and returns all responses."""
    client.send(*parts)
    try:
        client.finish_sending()
    except OSError:
        pass
    return responses(client.read_to_end())


def statuses(data):
    return [response.status for response in responses(data)]


def responses(data, heads_only=()):
    """Takes apart all that a server has sent; `heads_only` are the indexes of responses to HEAD."""
    result = []
    while data:
        match = re.match(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", data)
        assert match, f"not a response: {data[:200]!r}"
        data = data[match.end() :]
        fields = [tuple(line.split(b": ", 1)) for line in match[2].split(b"\r\n") if line]
        fields = [(name.decode().lower(), value.decode("latin-1")) for name, value in fields]
        response = Response(int(match[1]), fields, b"", True)
        if not (response.status < 200 or response.status in (204, 304) or len(result) in heads_only):
            data = _take_body(response, data)
        result.append(response)
    return result


def _take_body(response, data):
    if response.values("transfer-encoding") == ["chunked"]:
        while match := re.match(rb"([0-9a-fA-F]+)\r\n", data):
            size = int(match[1], 16)
            chunk = data[match.end() : match.end() + size + 2]
            if size == 0:
                response.complete = chunk == b"\r\n"
                return data[match.end() + 2 :]
            response.body += chunk[:size]
            data = data[match.end() + size + 2 :]
        response.complete = False
        return b""
    lengths = response.values("content-length")
    if lengths:
        assert len(lengths) == 1, lengths
        size = int(lengths[0])
        response.body = data[:size]
        response.complete = len(data) >= size
        return data[size:]
    response.body = data
    response.complete = False
    return b""
