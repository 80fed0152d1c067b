# SPDX-License-Identifier: MIT
"""Fixtures of the tests of images: what is tested has been built (images/test), a repository, an origin."""
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))  # harness.py, which finds origin.py
import harness  # noqa: E402
from origin import Origin  # noqa: E402

MADE = ROOT / "build/images"


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("The tests of images run containers and make file systems: run them as root.", returncode=2)


@pytest.fixture
def origin():
    made = Origin()
    yield made
    made.close()


@pytest.fixture
def repository(tmp_path):
    """A repository that others than root can read, too."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    return harness.Repository(tmp_path / "repository")
