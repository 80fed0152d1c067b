# SPDX-License-Identifier: MIT
"""Purges by commit: exactly once, in the same swap as the configuration."""
import json
import threading

import pytest

from harness import invalidation
from origin import Reply


def test_an_invalidation_makes_the_next_request_a_miss_and_does_not_run_again(serve, origin, repository):
    origin.page("/page", "one")
    origin.page("/other")
    edge = serve()
    for path in ("/page", "/other"):
        edge.get(path)
        assert edge.get(path).is_hit
    origin.page("/page", "two")
    edge.apply(repository, "purge.yaml", invalidation("first", "/page", mode="delete"))
    answer = edge.get("/page")
    assert (answer.is_hit, answer.body) == (False, b"two")
    assert edge.get("/page").is_hit
    assert edge.get("/other").is_hit  # what is not named stays
    edge.apply(repository)  # another commit with the same file
    assert edge.get("/page").is_hit
    repository.remove("purge.yaml")
    edge.apply(repository)
    repository.put("again.yaml", invalidation("first", "/page", mode="delete"))
    edge.apply(repository)  # the same id comes back: a fact that is known
    assert edge.get("/page").is_hit


def test_a_restart_does_not_run_it_again(serve, origin, repository):
    origin.page("/page")
    edge = serve()
    edge.apply(repository, "purge.yaml", invalidation("first", "/page"))
    ran = [e for e in edge.events() if "first" in json.dumps(e)]
    assert ran
    edge.stop()
    edge.start()
    edge.get("/page")
    assert edge.get("/page").is_hit
    edge.apply(repository)
    assert edge.get("/page").is_hit
    assert [e for e in edge.events() if "first" in json.dumps(e)] == ran


def test_a_soft_one_revalidates(serve, origin, repository):
    origin.route("/page", Reply(body=b"body", etag='"1"'))
    edge = serve()
    edge.get("/page")
    edge.apply(repository, "purge.yaml", invalidation("soft", "/page"))
    assert edge.get("/page").body == b"body"
    assert [r.header("If-None-Match") for r in origin.requests_to("/page")] == [None, '"1"']
    assert edge.get("/page").is_hit
    edge.apply(repository, "purge2.yaml", invalidation("hard", "/page", mode="delete"))
    assert edge.get("/page").body == b"body"
    assert origin.requests_to("/page")[-1].header("If-None-Match") is None


@pytest.mark.parametrize("path,gone", [
    ("/a/1", {"/a/1"}), ("/a/*", {"/a/1", "/a/2"}), ("/a*", {"/a/1", "/a/2", "/ab"}), ("/*", {"/a/1", "/a/2", "/ab", "/b"}),
    ("*", {"/a/1", "/a/2", "/ab", "/b"})])
def test_exact_prefix_and_all(serve, origin, repository, path, gone):
    paths = ("/a/1", "/a/2", "/ab", "/b")
    edge = serve()
    for each in paths:
        origin.page(each)
        edge.get(each)
    edge.apply(repository, "purge.yaml", invalidation("some", path, mode="delete"))
    assert {each for each in paths if not edge.get(each).is_hit} == gone


def test_the_same_name_with_other_content_is_refused(serve, origin, repository):
    edge = serve()
    edge.apply(repository, "purge.yaml", invalidation("first", "/a"))
    repository.put("purge.yaml", invalidation("first", "/b"))
    status = edge.refuse(repository)
    assert "purge.yaml" in json.dumps(status) and "first" in json.dumps(status)
    repository.put("purge.yaml", invalidation("first", "/b", nonce="2"))
    edge.apply(repository)


@pytest.mark.http1
def test_a_body_that_was_being_fetched_when_the_purge_came_is_not_kept(serve, origin, repository):
    release = threading.Event()
    origin.route("/page", Reply(body=b"old", wait_after=(1, release)), Reply(body=b"new"))
    edge = serve()
    client = edge.connect()
    client.connection.request("GET", "/page", headers={"Host": "shop.test"})
    response = client.connection.getresponse()
    assert response.read(1) == b"o"
    edge.apply(repository, "purge.yaml", invalidation("midway", "/page", mode="delete"))
    release.set()
    assert response.read() == b"ld"  # whoever was attached gets it
    client.close()
    assert edge.get("/page").body == b"new"


def test_get_invalidations_lists_them(serve, origin, repository):
    edge = serve()
    edge.apply(repository, "purge.yaml", invalidation("first", "/a"))
    assert "first" in edge.command("get", "invalidations", check=0).stdout
