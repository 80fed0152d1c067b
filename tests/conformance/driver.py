# SPDX-License-Identifier: MIT
"""Runs cases of HTTP caching over the wire: a scripted origin on one side of the edge, a scripted client on the other.

The format of a case is in README.md. Nothing here knows what an edge is: it is given two addresses."""
import io
import json
import re
import socket
import subprocess
import sys
import threading
from email.utils import formatdate
from pathlib import Path
from time import monotonic, sleep, time

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from h3_client import BrokenTransfer, H3Client  # noqa: E402

DEADLINE = 20
CASES = Path(__file__).parent / "cases"
_TIME = re.compile(r"\{now([+-]\d+)?\}")


def load_cases():
    """Every case by its id, `file/case`; the ids are what requirements refer to."""
    cases = {}
    for file in sorted(CASES.glob("*.yaml")):
        for pattern in yaml.safe_load(file.read_text()):
            for case in expand(pattern):
                identifier = f"{file.stem}/{case['case']}"
                assert identifier not in cases, f"{identifier} is there twice"
                cases[identifier] = case
    return cases


def expand(pattern):
    """One case for each member of `each`: $1, $2, … stand for the member, or for its items."""
    for values in pattern.pop("each", [()]):
        text = json.dumps(pattern)
        for number, value in enumerate(values if isinstance(values, (list, tuple)) else [values], 1):
            text = text.replace(f'"${number}"', json.dumps(value)).replace(f"${number}", json.dumps(str(value))[1:-1])
        yield json.loads(text)


class Mismatch(AssertionError):
    """What the edge did is not what the case expects."""


class Message:
    """Start line, fields in order with names as received, and the body."""

    def __init__(self, start, fields, body=b"", interim=()):
        self.start, self.fields, self.body, self.interim = start, fields, body, list(interim)

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def joined(self, name):
        return ", ".join(self.all(name))


def read_head(stream):
    """(start line, fields), or None at the end of the stream."""
    start = stream.readline().rstrip(b"\r\n").decode("latin-1")
    if not start:
        return None
    fields = []
    while line := stream.readline().rstrip(b"\r\n").decode("latin-1"):
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    return start, fields


def read_chunks(stream):
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().rstrip(b"\r\n"):
        pass
    return body


def read_body(stream, message):
    if "chunked" in message.joined("transfer-encoding"):
        return read_chunks(stream)
    length = message.joined("content-length")
    return stream.read(int(length)) if length else None


def field_lines(lines):
    """["Name: value", …] as pairs; {now+60} is an HTTP date."""
    def date(match):
        return formatdate(time() + int(match[1] or 0), usegmt=True)
    pairs = []
    for line in lines or ():
        name, _, value = line.partition(":")
        pairs.append((name, _TIME.sub(date, value.strip())))
    return pairs


