# SPDX-License-Identifier: MIT
"""HTTP/2 over the wire, frame by frame: each case of the three tables, over TLS and, by prior knowledge, without."""
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "support")]
import harness  # noqa: E402
import http2_frames  # noqa: E402
import http2_hpack  # noqa: E402
import http2_messages  # noqa: E402
import http2_streams  # noqa: E402
from http2_cases import RecordingClient  # noqa: E402
from origin import Origin, Reply  # noqa: E402

TABLES = [module.table.cases for module in (http2_streams, http2_frames, http2_messages, http2_hpack)]
CASES = {name: case for table in TABLES for name, case in table.items()}


def echo(request):
    return Reply(body=request.body, headers={"Cache-Control": "no-store"})


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http2")
    origin = Origin()
    origin.page("/", b"x" * 1024)
    origin.route("/echo", echo)
    repository = harness.Repository(folder / "repository")
    repository.put("edge.yaml", harness.distribution(origin.port, httpVersion="http2", default=harness.behavior(allowedMethods=["ALL"])),
                   harness.cache_policy())
    repository.commit("plain")
    edge = harness.Edge(repository.path, folder / "state")
    yield edge
    edge.stop()
    origin.close()


@pytest.mark.parametrize("transport", ["tls", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_case(edge, name, transport):
    address = edge.https if transport == "tls" else edge.http
    case = CASES[name]
    preface = getattr(case, "preface", None)
    if transport == "plain":
        preface = getattr(case, "plain_preface", preface)  # what does not begin as HTTP/2 is HTTP/1
    client = RecordingClient(int(address.rsplit(":", 1)[1]), harness.DEADLINE, preface=not preface, tls=transport == "tls")
    try:
        if preface:
            client.send(preface)
        case(client)
    finally:
        client.close()


def test_every_case_of_the_suite_is_there():
    """As many as h2spec 2.6 has (one of them if it is told to be strict), and none in the place of another."""
    assert len(CASES) == sum(len(table) for table in TABLES) >= 147
