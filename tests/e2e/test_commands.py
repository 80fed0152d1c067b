# SPDX-License-Identifier: MIT
"""Subcommands that need no daemon, and the example that comes with the project."""
import json
import re
import shutil
import subprocess

import pytest

from harness import BINARY, ROOT, Repository, cache_policy, distribution, headgate

STOREFRONT = ROOT / "examples/storefront"


@pytest.fixture
def storefront(tmp_path):
    """The example as a git repository."""
    repository = Repository(tmp_path / "storefront")
    shutil.copytree(STOREFRONT, repository.path, dirs_exist_ok=True)
    repository.commit("storefront")
    return repository


def test_the_example_is_valid_without_a_warning_and_meets_its_expectations(storefront):
    done = headgate("validate", storefront.path, check=0)
    assert not re.search(r"error|warning", done.stdout), done.stdout
    done = headgate("test", storefront.path, check=0)
    assert re.search(r"\b16\b", done.stdout), done.stdout


def test_the_example_runs_with_the_demo_origin(storefront, run):
    origins = []
    try:
        for name, port in (("primary", 9001), ("secondary", 9002)):
            process = subprocess.Popen([BINARY, "demo-origin", "--listen", "127.0.0.1:0", "--name", name], stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            origins.append(process)
            line = process.stdout.readline()
            real = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert real, line
            for file in storefront.path.glob("distributions/*/distribution.yaml"):
                file.write_text(file.read_text().replace(str(port), real[1]))
        storefront.commit("ports")
        edge = run(source=storefront.path)
        host = "shop.localhost"
        assert edge.get("/", host=host).status == 200
        page = edge.get("/", host=host)
        assert page.is_hit and page.headers["x-storefront"] == "hello"
        assert edge.get("/", host="whoever.test").status == 200
        assert edge.get("/api/products?page=1", host=host).status == 200
        assert edge.get("/account/", host=host).status == 301
        assert edge.get("/no-such-page", host=host).status == 404
        origins[0].kill()
        assert edge.get("/api/products?page=2", host=host).status == 200
        origins[1].kill()
        gone = edge.get("/api/products?page=3", host=host)
        assert (gone.status, b"Back in a moment" in gone.body) == (503, True)
    finally:
        for process in origins:
            process.kill()
            process.wait()


def test_explain_tells_the_whole_decision(storefront):
    done = headgate("explain", "GET", "https://shop.example.com/api/products?page=2&utm=x", "--country", "DE", "--repo",
                    storefront.path, check=0)
    for word in ("shop", "/api/*", "page=2", "storefront"):
        assert word in done.stdout, done.stdout
    done = headgate("explain", "GET", "https://shop.example.com/", "--country", "KP", "--repo", storefront.path, check=0)
    assert "geo" in done.stdout and "403" in done.stdout


def test_init_makes_a_valid_repository_and_never_overwrites(tmp_path):
    headgate("init", tmp_path / "new", check=0)
    headgate("validate", tmp_path / "new", check=0)
    headgate("test", tmp_path / "new", check=0)
    kept = {f: f.read_bytes() for f in (tmp_path / "new").rglob("*") if f.is_file()}
    assert kept
    for file in kept:
        file.write_text("mine")
    assert headgate("init", tmp_path / "new").returncode != 0
    assert all(f.read_text() == "mine" for f in kept)


def test_schema_is_a_json_schema_that_the_example_names(tmp_path):
    schema = json.loads(headgate("schema", check=0).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/") or schema["$schema"].startswith("http://json-schema.org/")
    text = json.dumps(schema)
    for kind in ("Distribution", "CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy", "Invalidation", "Expect", "Fleet"):
        assert kind in text


def test_validate_of_what_is_not_there_is_exit_2(tmp_path):
    done = headgate("validate", tmp_path / "nowhere", check=2)
    assert "nowhere" in done.stderr + done.stdout


def test_a_failed_expectation_is_exit_3_and_says_where(tmp_path):
    repository = Repository(tmp_path / "r")
    repository.put("shop.yaml", distribution(9, aliases=["shop.test"]), cache_policy())
    repository.write("expect.yaml", """apiVersion: headgate/v1
kind: Expect
metadata: { name: routing }
spec:
  distribution: shop
  cases:
    - request: { url: "http://shop.test/" }
      expect: { status: 403 }
""")
    done = headgate("test", repository.path, check=3)
    assert "expect.yaml:7" in done.stdout and "403" in done.stdout
