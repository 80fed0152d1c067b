# SPDX-License-Identifier: MIT
"""Purges by what objects are, by the urgent path, by date; undone, swept and counted."""
import datetime
import json
import threading

import pytest

from harness import DEADLINE, behavior, invalidation, resource, until
from origin import Reply


def purge(edge, *arguments, check=0, env=None):
    return edge.command("purge", "shop", *arguments, check=check)


def entries(edge):
    return {entry["id"]: entry for entry in json.loads(edge.command("get", "invalidations", "--json", check=0).stdout)}


def moment(seconds):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(edge, *paths):
    for path in paths:
        edge.get(path)
        assert edge.get(path).is_hit, path


def test_the_urgent_path_is_in_force_when_it_returns_on_every_worker(serve, origin):
    origin.page("/page", "one")
    edge = serve(flags=("--threads", "4"))
    fill(edge, "/page")
    origin.page("/page", "two")
    done = json.loads(purge(edge, "/page", "--mode", "delete", "--id", "now", "--json").stdout)
    assert (done["id"], done["state"], done["source"]) == ("now", "Active", "api")
    for _ in range(16):  # connections spread over the workers
        assert edge.get("/page").body == b"two"
    assert [e["invalidations"][0]["id"] for e in edge.events() if e["type"] == "invalidated"] == ["now"]
    assert edge.metric("headgate_invalidation_requests_total") == {'source="api",outcome="created"': 1}
    again = purge(edge, "/page", "--mode", "delete", "--id", "now")
    assert "now is in force" in again.stdout
    assert edge.get("/page").is_hit  # the same id: nothing is done
    other = purge(edge, "/other", "--id", "now", check=1)
    assert "InvalidationDigestMismatch" in other.stderr


@pytest.mark.parametrize("arguments,gone", [
    (["--tag", "Product:42"], {"/image", "/cart"}), (["#product:42", "/page"], {"/image", "/cart", "/page"}),
    (["--content-type", "image/*"], {"/image"}), (["--status", "404"], {"/missing"}), (["--behavior", "/cart*"], {"/cart"}),
    (["/*", "--content-type", "text/html"], {"/page"}), (["/*age"], {"/page", "/image"}), (["--host", "shop.test"], {"/image", "/cart", "/page", "/missing"}),
    (["--stored-before", "2001-01-01T00:00:00Z"], set()), (["--stored-before", "2200-01-01T00:00:00Z"], {"/image", "/cart", "/page", "/missing"})])
def test_what_can_be_selected(serve, origin, arguments, gone):
    origin.page("/image", content_type="image/webp", surrogate_key="other product:42")
    origin.page("/cart", content_type="application/json", cache_tag="PRODUCT:42, x")
    origin.page("/page", content_type="text/html; charset=utf-8")
    origin.page("/missing", status=404, cache_control="max-age=60")
    paths = ("/image", "/cart", "/page", "/missing")
    edge = serve(cacheBehaviors=[{"pathPattern": "/cart*", **behavior("main")}])
    fill(edge, *paths)
    purge(edge, *arguments, "--mode", "delete")
    assert {path for path in paths if not edge.get(path).is_hit} == gone


def test_by_tag_in_a_commit_and_what_a_commit_has_fetched(serve, origin, repository):
    for path in ("/a", "/b"):
        origin.page(path, cache_tag=path[1:])
    edge = serve()
    first = repository.git("rev-parse", "HEAD")
    fill(edge, "/a")
    edge.apply(repository, "tag.yaml", resource("Invalidation", "by-tag", {"distribution": "shop", "select": {"tags": ["A"]}}))
    assert not edge.get("/a").is_hit
    fill(edge, "/b")
    second = repository.git("rev-parse", "HEAD")
    purge(edge, "--fetched-under", first)
    assert edge.get("/a").is_hit and edge.get("/b").is_hit
    purge(edge, "--fetched-under", second[:12])
    assert not edge.get("/a").is_hit and not edge.get("/b").is_hit


