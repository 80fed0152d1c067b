# SPDX-License-Identifier: MIT
"""Every case of cases/, and that every requirement of rfc9111.yaml names cases that are there."""
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import harness  # noqa: E402
from driver import Runner, ScriptedOrigin, exchange_http1, exchange_http2, exchange_http3, load_cases  # noqa: E402

CASES = load_cases()
REQUIREMENTS = yaml.safe_load((HERE / "rfc9111.yaml").read_text())


@pytest.fixture(scope="module")
def edge_and_origin(tmp_path_factory):
    """An edge that adds nothing of its own to RFC 9111: everything forwarded, all of the query in the key, no TTL."""
    folder = tmp_path_factory.mktemp("conformance")
    origin = ScriptedOrigin()
    repository = harness.Repository(folder / "repository")
    repository.put("edge.yaml",
                   harness.distribution(origin.port, httpVersion="http2and3", default=harness.behavior(
                       allowedMethods=["ALL"], originRequestPolicy="Managed-AllViewer")),
                   harness.cache_policy(minimum="0s", default="0s", maximum="365d", queryStrings={"behavior": "all"}))
    repository.commit("plain")
    edge = harness.Edge(repository.path, folder / "state")
    yield edge, origin
    edge.stop()
    origin.close()


EXCHANGES = {"http1": exchange_http1, "http2": exchange_http2, "http3": exchange_http3}


@pytest.mark.parametrize("identifier, protocol", [(name, protocol) for name, case in CASES.items() for protocol in EXCHANGES
                                                  if case.get("only", protocol) == protocol])
def test_case(edge_and_origin, identifier, protocol):
    edge, origin = edge_and_origin
    exchange = EXCHANGES[protocol]
    Runner(edge.https if protocol == "http3" else edge.http, origin, exchange).run(identifier, CASES[identifier])


@pytest.mark.parametrize("number", range(len(REQUIREMENTS)))
def test_requirement_names_cases(number):
    row = REQUIREMENTS[number]
    assert row["section"] and row["requirement"] and row["tests"], row
    unknown = [name for name in row["tests"] if not any(
        case == name or name.endswith("*") and case.startswith(name[:-1]) for case in CASES)]
    assert not unknown, f"{row['section']}: no such cases: {unknown}"
