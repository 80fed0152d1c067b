# SPDX-License-Identifier: MIT
"""Fixtures: an origin, a repository, and edges that are stopped and checked when the test is over."""
import os
import resource as rlimit

import pytest

import harness  # noqa: I001, it says where origin.py is
from origin import Origin


def pytest_sessionstart(session):
    if not os.access(harness.BINARY, os.X_OK):
        pytest.exit(f"{harness.BINARY} is not there. Run: ./dev build, or set HEADGATE_BINARY", returncode=2)


def pytest_configure(config):
    config.addinivalue_line("markers", "http1: is about HTTP/1.1 or cleartext, and makes no sense over HTTP/3")


def pytest_collection_modifyitems(config, items):
    if not harness.HTTP3:
        return
    removed = [item for item in items if item.get_closest_marker("http1")]
    config.hook.pytest_deselected(items=removed)
    items[:] = [item for item in items if item not in removed]


@pytest.fixture
def new_origin():
    """Makes origins; they end with the test."""
    origins = []

    def make():
        origins.append(Origin())
        return origins[-1]

    yield make
    for made in origins:
        made.close()


@pytest.fixture
def origin(new_origin):
    return new_origin()


@pytest.fixture
def repository(tmp_path):
    return harness.Repository(tmp_path / "repository")


@pytest.fixture
def run(repository, tmp_path, request):
    """Starts `headgate run` on the repository (`source=False`: the flags say on what). At the end: SIGTERM, exit 0, nothing from a sanitizer."""
    edges = request.node.headgate_edges = []

    def start(*flags, source=None, state="state", **options):
        edges.append(harness.Edge(repository.path if source is None else source, tmp_path / state, *flags, **options))
        return edges[-1]

    yield start
    failures = []
    for edge in edges:
        try:
            edge.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def serve(repository, origin, run):
    """Commits a distribution for `origin` (fields of its spec as keywords; resources besides it) and runs an edge."""

    def start(*resources, flags=(), origins=None, **spec):
        repository.put("shop.yaml", harness.distribution(origins or origin.port, **spec), harness.cache_policy(), *resources)
        repository.commit("shop")
        return run(*flags)

    return start


@pytest.fixture
def many_files():
    """Room for as many sockets as the test opens."""
    soft, hard = rlimit.getrlimit(rlimit.RLIMIT_NOFILE)
    rlimit.setrlimit(rlimit.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    rlimit.setrlimit(rlimit.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def clients(many_files):
    sockets = []
    yield sockets
    for one in sockets:
        one.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the edges said, when a test fails."""
    report = (yield).get_result()
    if report.failed:
        for number, edge in enumerate(getattr(item, "headgate_edges", ())):
            report.sections.append((f"headgate run {number}", edge.output.text()[-20000:]))
