# SPDX-License-Identifier: MIT
"""A repository of 50,000 files, of which a few are the configuration of an edge."""
import json
import subprocess

import pytest

from harness import cache_policy, distribution, header_policy, headgate, behavior, memory

FILES = 50_000
FOLDERS = 500


@pytest.fixture
def large(repository, origin):
    """Made by git fast-import, which writes no working folder: files of an application, and three specs."""
    origin.page("/page", "one")
    specs = {"edge/shop.yaml": distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), "edge/policy.yaml": cache_policy(),
             "edge/mark.yaml": header_policy(X_Mark="one")}
    stream = ["commit refs/heads/main", "committer Test <test@localhost> 1700000000 +0000", "data 5", "files"]
    for number in range(FILES - len(specs)):
        content = f"file {number}\n" + "x" * (number % 2000)
        stream += [f"M 100644 inline app/{number % FOLDERS}/{number}.txt", f"data {len(content)}", content]
    for path, spec in specs.items():
        content = json.dumps(spec)
        stream += [f"M 100644 inline {path}", f"data {len(content)}", content]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository.path, input="\n".join(stream) + "\n", text=True, check=True)
    return repository


def change(repository, path, resource):
    """One file changes; nothing else is touched. The commit."""
    content = json.dumps(resource)
    stream = ["commit refs/heads/main", "committer Test <test@localhost> 1700000100 +0000", "data 6", "change", "from refs/heads/main^0",
              f"M 100644 inline {path}", f"data {len(content)}", content]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository.path, input="\n".join(stream) + "\n", text=True, check=True)
    return repository.git("rev-parse", "main")


def test_a_repository_of_50000_files(large, run):
    assert len(large.git("ls-tree", "-r", "--name-only", "main").splitlines()) == FILES
    headgate("validate", "main", cwd=large.path, check=0)
    edge = run("--path", "edge")
    assert edge.get("/page").headers["x-mark"] == "one"
    first = memory(edge, "VmHWM")
    assert first < 400 << 20
    for number in range(5):
        commit = change(large, "edge/mark.yaml", header_policy(X_Mark=f"change {number}"))
        edge.reconcile()
        edge.wait(commit)
        assert edge.get("/page").headers["x-mark"] == f"change {number}"
    assert memory(edge, "VmHWM") < first + (64 << 20)