def test_a_purge_is_undone_unless_the_object_was_fetched_again(serve, origin):
    for path in ("/a", "/b"):
        origin.page(path, "one")
    edge = serve()
    fill(edge, "/a", "/b")
    for path in ("/a", "/b"):
        origin.page(path, "two")
    purge(edge, "/*", "--mode", "delete", "--retain-for", "1h", "--id", "oops")
    assert edge.get("/b").body == b"two"
    purge(edge, "--undo", "oops", "--id", "sorry")
    answer = edge.get("/a")
    assert (answer.is_hit, answer.body) == (True, b"one")
    assert edge.get("/b").body == b"two"
    assert entries(edge)["oops"]["undone"] and entries(edge)["sorry"]["undoes"] == "oops"
    purge(edge, "/a", "--mode", "delete", "--id", "final")
    assert "retainFor" in purge(edge, "--undo", "final", check=1).stderr
    assert "no invalidation" in purge(edge, "--undo", "nothing", check=1).stderr


def test_an_undo_by_commit_that_cannot_be_done_is_rejected_with_the_reason(serve, origin, repository):
    edge = serve()
    edge.apply(repository, "undo.yaml", resource("Invalidation", "undo", {"distribution": "shop", "undoes": "nothing"}))
    assert entries(edge)["undo"]["state"] == "Rejected" and "nothing" in entries(edge)["undo"]["rejected"]


def test_a_sweep_frees_memory_counts_and_retires(serve, origin):
    origin.otherwise(Reply(body=b"x" * 10000))
    edge = serve()
    fill(edge, *[f"/{n}" for n in range(20)], "/other/1")
    done = json.loads(purge(edge, "/1*", "--mode", "delete", "--wait", "--json", "--id", "sweep").stdout)
    assert (done["state"], done["matched"]) == ("Swept", 11)
    assert done["freedBytes"] > 11 * 10000
    assert edge.metric("headgate_cache_objects")[""] == 10
    assert edge.metric("headgate_invalidation_active")[""] == 0
    assert edge.metric("headgate_invalidation_freed_bytes_total")[""] == done["freedBytes"]
    swept = [e for e in edge.events() if e["type"] == "swept"]
    assert swept[0]["invalidations"] == [{"id": "sweep", "matched": 11, "freedBytes": done["freedBytes"]}]
    edge.stop()
    edge.start()
    assert entries(edge)["sweep"]["matched"] == 11


@pytest.mark.http1
def test_a_soft_one_that_was_swept_still_revalidates_and_a_body_that_came_late_does_not_return(serve, origin):
    release = threading.Event()
    origin.route("/soft", Reply(body=b"soft", etag='"1"'))
    origin.route("/late", Reply(body=b"old", wait_after=(1, release)), Reply(body=b"new"))
    edge = serve()
    fill(edge, "/soft")
    client = edge.connect()
    client.connection.request("GET", "/late", headers={"Host": "shop.test"})
    response = client.connection.getresponse()
    assert response.read(1) == b"o"
    purge(edge, "/*", "--id", "all")
    release.set()
    assert response.read() == b"ld"
    client.close()
    until(lambda: entries(edge)["all"]["state"] == "Swept", "the sweep")
    assert edge.get("/late").body == b"new"
    assert edge.get("/soft").body == b"soft"
    assert [r.header("If-None-Match") for r in origin.requests_to("/soft")] == [None, '"1"']
    assert edge.get("/soft").is_hit


def test_one_for_later_is_pending_until_then_and_goes_with_its_file(serve, origin, repository):
    origin.page("/page")
    edge = serve()
    fill(edge, "/page")
    repository.put("soon.yaml", invalidation("soon", "/page", mode="delete", notBefore=moment(1)))
    repository.put("never.yaml", invalidation("never", "/page", notBefore=moment(3600)))
    edge.apply(repository)
    assert entries(edge)["never"]["state"] == "Pending"
    until(lambda: entries(edge)["soon"]["state"] != "Pending", "the moment")
    assert not edge.get("/page").is_hit
    repository.remove("never.yaml")
    edge.apply(repository)
    assert "never" not in entries(edge)


def test_a_schedule_runs_at_its_ticks(serve, origin, repository):
    edge = serve()
    edge.apply(repository, "schedule.yaml", resource("InvalidationSchedule", "often", {
        "distribution": "shop", "cron": "0 6 * * *", "select": {"paths": ["/*"]}}))
    listed = [entry for name, entry in entries(edge).items() if name.startswith("often@")]
    assert [entry["state"] for entry in listed] == ["Pending"]
    assert listed[0]["id"].endswith("T06:00Z") and listed[0]["notBefore"].endswith("T06:00:00Z")


