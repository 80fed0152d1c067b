# SPDX-License-Identifier: MIT
"""SIGUSR2: another process takes the place of the one that runs, and nobody who is connected or connects notices."""
import os
import signal
import socket
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BINARY, DEADLINE, Client, behavior, cache_policy, distribution, header_policy, until
from origin import Reply
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture

SIZE = 3_000_000
PATTERN = b"0123456789abcdef" * (SIZE // 16 + 1)


def put_mark(repository, origin):
    repository.put("shop.yaml", cache_policy(), header_policy(x_mark="two"),
                   distribution(origin.port, httpVersion="http2and3", default=behavior(responseHeadersPolicy="mark")))


def trickling(origin, target="/large"):
    """A response of SIZE octets whose second half comes one by one until the event is set."""
    enough = threading.Event()
    origin.route(target, Reply(size=SIZE, trickle=(SIZE // 2, enough), headers={"Cache-Control": "no-store"}))
    return enough


class Load:
    """Clients that ask again and again, on new connections and on kept ones, until told to stop; what was not 200 is kept."""

    def __init__(self, edge, kinds):
        self._stop, self._counts, self.failures = threading.Event(), [0] * len(kinds), []
        self._threads = [threading.Thread(target=self._run, args=(i, kind, edge)) for i, kind in enumerate(kinds)]
        for thread in self._threads:
            thread.start()
        self.wait_for_more()

    def _run(self, number, ask, edge):
        try:
            for status in ask(edge, self._stop):
                self._counts[number] += 1
                if status != 200:
                    self.failures.append((ask.__name__, status))
        except Exception as failure:  # noqa: BLE001, whatever it was, the test is to name it
            self.failures.append((ask.__name__, repr(failure)))

    def wait_for_more(self, count=20):
        """Each of them has had `count` more answers."""
        before = list(self._counts)
        until(lambda: self.failures or all(now >= then + count for now, then in zip(self._counts, before)), "clients to be served")

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE)
        assert not self.failures, self.failures[:5]


def new_connections(edge, stop):
    while not stop.is_set():
        yield edge.get("/page").status


def new_tls_connections(edge, stop):
    while not stop.is_set():
        yield edge.get("/page", tls=True, sni="shop.test").status


def kept_connections(edge, stop):
    """Connects again only when the edge has said that it closes."""
    client = Client(edge.http)
    while not stop.is_set():
        answer = client.get("/page")
        yield answer.status
        if answer.headers.get("connection") == "close":
            client.close()
            client = Client(edge.http)
    client.close()


def health_checks(edge, stop):
    while not stop.is_set():
        yield edge.admin_get("/readyz").status


def test_nobody_is_refused(serve3, origin):
    origin.page("/page")
    edge = serve3()
    load = Load(edge, [new_connections, new_tls_connections, kept_connections, kept_connections, health_checks])
    processes = {edge.process.pid}
    for _ in range(3):
        edge.hand_over()
        processes.add(edge.process.pid)
        load.wait_for_more()
    load.end()
    assert len(processes) == 4


def test_an_idle_connection_gets_one_more_answer(serve3, origin):
    origin.page("/page")
    edge = serve3()
    with edge.connect() as client:
        assert client.get("/page").status == 200
        before = edge.hand_over(wait=False)

        def is_the_last():
            answer = client.get("/page")
            assert answer.status == 200
            return answer.headers["connection"] == "close"

        until(is_the_last, "the edge to say that it closes")
        assert before.wait(DEADLINE) == 0


@pytest.mark.parametrize("kind", ["http1", "http2", "http3"])
def test_downloads_go_on_in_the_old_process_while_the_new_one_serves(serve3, origin, tmp_path, kind):
    origin.page("/page")
    enough = trickling(origin)
    edge = serve3(default=behavior(cachePolicy="Managed-CachingDisabled"))
    target = f"https://shop.test:{edge.https.rsplit(':', 1)[1]}/large"
    with ThreadPoolExecutor() as pool:
        if kind == "http3":
            client = pool.submit(gtlsclient, edge, "--no-http-dump", f"--download={tmp_path}", target="/large")
            file = tmp_path / "large"
        else:
            file = tmp_path / "file"
            version = {"http1": "--http1.1", "http2": "--http2"}[kind]
            client = pool.submit(subprocess.run, ["curl", "-sSk", version, "--connect-to", f"::{edge.https}", "-o", file, "--max-time", "60", target], check=True)
        until(lambda: file.exists() and file.stat().st_size >= SIZE // 4 or client.done(), "half of the download")
        before = edge.hand_over(wait=False)
        assert edge.get("/page").status == 200 and edge.h3("GET", "/page").status == 200
        assert before.poll() is None and not client.done()
        enough.set()
        client.result(DEADLINE)
    assert file.read_bytes() == PATTERN[:SIZE]
    assert before.wait(DEADLINE) == 0
    assert edge.h3("GET", "/page").status == 200


def test_packets_of_old_connections_reach_them_through_the_new_process(serve3, origin, tmp_path):
    enough = trickling(origin)
    edge = serve3(default=behavior(cachePolicy="Managed-CachingDisabled"))
    with ThreadPoolExecutor() as pool:
        client = pool.submit(gtlsclient, edge, "--no-http-dump", f"--download={tmp_path}", target="/large")
        file = tmp_path / "large"
        until(lambda: file.exists() and file.stat().st_size >= SIZE // 4 or client.done(), "half of the download")
        before = edge.hand_over(wait=False)
        # Acknowledgements, of what trickles: nobody else reads the socket.
        until(lambda: edge.metric("headgate_quic_events_total")['event="forwarded"'] >= 10, "packets to be passed on")
        enough.set()
        client.result(DEADLINE)
    assert file.read_bytes() == PATTERN[:SIZE]
    assert before.wait(DEADLINE) == 0


def test_the_next_process_follows_the_repository(serve3, repository, origin):
    origin.page("/page")
    edge = serve3()
    generation = edge.get("/page").generation
    addresses = edge.http_addresses, edge.https_addresses, edge.admin
    edge.hand_over()
    listeners = edge.status()["listeners"]
    assert (listeners["http"], listeners["https"], edge.admin) == addresses
    assert edge.get("/page").generation == generation
    put_mark(repository, origin)
    edge.apply(repository)
    answer = edge.get("/page")
    assert answer.headers["x-mark"] == "two" and answer.generation > generation


def test_a_unix_socket_is_handed_over_too(serve, origin, run, tmp_path):
    origin.page("/page")
    path = tmp_path / "admin.sock"
    edge = serve(flags=("--admin", f"unix:{path}", "--health", "127.0.0.1:0"))
    edge.hand_over()
    assert edge.admin_get("/readyz").status == 200 and stat.S_ISSOCK(path.stat().st_mode)
    edge.hand_over()
    assert edge.admin_get("/readyz").status == 200
    edge.stop()
    assert not path.exists()


@pytest.fixture
def replaceable(tmp_path, monkeypatch):
    """The program under a name of its own: what is there when SIGUSR2 comes is another question."""
    program = tmp_path / "headgate"
    os.link(BINARY, program) if os.stat(BINARY).st_dev == os.stat(tmp_path).st_dev else program.write_bytes(open(BINARY, "rb").read())
    program.chmod(0o755)
    monkeypatch.setattr("harness.BINARY", str(program))

    def replace(script):
        monkeypatch.setattr("harness.BINARY", BINARY)
        program.unlink()
        if script is not None:
            program.write_text(script)
            program.chmod(0o755)
    return replace


@pytest.mark.parametrize("script, reason", [
    (None, "cannot be run"),
    ("#!/bin/sh\necho 'no such flag' >&2\nexit 2\n", "ended with exit code 2"),
    ("#!/bin/sh\nkill -SEGV $$\n", "was ended by signal 11"),
], ids=["missing", "refuses", "crashes"])
def test_a_program_that_does_not_come_up_changes_nothing(replaceable, serve3, repository, origin, script, reason):
    origin.page("/page")
    edge = serve3()
    with edge.connect() as client:
        assert client.get("/page").status == 200
        replaceable(script)
        edge.process.send_signal(signal.SIGUSR2)
        edge.output.wait_for("not handed over: .*" + reason)
        edge.wait_ready()
        assert client.get("/page").is_hit, "the cache is what it was"
    put_mark(repository, origin)
    edge.apply(repository)
    assert edge.get("/page").headers["x-mark"] == "two"
    assert edge.h3("GET", "/page").status == 200


def test_the_next_program_may_listen_on_more(replaceable, serve3, origin):
    origin.page("/page")
    edge = serve3()
    replaceable(f'#!/bin/sh\nexec {BINARY} "$@" --http 127.0.0.1:0\n')
    edge.hand_over()
    listeners = edge.status()["listeners"]
    assert edge.http in listeners["http"] and edge.https in listeners["https"]
    for address in listeners["http"]:
        with Client(address) as client:
            assert client.get("/page").status == 200


def test_who_waits_for_the_next_process_can_be_told_to_stop(replaceable, serve3, origin):
    origin.page("/page")
    edge = serve3()
    replaceable("#!/bin/sh\nexec sleep 1000\n")
    edge.process.send_signal(signal.SIGUSR2)
    until(lambda: [child for child in os.popen(f"pgrep -P {edge.process.pid} sleep").read().split()], "the next process")
    assert edge.get("/page").status == 200
    edge.process.terminate()
    assert edge.process.wait(DEADLINE) == 0


def test_the_service_manager_is_told(serve3, origin, tmp_path, run, repository):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(DEADLINE)
        manager.bind(str(tmp_path / "notify"))
        repository.put("shop.yaml", distribution(origin.port, default=behavior(cachePolicy="Managed-CachingDisabled")))
        repository.commit()
        edge = run(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        edge.hand_over()
        assert {manager.recv(100), manager.recv(100)} == {b"READY=1", f"MAINPID={edge.process.pid}".encode()}
        edge.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_process_gets_no_descriptors_but_the_sockets(serve3):
    edge = serve3()
    counts = []
    for _ in range(3):
        counts.append(len(os.listdir(f"/proc/{edge.process.pid}/fd")))
        edge.hand_over()
        # The ends of channels to the process before are closed when that has ended.
        until(lambda: len(os.listdir(f"/proc/{edge.process.pid}/fd")) <= counts[0], "descriptors to be closed")
