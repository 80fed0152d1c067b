# SPDX-License-Identifier: MIT
"""A real git repository, a real `headgate run`, and ways to talk to them."""
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))  # origin.py, h3_client.py
import h3_client  # noqa: E402

BINARY = os.environ.get("HEADGATE_BINARY", str(ROOT / "build/release/headgate"))
DEADLINE = float(os.environ.get("HEADGATE_TEST_DEADLINE", "60"))  # a guard against hanging, not a measure
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer")
API = "headgate/v1"
HTTP3 = os.environ.get("HEADGATE_TEST_HTTP") == "3"  # then what `Client` does is done over HTTP/3: the same tests, another way in


def until(condition, what, deadline=None):
    """The first true value of `condition`, which is asked again and again: for what gives no signal of its own."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited too long for: {what}"
        time.sleep(0.01)


def headgate(*arguments, check=None, cwd=None, env=None, timeout=None):
    """Runs a subcommand to its end. `check` is the exit code that it must have."""
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                          timeout=timeout or DEADLINE, env={**os.environ, "NO_COLOR": "1", **(env or {})}, stdin=subprocess.DEVNULL)
    assert not SANITIZER.search(done.stderr), done.stderr
    if check is not None:
        assert done.returncode == check, f"{arguments}: exit {done.returncode}, not {check}\n{done.stdout}{done.stderr}"
    return done


# --- What a repository is made of ----------------------------------------------------------------------------------


def resource(kind, name, spec):
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def origin(id, port, **fields):
    custom = {"originProtocolPolicy": "http-only", "httpPort": port, **fields.pop("custom", {})}
    return {"id": id, "domainName": "127.0.0.1", "custom": custom, "connectionAttempts": 1, **fields}


def behavior(target="main", **fields):
    return {"targetOriginId": target, "viewerProtocolPolicy": "allow-all", "cachePolicy": "cached", **fields}


def distribution(origins, name="shop", aliases=("*",), default=None, **spec):
    """`origins` is one port, or a list of `origin(…)`."""
    if isinstance(origins, int):
        origins = [origin("main", origins)]
    if HTTP3:
        spec.setdefault("httpVersion", "http2and3")
    return resource("Distribution", name, {"aliases": list(aliases), "origins": origins,
                                           "defaultCacheBehavior": default or behavior(origins[0]["id"]), **spec})


def cache_policy(name="cached", minimum="0s", default="1h", maximum="1d", **parameters):
    spec = {"minTTL": minimum, "defaultTTL": default, "maxTTL": maximum}
    if parameters:
        spec["parametersInCacheKeyAndForwardedToOrigin"] = parameters
    return resource("CachePolicy", name, spec)


def header_policy(name="mark", **headers):
    """Custom headers that override; names are written with _ for -."""
    return resource("ResponseHeadersPolicy", name, {"customHeaders": [
        {"header": key.replace("_", "-"), "value": value, "override": True} for key, value in headers.items()]})


def invalidation(name, *paths, distribution="shop", **spec):
    return resource("Invalidation", name, {"distribution": distribution, "select": {"paths": list(paths)}, **spec})


def warm_list(name, *paths, distribution="shop", **spec):
    """As fast as it goes, unless told otherwise."""
    return resource("WarmList", name, {"distribution": distribution, "host": "shop.test", "rate": 10000,
                                       **({"paths": list(paths)} if paths else {}), **spec})


class Repository:
    """A working git repository. What is put is JSON, which is YAML too."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True)
        self.git("-c", "init.defaultBranch=main", "init", "--quiet")

    def git(self, *arguments):
        identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                    for what, value in (("NAME", "Test"), ("EMAIL", "test@localhost"))}
        done = subprocess.run(["git", *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
                              env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def put(self, file, *resources):
        self.write(file, "\n---\n".join(json.dumps(r, indent=2) for r in resources) + "\n")

    def write(self, file, text):
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, file):
        (self.path / file).unlink()

    def commit(self, message="change"):
        """Commits everything; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_of(self, file, *resources):
        self.put(file, *resources)
        return self.commit(f"put {file}")


# --- Answers -------------------------------------------------------------------------------------------------------


class Answer:
    """Status, header fields by lower-case name (several joined with ", "), and the body."""

    def __init__(self, status, fields, body, version=""):
        self.status, self.body, self.version = status, body, version
        self.fields = [(name.lower(), value.strip()) for name, value in fields]
        self.headers = {}
        for name, value in self.fields:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]!r}"

    @property
    def cache_status(self):
        return self.headers.get("cache-status", "")

    @property
    def is_hit(self):
        return bool(re.search(r"headgate\s*;\s*hit", self.cache_status))

    @property
    def generation(self):
        """The number in Headgate-Generation: 412 of 412-9f3c2ab."""
        return int(self.headers["headgate-generation"].partition("-")[0])


def insecure():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A connection that is kept alive over HTTP/1.1."""

    def __init__(self, address, tls=False, sni=None):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=DEADLINE)
        if tls:
            self.connection.connect()
            self.connection.sock = insecure().wrap_socket(self.connection.sock, server_hostname=sni)

    def request(self, method, target, body=None, host="shop.test", **headers):
        """Header names are written with _ for -."""
        fields = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.connection.request(method, target, body=body, headers=fields)
        response = self.connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read(), f"{response.version / 10}")

    def get(self, target, **headers):
        return self.request("GET", target, **headers)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http3Client(h3_client.H3Client):
    """What `Client` is for HTTP/1.1."""

    def __init__(self, address, sni=None, ca=None):
        super().__init__(address, sni, ca, DEADLINE)

    def request(self, method, target, body=None, host="shop.test", **headers):
        fields = [("Host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
        status, answered, octets, self.interim = self.perform(method, target, fields, body)
        return Answer(status, answered, octets, "3")

    def get(self, target, **headers):
        return self.request("GET", target, **headers)


def curl(*arguments):
    """One transfer by curl; certificates are not verified. Raises on a transfer that curl calls broken."""
    marker = "\n@@end@@"
    done = subprocess.run(["curl", "--silent", "--show-error", "--insecure", "--max-time", str(DEADLINE), "--include", "--write-out",
                           marker + "%{http_code} %{http_version}", *map(str, arguments)], capture_output=True)
    if done.returncode != 0:
        raise BrokenTransfer(done.returncode, done.stderr.decode(), done.stdout)
    output, _, trailer = done.stdout.rpartition(marker.encode())
    status, version = trailer.decode().split()
    while True:
        head, _, body = output.partition(b"\r\n\r\n")
        if not re.match(rb"HTTP/\S+ 1\d\d", head):
            break
        output = body
    fields = [line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:]]
    return Answer(int(status), fields, body, version)


class BrokenTransfer(Exception):
    def __init__(self, code, message, output):
        super().__init__(f"curl {code}: {message}")
        self.code, self.output = code, output


# --- The appliance -------------------------------------------------------------------------------------------------


class Output:
    """What a process says, line by line, kept and waited for. Threads: any."""

    def __init__(self, stream):
        self._lines, self._ended = [], False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        for line in stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(self, pattern, count=1):
        """Matches of `pattern`, one a line, when there are `count`."""
        expression = re.compile(pattern)

        def found():
            return [m for m in map(expression.search, self._lines) if m]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self._ended, DEADLINE)
            matches = found()
        assert len(matches) >= count, f"no line like {pattern!r} in:\n{self.text()}"
        return matches

    def join(self):
        self._thread.join(DEADLINE)


