# SPDX-License-Identifier: MIT
"""Floods of connections and handshakes: limits for all and for each address, while whoever keeps to them is served."""
import resource as rlimit
import socket
import ssl
import struct

import pytest

from harness import DEADLINE, behavior, insecure, until

REQUEST = b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n"


@pytest.fixture
def limited(serve, origin, tmp_path):
    """Starts an edge with `limits` of the machine's own file, and more fields of it."""

    def start(limits, flags=(), **spec):
        import json
        (tmp_path / "edge.yaml").write_text(json.dumps(
            {"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"limits": limits, **spec}}))
        origin.page("/page")
        return serve(flags=["--config", tmp_path / "edge.yaml", *flags])

    return start


def exceeded(edge, limit):
    return edge.metric("headgate_limit_exceeded_total")[f'limit="{limit}"']


def connect(edge, source="127.0.0.1", https=False):
    """From any address of 127/8."""
    host, port = (edge.https if https else edge.http).rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=DEADLINE, source_address=(source, 0))


def is_served(client):
    try:
        client.sendall(REQUEST)
        return client.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def closed_by_edge(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_two_thousand_connections_of_one_address_are_served_by_default(serve, origin, clients):
    origin.page("/page")
    edge = serve()
    for _ in range(2000):
        clients.append(connect(edge))
    assert all(is_served(client) for client in clients)
    assert sum(edge.metric("headgate_limit_exceeded_total").values()) == 0


def test_requests_of_one_address_are_not_limited_by_default(serve, origin):
    origin.page("/page")
    edge = serve()
    for _ in range(50):
        with connect(edge) as client:
            client.sendall(REQUEST * 100)
            received = 0
            while received < 100:
                received += client.recv(65536).count(b"HTTP/1.1 200")
    assert sum(edge.metric("headgate_limit_exceeded_total").values()) == 0


def test_one_address_has_as_many_connections_as_it_may_others_have_theirs(limited, clients):
    edge = limited({"maxConnectionsPerAddress": 5})
    for _ in range(5):
        clients.append(connect(edge, "127.0.0.7"))
        assert is_served(clients[-1])
    for _ in range(20):
        with connect(edge, "127.0.0.7") as refused:
            assert closed_by_edge(refused)
    assert exceeded(edge, "maxConnectionsPerAddress") == 20
    with connect(edge, "127.0.0.8") as other:
        assert is_served(other)
    clients.pop().close()

    def has_room():
        with connect(edge, "127.0.0.7") as again:
            return is_served(again)
    until(has_room, "room for another connection")


def test_a_flood_of_connections_leaves_room_for_others(limited, clients):
    """Five hundred of one address, and everybody else is served in the same moment."""
    edge = limited({"maxConnectionsPerAddress": 50, "maxConnections": 100})
    for _ in range(500):
        clients.append(connect(edge, "127.0.0.66"))
    for number in range(20):
        with connect(edge, f"127.0.1.{number + 1}") as other:
            assert is_served(other)
    assert exceeded(edge, "maxConnectionsPerAddress") == 450


def test_all_together_have_as_many_as_the_edge_takes(limited, clients):
    edge = limited({"maxConnections": 10})
    for number in range(10):
        clients.append(connect(edge, f"127.0.0.{number + 1}"))
        assert is_served(clients[-1])
    with connect(edge, "127.0.0.99") as refused:
        assert closed_by_edge(refused)
    assert exceeded(edge, "maxConnections") == 1


def test_new_connections_have_a_rate(limited):
    edge = limited({"acceptRatePerAddress": 1})  # ten at once
    served = [is_served(connect(edge, "127.0.0.9")) for _ in range(40)]
    assert served[:10] == [True] * 10 and served.count(False) >= 1
    assert exceeded(edge, "acceptRatePerAddress") == served.count(False)
    assert is_served(connect(edge, "127.0.0.10"))

    edge.stop()


def test_all_new_connections_together_have_a_rate(limited):
    edge = limited({"acceptRate": 1})
    served = [is_served(connect(edge, f"127.0.3.{number + 1}")) for number in range(40)]
    assert served[:10] == [True] * 10 and served.count(False) >= 1
    assert exceeded(edge, "acceptRate") == served.count(False)


def handshake(edge, source):
    try:
        with insecure().wrap_socket(connect(edge, source, https=True), server_hostname="shop.test") as client:
            return is_served(client)
    except (ssl.SSLError, OSError):
        return False


def test_handshakes_have_a_rate(limited):
    edge = limited({"handshakeRatePerAddress": 1})
    done = [handshake(edge, "127.0.0.11") for _ in range(40)]
    assert done[:10] == [True] * 10 and done.count(False) >= 1
    assert exceeded(edge, "handshakeRatePerAddress") == done.count(False)
    assert handshake(edge, "127.0.0.12")
    assert is_served(connect(edge, "127.0.0.11"))  # what costs no handshake is no matter


def test_a_client_that_never_ends_its_handshake_is_closed(limited, clients):
    edge = limited({"handshakeTimeout": "300ms"})
    for octets in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        clients.append(connect(edge, https=True))
        clients[-1].sendall(octets)
    assert all(closed_by_edge(client) for client in clients)
    assert exceeded(edge, "handshakeTimeout") == 2


def test_behind_a_trusted_proxy_its_clients_count_not_the_proxy(limited, clients):
    edge = limited({"maxConnectionsPerAddress": 2}, trustedProxies=["127.0.0.1/32"])

    def through_proxy(client_address):
        clients.append(connect(edge))
        clients[-1].sendall(f"PROXY TCP4 {client_address} 192.0.2.1 1234 80\r\n".encode())
        return is_served(clients[-1])

    assert [through_proxy("198.51.100.1") for _ in range(3)] == [True, True, False]
    assert through_proxy("198.51.100.2")
    for _ in range(5):  # of the proxy itself: health checks
        clients.append(connect(edge))
        assert is_served(clients[-1])
    assert exceeded(edge, "maxConnectionsPerAddress") == 1


@pytest.fixture
def few_files(many_files):
    """What is started from here on may have 256 files open, as the soft limit."""
    soft, hard = rlimit.getrlimit(rlimit.RLIMIT_NOFILE)
    rlimit.setrlimit(rlimit.RLIMIT_NOFILE, (256, hard))
    yield lambda: rlimit.setrlimit(rlimit.RLIMIT_NOFILE, (soft, hard))
    rlimit.setrlimit(rlimit.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_of_open_files_is_raised(few_files, serve, origin, clients):
    origin.page("/page")
    edge = serve()
    few_files()  # for this process again
    for _ in range(600):
        clients.append(connect(edge))
    assert all(is_served(client) for client in clients)


def test_running_out_of_descriptors_refuses_connections_and_spins_on_nothing(serve, origin, clients):
    origin.page("/page")
    edge = serve()
    edge.get("/page")
    rlimit.prlimit(edge.process.pid, rlimit.RLIMIT_NOFILE, (100, 100))
    for _ in range(200):
        clients.append(connect(edge))
    refused = until(lambda: (lambda count: count > 50 and count)(closed_among(clients)), "connections to be refused")
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    clients.clear()
    until(lambda: edge.get("/page").is_hit, "service as before")
    assert exceeded(edge, "maxConnections") >= refused


def closed_among(clients):
    """How many the edge has closed; asks nothing that needs a descriptor of the edge."""
    closed = 0
    for client in clients:
        client.setblocking(False)
        try:
            closed += client.recv(1) == b""
        except BlockingIOError:
            pass
        except OSError:
            closed += 1
    return closed
