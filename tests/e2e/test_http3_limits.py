# SPDX-License-Identifier: MIT
"""What an edge bears of QUIC clients that say nothing, take nothing or are gone; and paths of all sizes and families."""
import json
import signal
import socket
from pathlib import Path

import pytest

import h3_raw as h3
from h3_raw import headers
from harness import DEADLINE, Http3Client, cache_policy, distribution, until
from origin import Reply
from relay import Relay
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture
from test_http3_frames import RAW, connect_to  # noqa: F401, a fixture
from test_http3_paths import PATTERN, SIZE, events
from test_http3_restart import restarted


@pytest.fixture
def limited(serve3, tmp_path):
    """An edge with limits of the Edge file."""

    def start(**limits):
        config = tmp_path / "edge.yaml"
        config.write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {"limits": limits}}))
        return serve3(flags=["--config", config])

    return start


# --- Time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [False, True], ids=["who-never-asks", "who-has-asked"])
def test_a_client_without_a_request_is_sent_away(limited, connect_to, origin, asked):
    origin.page("/page", "hello\n")
    client = connect_to(limited(idleTimeout="500ms"))
    if asked:
        assert client.request().status == 200
    # Without a word when QUIC's own timer is first (RFC 9000 section 10.1), with one when ours is.
    assert client.wait_closed() in (("app", h3.H3_NO_ERROR), ("ERR_IDLE_CLOSE", None))


def test_a_head_that_does_not_come_to_its_end_is_given_up(limited, connect_to, origin):
    origin.page("/page", "hello\n")
    client = connect_to(limited(requestHeaderTimeout="300ms"))
    number = client.open("bidi", headers()[:10])
    assert client.answer(number).reset == h3.H3_REQUEST_INCOMPLETE
    assert client.request().status == 200  # the others stay


def test_a_response_that_nobody_takes_is_given_up_and_others_are_not(limited, connect_to, origin):
    origin.route("/page", Reply(size=SIZE, headers={"Cache-Control": "max-age=60"}))
    origin.page("/small", "hello\n")
    edge = limited(sendTimeout="1s")
    client = connect_to(edge)
    number = client.open()
    client.say("read", number, "no")
    client.send(number, headers(), fin=True)
    assert client.answer(number).reset == h3.H3_REQUEST_CANCELLED
    assert client.request("/small").status == 200
    assert edge.metric("headgate_limit_exceeded_total")['limit="sendTimeout"'] == 1


# --- Numbers -------------------------------------------------------------------------------------------------------


def exceeded(edge, limit):
    return edge.metric("headgate_limit_exceeded_total")[f'limit="{limit}"']


def test_an_address_has_as_many_connections_as_it_may(limited, connect_to, origin):
    origin.page("/page", "hello\n")
    edge = limited(maxConnectionsPerAddress=2)
    first, second = connect_to(edge), connect_to(edge)
    assert first.request().status == second.request().status == 200
    assert connect_to(edge).wait_closed() == ("app", h3.H3_EXCESSIVE_LOAD)
    assert exceeded(edge, "maxConnectionsPerAddress") == 1
    first.close()
    until(lambda: edge.metric("headgate_connections_open")[""] == 1, "the end of the first")
    assert connect_to(edge).request().status == 200


def test_all_handshakes_together_have_a_rate(limited, connect_to, origin):
    origin.page("/page", "hello\n")
    edge = limited(handshakeRate=1)  # ten at once
    done = [connect_to(edge) for _ in range(10)]
    assert all(client.request().status == 200 for client in done)
    refused = [connect_to(edge, prepare=False) for _ in range(5)]
    until(lambda: exceeded(edge, "handshakeRate") >= 1, "a refusal")
    del refused


def test_requests_that_are_given_up_have_a_number(limited, connect_to, origin):
    origin.route("/page", Reply(hang=True))
    edge = limited(http2={"maxResets": 5, "maxConcurrentStreams": 100})
    client = connect_to(edge)
    for _ in range(7):
        stream = client.open("bidi", headers(), fin=True)
        client.say("stop", stream, h3.H3_REQUEST_CANCELLED)
    assert client.wait_closed() == ("app", h3.H3_EXCESSIVE_LOAD)
    assert exceeded(edge, "http2.maxResets") == 1


def test_a_response_on_its_way_makes_room_for_a_request_up_to_twice_the_limit(limited, origin):
    origin.page("/page", "x" * 900)
    edge = limited(http2={"maxConcurrentStreams": 1})
    with Relay(edge.https) as relay, h3.RawClient(RAW, relay.address, deadline=DEADLINE) as client:
        assert client.request().status == 200
        relay.most = 600  # no response arrives, so none is acknowledged; what says that there is room is small
        numbers = []
        for _ in range(2):
            lost = relay.lost
            numbers.append(until(lambda: client.open("bidi", headers(), fin=True), "room for a request"))
            until(lambda: relay.lost > lost, "its response")  # each in packets of its own
        until(lambda: relay.lost > lost + 6, "the edge to have tried again and again")
        assert client.open() is None
        relay.most = None
        assert [client.answer(number).body for number in numbers] == [b"x" * 900] * 2
        until(lambda: client.open() is not None, "room, since they were acknowledged")