class ScriptedOrigin:
    """Answers /ID/… with what the running step of case ID says, and remembers what it was asked. Threads: any."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._steps = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def script(self, key, step, body):
        """From now on requests for /key/… are answered by `step`; the list of requests that come."""
        asked = []
        with self._lock:
            self._steps[key] = (step, body, asked)
        return asked

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)  # or the thread goes on accepting, by then perhaps for the next socket of that number
        self._acceptor.join()
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while head := read_head(stream):
                request = Message(*head)
                request.body = read_body(stream, request) or b""
                if not self._answer(connection, request):
                    return

    def _answer(self, connection, request):
        method, target, _ = request.start.split(" ")
        with self._lock:
            step, body, asked = self._steps[target.split("/")[1].split("?")[0]]
            asked.append(request)
        answer = step.get("origin") or {}
        if answer.get("disconnect"):
            return False
        status, body = answer.get("status", 200), str(answer.get("body", body)).encode()
        conditional = request.joined("if-none-match") or request.joined("if-modified-since")
        if answer.get("validates") and conditional:
            status = 304
        out = b""
        for interim in answer.get("interim", ()):
            out += self._head(interim["status"], field_lines(interim.get("fields")))
        fields = field_lines([*answer.get("fields", ()), *answer.get("more", ())])
        names = {name.lower() for name, _ in fields}
        has_body = status not in (204, 304)
        if has_body and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(body))))
        out += self._head(status, fields)
        connection.sendall(out + (body if has_body and method != "HEAD" else b""))
        return not answer.get("close")

    @staticmethod
    def _head(status, fields):
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def exchange_http2(address, method, target, fields, body=b""):
    """As exchange_http1, over HTTP/2 by prior knowledge, by curl."""
    command = ["curl", "--silent", "--include", "--http2-prior-knowledge", "--max-time", str(DEADLINE), "--path-as-is", "--globoff",
               *(["--head"] if method == "HEAD" else ["--request", method]),
               "-H", "Host: conformance.test", "-H", "Accept:", "-H", "User-Agent:"]
    for name, value in fields:
        command += ["-H", (f"{name}: {value}" if value else f"{name};").encode("latin-1")]
    if body:
        command += ["--data-binary", body, "-H", "Content-Type:"]
    output = subprocess.run([*command, f"http://{address}{target}"], capture_output=True).stdout
    stream, interim = io.BytesIO(output), []
    while head := read_head(stream):
        message = Message(*head, interim=interim)
        status = int(message.start.split(" ")[1])
        if status >= 200:
            message.body = stream.read()
            return status, message
        interim.append(message)
    raise Mismatch("the stream ended without a response")


def exchange_http3(address, method, target, fields, body=b""):
    """As exchange_http1, over HTTP/3, by libcurl."""
    lines = [("Host", "conformance.test"), ("Accept", None), ("User-Agent", None), *fields]
    with H3Client(address, deadline=DEADLINE) as client:
        try:
            status, answered, octets, interim = client.perform(method, target, lines, body or None)
        except BrokenTransfer as broken:
            if not broken.status:
                raise Mismatch(f"the stream ended without a response: {broken}") from None
            status, answered, octets, interim = broken.status, broken.fields, broken.body, []
    return status, Message(f"HTTP/3 {status}", answered, octets, [Message(f"HTTP/3 {code}", names) for code, names in interim])


def exchange_http1(address, method, target, fields, body=b""):
    """One request on a connection of its own; the response with what came before it."""
    host, _, port = address.rpartition(":")
    lines = [f"{method} {target} HTTP/1.1", "Host: conformance.test", "Connection: close",
             *(f"{name}: {value}" for name, value in fields)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection, connection.makefile("rb") as stream:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        interim = []
        while head := read_head(stream):
            message = Message(*head, interim=interim)
            status = int(message.start.split(" ")[1])
            if status < 200:
                interim.append(message)
                continue
            if method != "HEAD" and status not in (204, 304):
                known = read_body(stream, message)
                message.body = stream.read() if known is None else known
            return status, message
    raise Mismatch("the connection was closed without a response")


class Runner:
    """Runs cases against the edge at `address` whose only origin is `origin`; `exchange` sends a request."""

    def __init__(self, address, origin, exchange):
        self.address, self.origin, self.exchange = address, origin, exchange

    def run(self, identifier, case):
        """Raises Mismatch. $KEY in a case is the first segment of the paths that it is run under."""
        key = f"{re.sub(r'[^A-Za-z0-9_]', '-', identifier)}-{self.exchange.__name__[-1]}"
        sent = set()
        steps = json.loads(json.dumps(case["steps"]).replace("$KEY", key))
        for number, step in enumerate(steps, 1):
            end = monotonic() + (DEADLINE if step.get("eventually") else 0)
            while True:
                try:
                    self._step(key, step, number, sent)
                    break
                except Mismatch as mismatch:
                    if monotonic() >= end:
                        raise Mismatch(f"{identifier}, step {number}: {mismatch}") from None

    def _step(self, key, step, number, sent):
        request, body = step.get("request") or {}, f"{key} {number}"
        answer = step.get("origin") or {}
        sent.add(str(answer.get("body", body)).encode())
        asked = self.origin.script(key, step, body)
        status, response = self.exchange(self.address, request.get("method", "GET"), f"/{key}/{request.get('path', '')}",
                                    field_lines(request.get("fields")), str(request.get("body", "")).encode())
        expect = step.get("expect", {})
        if isinstance(expect, str):
            expect = {"from": expect}
        self._check_source(expect.get("from", "origin"), asked, response)
        wanted = expect.get("status", answer.get("status", 200) if expect.get("from") != "cache" else 200)
        if status != wanted:
            raise Mismatch(f"status {status}, expected {wanted}")
        self._check_fields(expect, response, asked)
        if "body" in expect and response.body != str(expect["body"]).encode():
            raise Mismatch(f"body {response.body!r}, expected {expect['body']!r}")
        if status == 200 and response.body and "body" not in expect and response.body not in sent:
            raise Mismatch(f"body {response.body!r} is none that the origin sent")
        interim = [(int(m.start.split(" ")[1]), m.fields) for m in response.interim]
        expected = [(i["status"], field_lines(i.get("fields"))) for i in expect.get("interim", ())]
        if "interim" in expect and [s for s, _ in interim] != [s for s, _ in expected]:
            raise Mismatch(f"interim responses {interim}, expected {expected}")
        for (_, got), (_, lines) in zip(interim, expected):
            missing = [line for line in lines if (line[0].lower(), line[1]) not in [(n.lower(), v) for n, v in got]]
            if missing:
                raise Mismatch(f"interim response without {missing}: {got}")

    @staticmethod
    def _check_source(source, asked, response):
        if source == "behind":  # the viewer has its answer; the origin is asked meanwhile
            end = monotonic() + DEADLINE
            while not asked and monotonic() < end:
                sleep(0.001)
        if source == "cache" and asked:
            raise Mismatch(f"the origin was asked ({asked[0].start}); Cache-Status: {response.joined('cache-status')}")
        if source in ("origin", "validated", "behind") and not asked:
            raise Mismatch(f"the origin was not asked; Cache-Status: {response.joined('cache-status')}")
        if source == "validated" and not (asked[0].all("if-none-match") or asked[0].all("if-modified-since")):
            raise Mismatch(f"the request to the origin had no condition: {asked[0].fields}")
        if source not in ("cache", "origin", "validated", "behind", "either"):
            raise ValueError(f"unknown source {source!r}")

    @staticmethod
    def _check_fields(expect, response, asked):
        for name, value in field_lines(expect.get("fields")):
            got = response.joined(name)
            if value.startswith("> "):
                if not got.isdigit() or int(got) <= int(value[2:]):
                    raise Mismatch(f"{name} is {got!r}, expected more than {value[2:]}")
            elif value == "*":
                if not response.all(name):
                    raise Mismatch(f"no {name}")
            elif value.startswith("~ "):
                if not re.search(value[2:], got):
                    raise Mismatch(f"{name} is {got!r}, expected to match {value[2:]!r}")
            elif got != value:
                raise Mismatch(f"{name} is {got!r}, expected {value!r}")
        for name in expect.get("missing", ()):
            if response.all(name):
                raise Mismatch(f"{name} is there: {response.joined(name)!r}")
        for name, value in field_lines(expect.get("asked")):
            if not asked or asked[0].joined(name) != value:
                raise Mismatch(f"the origin was asked with {name} {asked[0].joined(name) if asked else None!r}, expected {value!r}")
        for name in expect.get("asked_without", ()):
            if asked and asked[0].all(name):
                raise Mismatch(f"the origin was asked with {name}: {asked[0].joined(name)!r}")
        if "times" in expect and len(asked) != expect["times"]:
            raise Mismatch(f"the origin was asked {len(asked)} times, expected {expect['times']}")
