"""The server under test, and `--without-queue`: every test that is not a guard has to fail then."""
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))  # http1.py, http2.py
import http1
import http2

TIMEOUT = float(os.environ.get("H2O_TEST_TIMEOUT", "30"))  # seconds; how long to wait for what has to happen


def pytest_addoption(parser):
    parser.addoption("--server", required=True, help="h2o_test_server to be tested")
    parser.addoption("--without-queue", action="store_true", help="the server is built without the patches: expect failures")


def pytest_configure(config):
    config.addinivalue_line("markers", "guard: holds without the patches, too; protects what they could break")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--without-queue"):
        return
    guards = [item for item in items if item.get_closest_marker("guard")]
    items[:] = [item for item in items if item not in guards]
    config.hook.pytest_deselected(items=guards)
    for item in items:  # not other errors: a server that does not start proves nothing
        item.add_marker(pytest.mark.xfail(strict=True, raises=(AssertionError, OSError), reason="the patch is missing"))


class Server:
    """A running h2o_test_server; settings are the fields of h2o_globalconf_t (see server/settings.cc)."""

    def __init__(self, path, settings):
        arguments = [path] + [f"{name}={value}" for name, value in settings.items()]
        # The server frees nothing when it exits.
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", UBSAN_OPTIONS="print_stacktrace=1")
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        line = self.process.stdout.readline()
        self.ports = {name: int(port) for name, port in re.findall(r"(\w+)=(\d+)", line)}
        self.errors = []
        self._reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self._reader.start()
        if len(self.ports) != 4:
            self.process.wait()
            self._reader.join()
            raise RuntimeError(f"the server does not start: {line}{''.join(self.errors)}")

    def http1(self, **options):
        return http1.Client(self.ports["http1"], TIMEOUT, **options)

    def https(self, **options):
        return http1.Client(self.ports["https"], TIMEOUT, tls=True, **options)

    def http2(self, **options):
        return http2.Client(self.ports["http2"], TIMEOUT, **options)

    def control(self, path):
        client = http1.Client(self.ports["control"], TIMEOUT)
        client.send(b"GET %s HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n" % path.encode())
        answers = http1.responses(client.read_to_end())
        assert answers, "the server does not answer any more"
        return answers[0].body.decode()

    def stats(self):
        return {name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", self.control("/stats"))}

    def release(self):
        """Lets everything that is held go on."""
        self.control("/release")

    def wait_for(self, condition, what):
        """Waits until `condition` of the statistics holds."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT} s, {stats}"
            time.sleep(0.005)  # between two looks at a condition

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def shut_down(self):
        """Asks for a graceful shutdown, as a restart would."""
        self.process.send_signal(signal.SIGTERM)

    def wait_for_exit(self):
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server does not exit within {TIMEOUT} s") from None
        self._reader.join()
        assert status == 0, f"the server exited with {status}: {self.error_text()}"

    def error_text(self):
        return "".join(self.errors)[-6000:]

    def stop(self, expect_health=True):
        crashed = self.process.poll() not in (None, 0)
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if not expect_health:
            return
        assert not crashed, f"the server died: {self.error_text()}"
        assert not re.search("Sanitizer|runtime error", self.error_text()), self.error_text()


@pytest.fixture
def start(request):
    """start(**settings) runs a server; the test fails if it dies or if a sanitizer has something to say."""
    servers = []

    def start_server(settings=None):
        servers.append(Server(request.config.getoption("--server"), settings or {}))
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop(expect_health=not request.config.getoption("--without-queue"))


@pytest.fixture
def server(start):
    """A server with the default settings."""
    return start()