def waiting(port):
    """Octets that wait to be read from this machine's UDP port."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(line.split()[4].split(":")[1], 16) for line in lines if line.split()[1].endswith(f":{port:04X}"))


def stands_still(process):
    """Whether every thread has stopped."""
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in Path(f"/proc/{process}/task").glob("*/stat"))


def test_packets_behind_the_one_that_ended_a_connection_are_not_looked_at(limited, origin):
    origin.page("/page", "hello\n")
    edge = limited()
    port = int(edge.https.rpartition(":")[2])
    with h3.RawClient(RAW, edge.https, deadline=DEADLINE) as client:
        assert client.request().status == 200
        client.sync()
        edge.process.send_signal(signal.SIGSTOP)  # so that it finds all of them at once
        try:
            until(lambda: stands_still(edge.process.pid), "the edge to stop")
            # RFC 9114 section 7.2.7: it must not go down.
            client.send(client.control, h3.frame(h3.MAX_PUSH_ID, b"\x05") + h3.frame(h3.MAX_PUSH_ID, b"\x04"))
            for _ in range(4):
                before = waiting(port)
                client.send(client.control, b"\x0d" * 1000)
                until(lambda: waiting(port) > before, "a packet")
        finally:
            edge.process.send_signal(signal.SIGCONT)
        assert client.wait_closed()[0] == "app"
    with h3.RawClient(RAW, edge.https, deadline=DEADLINE) as client:
        assert client.request().status == 200


def test_what_is_too_large_is_counted(limited, connect_to, origin):
    edge = limited(maxHeaderSize="1KiB", maxUrl="200")
    client = connect_to(edge)
    assert client.request("/page", "GET", "shop.test", ("x", "y" * 2000)).status == 431
    assert client.request("/" + "a" * 300).status == 414
    assert exceeded(edge, "maxHeaderSize") == exceeded(edge, "maxUrl") == 1


# --- Who is gone ---------------------------------------------------------------------------------------------------


def test_stateless_resets_are_not_given_away(serve3, origin):
    origin.page("/page")
    edge = serve3()
    with Relay(edge.https) as relay:
        with Http3Client(relay.address) as client:
            client.get("/page")
        last = relay.sent[-1]  # a packet with a short header: the edge's id follows the first octet
    assert last[0] & 0x80 == 0
    restarted(edge)
    sent = 2000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.connect(("127.0.0.1", int(edge.https.rpartition(":")[2])))
        for _ in range(sent):
            flood.send(last[:60].ljust(60, b"\0"))
        until(lambda: events(edge)["stateless_reset"] + events(edge)["dropped"] >= sent, "the edge to have seen them")
        assert 0 < events(edge)["stateless_reset"] < sent
        flood.setblocking(False)
        assert len(flood.recv(65535)) < 60  # shorter than what made it: RFC 9000 section 10.3.3


# --- Paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mtu", [None, 1500, 1400, 1280], ids=lambda mtu: str(mtu))
def test_packets_become_as_large_as_the_path_takes(serve3, origin, tmp_path, mtu):
    origin.route("/page", Reply(size=SIZE, headers={"Cache-Control": "max-age=60"}))
    edge = serve3()
    largest = {None: 8952, 1500: 1452, 1400: 1342, 1280: 1232}[mtu]
    with Relay(edge.https) as relay:
        relay.most = None if mtu is None else mtu - 48
        edge.https_addresses[0] = relay.address
        gtlsclient(edge, "--no-http-dump", f"--download={tmp_path}", "--nstreams=20")
        edge.https_addresses[0] = relay.target
    assert (tmp_path / "page").read_bytes() == PATTERN[:SIZE]
    assert relay.largest == largest


@pytest.mark.parametrize("listen, hosts", [("[::1]:0", ["[::1]"]), ("[::]:0", ["[::1]", "127.0.0.1", "127.0.0.2"]), ("0.0.0.0:0", ["127.0.0.1", "127.0.0.2"])],
                         ids=["IPv6", "every-address-of-both", "every-address-of-IPv4"])
def test_clients_are_answered_from_the_address_that_they_ask(serve3, origin, listen, hosts):
    origin.page("/page", "hello\n")
    edge = serve3(flags=["--https", listen])
    port = edge.output.wait_for(r"^headgate: https on (\S+)$", 2)[1][1].rpartition(":")[2]
    for host in hosts:
        with Http3Client(f"{host}:{port}") as client:
            assert client.get("/page").body == b"hello\n"


# --- Looking into it -----------------------------------------------------------------------------------------------


def test_qlog_files_are_written_where_they_are_asked_for(repository, origin, run, tmp_path):
    origin.page("/page", "hello\n")
    repository.commit_of("shop.yaml", distribution(origin.port, httpVersion="http2and3"), cache_policy())
    folder = tmp_path / "qlog"
    folder.mkdir()
    edge = run(env={"QLOGDIR": str(folder)})
    for _ in range(2):
        edge.h3("GET", "/page")
    edge.stop()
    files = list(folder.iterdir())
    assert len(files) == 2
    for file in files:
        records = [json.loads(text) for text in file.read_text().split("\x1e")[1:]]
        assert records[0]["qlog_format"] == "JSON-SEQ"
        assert {"packet_sent", "packet_received"} <= {r["name"].rpartition(":")[2] for r in records[1:]}