def test_more_globs_than_are_kept_are_refused_here_and_in_git(serve, origin, repository):
    edge = serve()
    held = json.loads(purge(edge, *[f"/{n}*x" for n in range(200)], "--retain-for", "1h", "--json", "--id", "globs").stdout)
    assert held["state"] == "Active"
    # Until the sweep, which finds that nothing is left to be undone.
    refused = purge(edge, *[f"/{n}*y" for n in range(57)], check=1)
    assert "256" in refused.stderr
    purge(edge, *[f"/{n}*y" for n in range(56)])
    purge(edge, "/exact", "/prefix*", "--tag", "tag")  # these have no limit
    repository.put("globs.yaml", invalidation("too-many", *[f"/{n}*z" for n in range(57)]))
    status = edge.refuse(repository)
    assert "HG1503" in json.dumps(status)
    until(lambda: not edge.metric("headgate_invalidation_active")[""], "the sweep")
    edge.reconcile()
    commit = repository.git("rev-parse", "HEAD")
    until(lambda: edge.status()["revisions"]["applied"] == commit, "the commit that was refused before")
    assert "too-many" in entries(edge)


def test_a_commit_instead(serve, origin, repository, tmp_path):
    origin.page("/page")
    edge = serve()
    fill(edge, "/page")
    for name, value in (("user.name", "Test"), ("user.email", "test@localhost")):
        repository.git("config", name, value)
    purge(edge, "/page", "--tag", "a", "--id", "by-git", "--commit", "--repo", repository.path)
    assert edge.get("/page").is_hit
    edge.reconcile()
    edge.wait(repository.git("rev-parse", "HEAD"))
    assert not edge.get("/page").is_hit
    assert entries(edge)["by-git"]["source"] == "git"
    purge(edge, "/page", "--tag", "a", "--id", "by-git")
    assert edge.get("/page").is_hit  # the same id by the other way


@pytest.mark.parametrize("arguments,code,said", [
    ([], 2, "one of"), (["/a b"], 2, "percent-encode"), (["--status", "abc"], 2, "statusCodes"), (["--mode", "soft", "/a"], 2, "revalidate"),
    (["--behavior", "/nothing"], 1, "behavior"), (["--stored-before", "yesterday"], 2, "2026-11-20T10:00:00Z"),
    (["--fetched-under", "HEAD"], 2, "hexadecimal")])
def test_bad_input_is_refused_with_what_to_do(serve, origin, arguments, code, said):
    edge = serve()
    assert said in purge(edge, *arguments, check=code).stderr
    assert entries(edge) == {}


def test_a_distribution_that_is_not_there_and_an_edge_that_is_not_there(serve, origin):
    edge = serve()
    assert "nothing" in edge.command("purge", "nothing", "/a", check=1).stderr
    edge.kill()
    assert "headgate run" in edge.command("purge", "shop", "/a", check=1).stderr


def test_the_endpoint_asks_for_the_token_and_takes_no_foreign_page(serve, origin, run, repository):
    edge = serve()
    body = json.dumps(invalidation("x", "/a"))
    assert edge.admin_get("/invalidations", "POST", body, {"Origin": "https://evil.test"}).status == 403
    assert edge.admin_get("/invalidations", "POST", body).status == 201
    edge.stop()
    guarded = run(env={"HEADGATE_ADMIN_TOKEN": "secret"}, state="other")
    assert guarded.admin_get("/invalidations", "POST", body).status == 401
    assert guarded.admin_get("/2020-05-31/distribution/shop/invalidation", "POST", "x").status == 401
    assert guarded.admin_get("/invalidations", "POST", body, {"Authorization": "Bearer secret"}).status == 201


def test_a_purge_survives_a_crash_right_after_it_was_answered(serve, origin):
    edge = serve()
    purge(edge, "/page", "--id", "kept")
    edge.kill()
    edge.start()
    assert entries(edge)["kept"]["state"] == "Swept"
    assert "InvalidationDigestMismatch" in purge(edge, "/other", "--id", "kept", check=1).stderr
