# SPDX-License-Identifier: MIT
"""HTTP/3 across the end of a process: what the next one knows, and what clients are told."""
import stat

import h3_raw as h3
from h3_raw import headers
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture
from test_http3_frames import connect_to  # noqa: F401, a fixture
from test_http3_paths import events, flooded, patient  # noqa: F401, a fixture


def restarted(edge):
    """Killed, and started again on the same port."""
    address = edge.https
    edge.kill()
    at = edge.arguments.index("--https")
    edge.arguments[at + 1] = address
    edge.start()
    assert edge.https == address
    return edge


def test_clients_of_a_killed_edge_are_told_by_the_next_one(serve3, connect_to, origin):
    origin.page("/page", "hello\n")
    edge = serve3()
    client = connect_to(edge)
    assert client.request().status == 200
    restarted(edge)
    client.open("bidi", headers(), fin=True)
    client.wait(lambda: client.closed)
    assert events(edge)["stateless_reset"] >= 1
    assert connect_to(edge).request().status == 200


def test_a_token_of_a_killed_edge_is_proof_to_the_next_one(patient, origin, tmp_path):
    origin.page("/page")
    edge = patient()
    token = f"--token-file={tmp_path / 'token'}"
    gtlsclient(edge, token)
    restarted(edge)
    with flooded(edge):
        before = events(edge)["retry"]
        assert "[:status: 200]" in gtlsclient(edge, token)
        assert events(edge)["retry"] == before
        assert "[:status: 200]" in gtlsclient(edge)
        assert events(edge)["retry"] > before


def test_the_seed_is_for_the_owner_only_and_what_is_none_is_refused(serve3, origin):
    origin.page("/page")
    edge = serve3()
    seed = edge.state / "tls/quic-seed"
    assert len(seed.read_bytes()) == 32 and stat.S_IMODE(seed.stat().st_mode) == 0o600
    edge.stop()
    seed.write_bytes(b"short")
    try:
        edge.start(wait=False)
    except AssertionError:
        pass  # it ends before it listens
    assert edge.process.wait(60) != 0
    assert "quic-seed: not a seed of 32 octets" in edge.output.text()
    seed.unlink()
    edge.start()
    assert edge.h3("GET", "/page").status == 200
