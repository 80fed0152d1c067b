# SPDX-License-Identifier: MIT
"""QUIC on paths that lose, move and lie: clients that change their address, workers that get what is another's."""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from h3_client import H3Client
from harness import DEADLINE, Http3Client, behavior, until
from origin import Reply
from relay import Relay
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture

SIZE = 3_000_000
PATTERN = b"0123456789abcdef" * (SIZE // 16 + 1)


def events(edge):
    return {labels.split('"')[1]: value for labels, value in edge.metric("headgate_quic_events_total").items()}


@pytest.fixture
def flowing(serve3, origin):
    """An edge, and an event: until it is set, octets of the second half of /page come one by one, but they do come."""
    enough = threading.Event()
    origin.route("/page", Reply(size=SIZE, trickle=(SIZE // 2, enough), headers={"Cache-Control": "no-store"}))
    yield serve3(default=behavior(cachePolicy="Managed-CachingDisabled")), enough
    enough.set()


def test_a_download_goes_on_when_the_client_changes_its_address(flowing, tmp_path):
    edge, enough = flowing
    with ThreadPoolExecutor() as pool:
        client = pool.submit(gtlsclient, edge, "--no-http-dump", f"--download={tmp_path}", "--change-local-addr=10ms")
        until(lambda: events(edge)["migration"] >= 1 or client.done(), "the edge to see the new address")
        enough.set()
        client.result(DEADLINE)
    assert (tmp_path / "page").read_bytes() == PATTERN[:SIZE]
    assert events(edge)["migration"] >= 1
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1


def test_an_upload_goes_on_when_a_nat_gives_the_client_another_port(serve3, origin, tmp_path):
    origin.page("/page")
    edge = serve3(default=behavior(allowedMethods=["ALL"]))
    (tmp_path / "body").write_bytes(PATTERN * 2)
    text = gtlsclient(edge, "--no-http-dump", f"--data={tmp_path / 'body'}", "--change-local-addr=5ms", "--nat-rebinding", method="POST")
    assert origin.requests_to("/page")[0].body == PATTERN * 2, text
    assert events(edge)["migration"] >= 1
    assert edge.metric("headgate_connections_total")['transport="quic"'] == 1


def test_keys_are_updated_in_the_middle_of_a_download(flowing, tmp_path):
    edge, enough = flowing
    address, port = edge.https.rsplit(":", 1)
    with subprocess.Popen(["gtlsclient", "--exit-on-all-streams-close", "--no-quic-dump", "--no-http-dump", f"--download={tmp_path}", "--key-update=5ms",
                           "--sni", "shop.test", address, port, f"https://shop.test:{port}/page"], stderr=subprocess.PIPE, text=True) as client:
        lines = [line for line in client.stderr if "1RTT k=1" not in line or enough.set()]
    assert client.returncode == 0 and enough.is_set(), "no packet with a new key:\n" + "".join(lines)
    assert (tmp_path / "page").read_bytes() == PATTERN[:SIZE]


@pytest.mark.parametrize("faults", [{"loss": 0.05}, {"double": 0.2, "reorder": 0.2}, {"loss": 0.02, "double": 0.05, "reorder": 0.1}],
                         ids=["loss", "doubles-and-reordering", "all"])
def test_bodies_come_whole_through_a_bad_network(serve3, origin, faults):
    origin.route("/page", Reply(size=SIZE, headers={"Cache-Control": "max-age=60"}))
    origin.page("/upload")
    edge = serve3(default=behavior(allowedMethods=["ALL"]))
    with Relay(edge.https, **faults) as relay, Http3Client(relay.address) as client:
        for _ in range(2):
            assert client.get("/page").body == PATTERN[:SIZE]
        body = os.urandom(500_000)
        assert client.request("POST", "/upload", body).status == 200
        assert origin.requests_to("/upload")[-1].body == body
        assert client.connects == 1
        assert relay.lost > 0 or not faults.get("loss")


def test_an_end_without_octets_comes_although_it_has_to_wait(serve3, origin):
    """Round trips seem long, so the edge paces: the end has to wait, and meanwhile all octets before it are acknowledged."""
    size, ended, taken = 9000, threading.Event(), bytearray()
    edge = serve3(default=behavior(cachePolicy="Managed-CachingDisabled"))
    with Relay(edge.https) as relay, H3Client(relay.address, deadline=DEADLINE / 3) as client:
        relay.to_edge, relay.to_client = 0.1, 0.5

        def reply(_):  # the handshake is over
            relay.to_client = 0.0
            return Reply(size=size, framing="chunked", wait_after=(size, ended))

        def take(piece):
            taken.extend(piece)
            if len(taken) == size:
                ended.set()

        origin.route("/page", reply)
        assert client.perform("GET", "/page", [("Host", "shop.test")], take=take)[0] == 200
        relay.to_edge = 0.0  # the edge is to hear that the client goes
    assert taken == PATTERN[:size]


def test_a_nat_that_rebinds_in_the_middle_of_handshakes_and_downloads(serve3, origin):
    origin.route("/page", Reply(size=SIZE, headers={"Cache-Control": "max-age=60"}))
    edge = serve3()
    with Relay(edge.https) as relay:
        for number in range(5):
            got = []

            def take(piece):
                if len(got) % 20 == 10:
                    relay.rebind()
                got.append(piece)

            with Http3Client(relay.address) as client:
                early = threading.Timer(0.001 * number, relay.rebind)  # wherever in the handshake that is
                early.start()
                status, *_ = client.perform("GET", "/page", [("Host", "shop.test")], take=take)
                early.join()
                assert (status, b"".join(got)) == (200, PATTERN[:SIZE])
    assert events(edge)["migration"] >= 1


# --- Workers -------------------------------------------------------------------------------------------------------


def edge_sockets(edge):
    """The UDP sockets of an edge, as descriptors of ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(edge.process.pid)
    try:
        for name in os.listdir(f"/proc/{edge.process.pid}/fd"):
            fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
            if fd < 0:
                continue
            try:
                one = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            if one.type == socket.SOCK_DGRAM and one.family in (socket.AF_INET, socket.AF_INET6):
                yield one
            else:
                one.close()
    finally:
        os.close(pidfd)


def test_workers_pass_on_what_the_kernel_gives_to_the_wrong_one(serve3, origin):
    origin.route("/page", Reply(size=SIZE, headers={"Cache-Control": "max-age=60"}))
    edge = serve3()
    sockets = list(edge_sockets(edge))
    assert len(sockets) >= 2
    for one in sockets:
        with one:
            try:
                one.setsockopt(socket.SOL_SOCKET, 68, 0)  # SO_DETACH_REUSEPORT_BPF: it goes by addresses from now on
            except FileNotFoundError:
                pass  # it is attached once a group
    with Relay(edge.https) as relay, Http3Client(relay.address) as client:
        until(lambda: (relay.rebind(), client.get("/page").body == PATTERN[:SIZE] or pytest.fail("another body"),
                       events(edge)["forwarded"] > 0)[2], "a datagram to come to the wrong worker")
        assert client.connects == 1


def test_with_steering_nothing_has_to_be_passed_on(serve3, origin):
    origin.route("/page", Reply(size=100_000, headers={"Cache-Control": "max-age=60"}))
    edge = serve3()
    with Relay(edge.https) as relay:
        for _ in range(10):
            with Http3Client(relay.address) as client:
                for _ in range(3):
                    assert client.get("/page").status == 200
                    relay.rebind()
    assert events(edge)["forwarded"] == 0
    assert events(edge)["migration"] >= 10


# --- Load, and what nobody asked for -------------------------------------------------------------------------------


def first_datagrams(count):
    """The Initial packets of `count` clients that then give up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(DEADLINE)
        for _ in range(count):
            client = subprocess.Popen(["gtlsclient", "-q", "127.0.0.1", str(sink.getsockname()[1]), "https://shop.test/"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                octets = sink.recv(65535)
                while octets[0] & 0xf0 != 0xc0:
                    octets = sink.recv(65535)
                yield octets
            finally:
                client.kill()
                client.wait()
                sink.setblocking(False)
                try:
                    while sink.recv(65535):
                        pass
                except BlockingIOError:
                    pass
                sink.settimeout(DEADLINE)


@pytest.fixture
def patient(serve3, tmp_path):
    """An edge on which handshakes that nobody finishes last for as long as a test may take."""
    config = tmp_path / "edge.yaml"
    config.write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { requestHeaderTimeout: 10m, idleTimeout: 10m } }\n")
    return lambda: serve3(flags=["--config", config])


@contextlib.contextmanager
def flooded(edge):
    """With more unfinished handshakes than an edge of two workers takes without asking for proof."""
    flood, count = [], 2 * 64 + 40

    def seen():
        return events(edge)["retry"] + edge.metric("headgate_connections_total")['transport="quic"']

    before = seen()
    try:
        for octets in list(first_datagrams(count)):
            flood.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            flood[-1].sendto(octets, ("127.0.0.1", int(edge.https.rpartition(":")[2])))
        until(lambda: seen() >= before + count, "each worker to have seen its part")
        assert events(edge)["retry"] >= 1
        yield
    finally:
        for one in flood:
            one.close()


def test_under_load_a_client_proves_its_address_first(patient, origin):
    origin.page("/page", "hello\n")
    edge = patient()
    with flooded(edge):
        before = events(edge)["retry"]
        assert edge.h3("GET", "/page").body == b"hello\n"
        assert events(edge)["retry"] > before


def test_a_client_that_has_been_there_proves_it_by_its_token(patient, origin, tmp_path):
    origin.page("/page")
    edge = patient()
    gtlsclient(edge, f"--token-file={tmp_path / 'token'}")
    with flooded(edge):
        before = events(edge)["retry"]
        assert "[:status: 200]" in gtlsclient(edge, f"--token-file={tmp_path / 'token'}")
        assert events(edge)["retry"] == before


def test_noise_is_not_answered_and_does_no_harm(serve3, origin):
    origin.page("/page")
    edge = serve3()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.connect(("127.0.0.1", int(edge.https.rpartition(":")[2])))
        for size in (1, 7, 20, 100, 1200, 1500):
            for _ in range(50):
                first = bytes([os.urandom(1)[0] & 0x7f])  # a short header: nothing to negotiate a version about
                noise.send(first + os.urandom(size - 1))
        assert edge.h3("GET", "/page").status == 200
        until(lambda: events(edge)["dropped"] >= 300, "the edge to have seen them")
        noise.setblocking(False)
        with pytest.raises(BlockingIOError):
            noise.recv(65535)