class Edge:
    """`headgate run`. Nothing polls: a commit is seen on SIGHUP, which `apply` and `reconcile` send."""

    def __init__(self, source, state, *flags, poll="1h", http=1, https=1, threads=2, env=None, wait=True):
        self.state = Path(state)
        self.arguments = [BINARY, "run", *(["--source", str(source)] if source else []), "--state", str(state), "--poll", poll, "--threads", str(threads),
                          "--cache-memory", "64MiB", "--admin", "127.0.0.1:0",
                          *["--http", "127.0.0.1:0"] * http, *["--https", "127.0.0.1:0"] * https, *map(str, flags)]
        self._counts = (http, https)
        self._env = {**os.environ, "NO_COLOR": "1", **(env or {})}
        self.process = None
        self._successors = 0
        self.start(wait)

    def start(self, wait=True):
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=self._env, stdin=subprocess.DEVNULL)
        self.output = Output(self.process.stdout)
        http, https = self._counts
        self.http_addresses = [m[1] for m in self.output.wait_for(r"^headgate: http on (\S+)$", http)] if http else []
        self.https_addresses = [m[1] for m in self.output.wait_for(r"^headgate: https on (\S+)$", https)] if https else []
        self.admin = self.output.wait_for(r"^headgate: admin on (\S+)$")[0][1]
        if wait:
            self.wait_ready()

    def wait_ready(self):
        until(lambda: self.admin_get("/readyz").status == 200 or self._must_run(), "the edge to be ready")

    def _must_run(self):
        assert self.process.poll() is None, f"headgate run ended with {self.process.returncode}:\n{self.output.text()}"

    @property
    def http(self):
        return self.http_addresses[0]

    @property
    def https(self):
        return self.https_addresses[0]

    # Requests

    def connect(self, tls=False, sni=None):
        return Http3Client(self.https, sni) if HTTP3 else Client(self.https if tls else self.http, tls, sni)

    def connect_h3(self, sni=None, ca=None):
        return Http3Client(self.https, sni, ca)

    def h3(self, method, target, body=None, sni=None, **headers):
        """One request over HTTP/3, on a connection of its own."""
        with self.connect_h3(sni) as client:
            return client.request(method, target, body, **headers)

    def request(self, method, target, body=None, tls=False, sni=None, **headers):
        with self.connect(tls, sni) as client:
            return client.request(method, target, body, **headers)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def socket(self):
        """A plain connection, to say on it what no client library says."""
        host, port = self.http.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=DEADLINE)

    # Operations

    def admin_get(self, target, method="GET", body=None, headers=None):
        connection = _UnixConnection(self.admin[len("unix:"):]) if self.admin.startswith("unix:") else \
            http.client.HTTPConnection(self.admin, timeout=DEADLINE)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def status(self):
        return json.loads(self.admin_get("/status").body)

    def events(self):
        return [json.loads(line) for line in self.admin_get("/events").body.splitlines() if line.strip()]

    def warmed(self, count=1):
        """The events of runs of warm lists, when `count` have ended."""
        return until(lambda: (lambda ended: ended if len(ended) >= count else None)([e for e in self.events() if e["type"] == "warmed"]),
                     f"{count} ended runs")

    def metric(self, name):
        """Samples of one metric: {labels: value}."""
        samples = {}
        for line in self.admin_get("/metrics").body.decode().splitlines():
            match = re.match(rf"{re.escape(name)}(?:\{{(.*)\}})? (\S+)$", line)
            if match:
                samples[match[1] or ""] = float(match[2])
        return samples

    def command(self, *arguments, check=None):
        return headgate(*arguments, "--admin", self.admin, check=check)

    def reconcile(self):
        self.process.send_signal(signal.SIGHUP)

    def wait(self, commit, check=0):
        return self.command("wait", "--commit", commit, "--timeout", f"{int(DEADLINE)}s", check=check)

    def apply(self, repository, file=None, *resources):
        """Commits, tells the edge, returns when the commit is live."""
        commit = repository.commit_of(file, *resources) if file else repository.commit()
        self.reconcile()
        self.wait(commit)
        return commit

    def refuse(self, repository):
        """Commits what must be refused, and returns the status when it has been."""
        commit = repository.commit("broken")
        self.reconcile()
        done = self.wait(commit, check=None)
        assert done.returncode != 0, f"{commit} went live:\n{done.stdout}{done.stderr}"
        return self.status()

    def hand_over(self, wait=True):
        """SIGUSR2. The process that was there; the one that takes its place is `process` from then on."""
        before = self.process
        before.send_signal(signal.SIGUSR2)
        self._successors += 1
        self.process = _Adopted(int(self.output.wait_for(r"^headgate: process (\d+) serves now", self._successors)[-1][1]))
        if wait:
            assert before.wait(DEADLINE) == 0
        return before

    # The end

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        """SIGTERM; the exit code must be 0, and no sanitizer may have said anything."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"SIGTERM did not end headgate run:\n{self.output.text()}") from None
        self.output.join()
        code, text = self.process.returncode, self.output.text()
        assert not SANITIZER.search(text), text
        assert code in (0, -signal.SIGKILL), f"headgate run ended with {code}:\n{text}"


def memory(edge, line="VmRSS"):
    """Bytes that the process holds; "VmHWM": has held at most."""
    for text in Path(f"/proc/{edge.process.pid}/status").read_text().splitlines():
        if text.startswith(line + ":"):
            return int(text.split()[1]) * 1024
    raise AssertionError(f"no {line}")


def slow_client(edge, request):
    """Sends a request and reads nothing: its receive buffer is as small as the kernel allows."""
    host, port = edge.http.rsplit(":", 1)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect((host, int(port)))
    client.sendall(request)
    return client


class _Adopted:
    """What `subprocess.Popen` is, for a process that another one has started, and that tells nobody its exit code when that is over."""

    def __init__(self, pid):
        self.pid, self._handle, self.returncode = pid, os.pidfd_open(pid), None

    def poll(self):
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            self.returncode = 0
        return self.returncode

    def wait(self, timeout=None):
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.poll()

    def send_signal(self, number):
        signal.pidfd_send_signal(self._handle, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self._path)
