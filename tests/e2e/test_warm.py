# SPDX-License-Identifier: MIT
"""Warming: what the edge asks itself for, when, and how it gets through whatever is configured for viewers."""
import datetime
import gzip
import json
import os
import subprocess
import threading

import pytest

from harness import behavior, cache_policy, distribution, headgate, invalidation, origin as an_origin, resource, until, warm_list
from origin import Reply

BROWSER = {"Accept_Encoding": "gzip, deflate, br, zstd"}


def sitemap(*paths, host="shop.test"):
    urls = "".join(f"<url><loc>https://{host}{path}</loc></url>" for path in paths)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'


def asked_for(origin):
    return sorted(request.target for request in origin.requests)


def runs(edge):
    return json.loads(edge.command("get", "warm", "--json", check=0).stdout)["runs"]


def test_at_boot_the_cache_is_filled_before_anybody_asks(serve, origin):
    for path in ("/a", "/b"):
        origin.page(path)
    edge = serve(warm_list("front", "/a", "/b"))
    event, = edge.warmed()
    assert {key: event[key] for key in ("list", "distribution", "trigger", "result", "total", "done", "failed", "alreadyCached")} == {
        "list": "front", "distribution": "shop", "trigger": "boot", "result": "Completed", "total": 2, "done": 2, "failed": 0, "alreadyCached": 0}
    assert edge.get("/a").is_hit and edge.get("/b").is_hit
    edge.stop()
    edge.start()  # the cache is in memory: it is filled again, without a commit
    assert [e["trigger"] for e in edge.warmed(2)] == ["boot", "boot"]
    assert edge.get("/a").is_hit
    assert asked_for(origin) == ["/a", "/a", "/b", "/b"]


def test_many_workers_make_one_run(serve, origin):
    paths = [f"/{n}" for n in range(40)]
    origin.otherwise(Reply(body=b"x", headers={"Cache-Control": "max-age=60"}))
    edge = serve(warm_list("front", *paths, concurrency=16), flags=("--threads", "4"))
    edge.warmed()
    assert asked_for(origin) == sorted(paths)
    assert all(edge.get(path).is_hit for path in paths)


@pytest.mark.http1
@pytest.mark.parametrize("listeners", [{"http": 1, "https": 0}, {"http": 0, "https": 1}, {"http": 1, "https": 1}])
@pytest.mark.parametrize("protocol", ["allow-all", "redirect-to-https", "https-only"])
def test_it_gets_through_whatever_viewers_must_do(repository, origin, run, tmp_path, listeners, protocol):
    """Only TLS, PROXY heads, geo restrictions, no connection left for viewers: a viewer's request finds what was warmed."""
    origin.page("/page")
    repository.put("shop.yaml", distribution(origin.port, aliases=["shop.test"], default=behavior(
        viewerProtocolPolicy=protocol, originRequestPolicy="Managed-AllViewer", restrictions={"geo": {"type": "whitelist", "locations": ["DE"], "unknown": "deny"}})),
        cache_policy(enableAcceptEncodingGzip=True, headers={"behavior": "whitelist", "items": ["CloudFront-Forwarded-Proto"]}),
        warm_list("front", "/page"))
    repository.commit()
    (tmp_path / "edge.yaml").write_text(
        "apiVersion: headgate/v1\nkind: Edge\nspec: { trustedProxies: [127.0.0.1], limits: { maxConnections: 1 } }\n")
    edge = run("--config", tmp_path / "edge.yaml", **listeners)
    event, = edge.warmed()
    assert (event["done"], event["failed"]) == (1, 0), event
    assert (request := origin.requests[0]).header("Host") == "shop.test"
    # A viewer from an allowed country, without the restriction in the way: the next commit lifts it.
    repository.put("shop.yaml", distribution(origin.port, aliases=["shop.test"], default=behavior(
        viewerProtocolPolicy=protocol, originRequestPolicy="Managed-AllViewer")),
        cache_policy(enableAcceptEncodingGzip=True, headers={"behavior": "whitelist", "items": ["CloudFront-Forwarded-Proto"]}))
    edge.apply(repository)
    tls = bool(listeners["https"])
    forwarded = {} if tls or protocol == "allow-all" else {"X_Forwarded_Proto": "https"}
    answer = edge.get("/page", tls=tls, sni="shop.test" if tls else None, **BROWSER, **forwarded)
    assert answer.is_hit, (answer, request.headers)
    assert origin.count() == 1


def test_warm_requests_are_told_from_viewers(serve, origin, tmp_path):
    origin.page("/a")
    log = tmp_path / "access.log"
    edge = serve(warm_list("front", "/a"), flags=("--access-log", log))
    edge.warmed()
    edge.get("/a")
    edge.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    viewer, warm = sorted((line for line in lines if line["target"] == "/a"), key=lambda line: "warming" in line)
    assert (warm["warming"], warm["user_agent"], warm["outcome"], warm["client"]) == (True, "headgate-warm", "miss", "127.0.0.1")
    assert "warming" not in viewer and viewer["outcome"] == "fresh_hit"


def test_they_are_in_metrics_of_their_own(serve, origin):
    origin.page("/a", "abcdef")
    origin.page("/private", cache_control="private")
    edge = serve(warm_list("front", "/a", "/private", "/missing"))
    event, = edge.warmed()
    assert (event["done"], event["failed"], event["notStored"], event["problem"]) == (2, 1, 1, "/missing: 404")
    counts = edge.metric("headgate_warm_requests_total")
    assert {labels.split('outcome="')[1][:-1]: count for labels, count in counts.items()} == {
        "fetched": 1, "already_cached": 0, "not_stored": 1, "failed": 1, "skipped": 0}
    assert edge.metric("headgate_warm_runs_total") == {'distribution="shop",result="Completed"': 1}
    assert edge.metric("headgate_warm_runs_active") == {"": 0} and edge.metric("headgate_warm_requests_pending") == {"": 0}
    assert edge.metric("headgate_requests_total") == {}
    assert edge.metric("headgate_connections_open") == {"": 0}
    assert edge.metric("headgate_origin_requests_total") == {"": 3}


def test_an_error_page_does_not_hide_what_is_wrong(serve, origin):
    edge = serve(warm_list("front", "/missing"), customErrorResponses=[{"errorCode": 404, "responseCode": 200, "inlineBody": "sorry"}])
    event, = edge.warmed()
    assert (event["failed"], event["problem"]) == (1, "/missing: 404")
    assert edge.get("/missing").status == 200


def test_after_a_purge_by_commit_once_it_is_in_force(serve, origin, repository):
    origin.page("/page", "one")
    origin.page("/named", "one")
    edge = serve(warm_list("front", "/page"))
    edge.warmed()
    edge.get("/named")
    for path in ("/page", "/named"):
        origin.page(path, "two")
    edge.apply(repository, "purge.yaml", invalidation("spring", "/*", mode="delete", ttl="30d",
                                                      warm={"paths": ["/named"], "host": "shop.test", "concurrency": 2}))
    ended = edge.warmed(3)
    assert sorted((e.get("list") or e["invalidation"], e["trigger"], e["result"]) for e in ended) == [
        ("front", "boot", "Completed"), ("front", "purge", "Completed"), ("spring", "purge", "Completed")]
    for path in ("/page", "/named"):
        answer = edge.get(path)
        assert (answer.is_hit, answer.body) == (True, b"two")
    edge.apply(repository)  # the same id again is no purge
    edge.stop()
    edge.start()  # nor is it one for an edge that has nothing
    assert [e["trigger"] for e in edge.warmed(4)][3:] == ["boot"]


def test_after_a_purge_without_a_commit(serve, origin):
    origin.page("/page", "one")
    edge = serve(warm_list("front", "/page", on=["purge"]))
    assert not edge.get("/page").is_hit  # not at boot
    origin.page("/page", "two")
    edge.command("purge", "shop", "/page", "--mode", "delete", check=0)
    assert edge.warmed()[0]["trigger"] == "purge"
    answer = edge.get("/page")
    assert (answer.is_hit, answer.body) == (True, b"two")
    body = "\n".join(["apiVersion: headgate/v1", "kind: Invalidation", "metadata: { name: api }",
                      "spec: { distribution: shop, select: { paths: [/x] }, warm: { paths: [/x] } }"])
    refused = edge.admin_get("/invalidations", "POST", body)
    assert refused.status == 400 and b"warm.host is missing" in refused.body
    origin.page("/x")
    accepted = edge.admin_get("/invalidations", "POST", body.replace("[/x] } }", "[/x], host: shop.test } }"))
    assert accepted.status == 201
    edge.warmed(3)
    assert edge.get("/x").is_hit


def test_a_commit_that_brings_or_changes_a_list_runs_it_and_no_other(serve, origin, repository):
    origin.otherwise(Reply(body=b"x", headers={"Cache-Control": "max-age=600"}))
    edge = serve()
    edge.apply(repository, "warm.yaml", warm_list("front", "/a"))
    assert edge.warmed()[0]["trigger"] == "activation"
    edge.apply(repository, "other.yaml", resource("Fleet", "fleet", {}))
    edge.apply(repository, "warm.yaml", warm_list("front", "/a", "/b"))
    event = edge.warmed(2)[1]
    assert (event["trigger"], event["total"], event["alreadyCached"]) == ("activation", 2, 1)
    repository.put("shop.yaml", distribution(origin.port), cache_policy(default="2h", queryStrings={"behavior": "all"}))
    edge.apply(repository)  # other keys, perhaps
    assert edge.warmed(3)[2]["trigger"] == "activation"
    assert len(edge.warmed()) == 3


def test_a_swap_replaces_the_run_of_a_list_that_has_changed(serve, origin, repository):
    gate = threading.Event()
    origin.route("/slow", Reply(body=b"x", wait=gate))
    origin.page("/new")
    edge = serve(warm_list("front", "/slow", "/never", concurrency=1))
    assert origin.wait_count("/slow", 1)
    edge.apply(repository, "shop.yaml", distribution(origin.port), cache_policy(), warm_list("front", "/new", concurrency=1))
    first, second = edge.warmed(2)
    assert (first["result"], second["result"], second["trigger"]) == ("Replaced", "Completed", "boot")
    assert origin.count("/never") == 0 and edge.get("/new").is_hit
    gate.set()


def test_at_a_moment(serve, origin):
    origin.page("/event")
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    edge = serve(warm_list("event", "/event", notBefore=moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
    event, = edge.warmed()
    # On a machine that is busy until then, its boot is what comes after the moment.
    assert event["trigger"] in ("notBefore", "boot") and event["time"] >= moment.strftime("%Y-%m-%dT%H:%M:%S")
    assert edge.get("/event").is_hit


def test_sitemaps_manifests_and_playlists(serve, origin, repository):
    page = Reply(body=b"x", headers={"Cache-Control": "max-age=600"})
    origin.otherwise(page)
    index = "".join(f"<sitemap><loc>http://shop.test/{name}</loc></sitemap>" for name in ("one.xml", "two.xml.gz"))
    origin.page("/sitemap.xml", f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{index}</sitemapindex>')
    origin.page("/one.xml", sitemap("/p1", "/p2?a=1&amp;b=2"))
    origin.page("/two.xml.gz", gzip.compress(sitemap("/p3").encode()))
    origin.page("/live/main.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
    origin.page("/live/low.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4,\n1.m4s\n")
    repository.write("warm/launch.txt", "# for the launch\n/launch\n")
    edge = serve(warm_list("site", sitemap="/sitemap.xml"), warm_list("video", manifest="/live/main.m3u8"),
                 warm_list("launch", manifest={"file": "warm/launch.txt"}), default=behavior(compress=True))
    assert sorted((e["list"], e["total"], e["done"]) for e in edge.warmed(3)) == [("launch", 1, 1), ("site", 6, 6), ("video", 4, 4)]
    for path in ("/p1", "/p2?a=1&b=2", "/p3", "/live/1.m4s", "/live/init.mp4", "/launch"):
        assert edge.get(path, **BROWSER).is_hit, path


@pytest.mark.parametrize("reply, problem", [
    (Reply(body=b"<html><body>soft 404</body></html>"), "neither a urlset nor a sitemapindex"), (Reply(body=b"<urlset><url>"), "line 1: no element found"),
    (Reply(body=b'<!DOCTYPE x [<!ENTITY a "b">]><urlset/>'), "DOCTYPE"), (Reply(status=404), "/sitemap.xml: 404"),
    (Reply(body=gzip.compress(b"<urlset>" + b" " * (51 << 20))), "larger than 50 MiB")])
def test_a_sitemap_that_is_none(serve, origin, reply, problem):
    origin.route("/sitemap.xml", reply)
    origin.page("/a")
    edge = serve(warm_list("site", "/a", sitemap="/sitemap.xml"))
    event, = edge.warmed()
    assert (event["done"], event["failed"]) == (1, 1) and problem in event["problem"], event
    assert edge.get("/a").is_hit


def test_urls_of_others_are_passed_over(serve, origin, repository, new_origin):
    other = new_origin()
    origin.page("/sitemap.xml", sitemap("/a", host="evil.test"))
    repository.put("other.yaml", distribution([an_origin("web", other.port)], name="other", aliases=["evil.test"]))
    edge = serve(warm_list("site", sitemap="/sitemap.xml"), aliases=["shop.test"])
    event, = edge.warmed()
    assert (event["total"], event["done"], event["skipped"]) == (2, 1, 1)
    assert other.count() == 0


def test_an_origin_that_fails_is_left_alone_and_then_asked_again(serve, origin):
    """Five failures in a row make it sick (its breaker); one of the list's is enough for a pause."""
    paths = [f"/{n}" for n in range(30)]
    sick = threading.Event()
    sick.set()
    origin.otherwise(lambda request: Reply(status=503) if sick.is_set() else Reply(body=b"x", headers={"Cache-Control": "max-age=60"}))
    edge = serve(warm_list("front", *paths, concurrency=4))
    until(lambda: runs(edge)[0]["state"] == "Paused", "a pause")
    assert "503" in runs(edge)[0]["problem"]
    assert "Warming     front: Paused" in edge.command("status").stdout
    sick.clear()
    event, = edge.warmed()
    assert (event["result"], event["done"]) == ("Completed", 30)
    assert origin.count() < 30 + 16  # it was not asked for all of them while it failed


def test_an_origin_that_is_known_to_be_down_is_not_asked(serve, origin):
    """A viewer has found out; the next probe that the breaker allows is an hour away."""
    origin.otherwise(Reply(status=503))
    edge = serve(warm_list("front", "/warm", on=[]), origins=[an_origin("a", origin.port), an_origin("b", origin.port)], originGroups=[
        {"id": "both", "members": ["a", "b"], "failoverCriteria": {"statusCodes": [503]}, "breaker": {"failures": 1, "probeEvery": "1h"}}],
        default=behavior("both"))
    assert edge.get("/viewer").status == 503
    edge.command("warm", "front", check=0)
    until(lambda: runs(edge)[0]["state"] == "Paused", "a pause")
    assert origin.count("/warm") == 0 and runs(edge)[0]["problem"] == "/warm: 503"


def test_what_is_stale_does_not_hide_that_the_origin_fails(serve, origin):
    stale = {"Cache-Control": "max-age=0, stale-if-error=600"}
    origin.route("/a", Reply(body=b"x", etag='"1"', headers=stale), Reply(status=503))
    edge = serve(warm_list("front", "/a", on=[]))
    assert edge.get("/a").status == 200
    edge.command("warm", "front", check=0)
    until(lambda: runs(edge)[0]["state"] == "Paused", "a pause")
    assert runs(edge)[0]["problem"] == "/a: 503"
    assert edge.get("/a").status == 200  # a viewer gets what is there


def test_warming_does_not_keep_the_edge_from_stopping(serve, origin):
    origin.otherwise(Reply(hang=True))
    edge = serve(warm_list("front", "/a", "/b", "/c"))
    for path in ("/a", "/b", "/c"):
        assert origin.wait_count(path, 1)
    edge.stop()
    assert not [line for line in edge.output.text().splitlines() if "error" in line.lower()]


def test_the_command(serve, origin):
    origin.page("/a")
    edge = serve(warm_list("front", "/a", on=[]), warm_list("broken", "/missing", on=[]))
    listed = edge.command("get", "warm", check=0).stdout
    assert "front" in listed and "has not run" in listed
    done = edge.command("warm", "front", "--wait", check=0)
    assert done.stdout.startswith("front: Completed, 1 of 1, ")
    assert edge.get("/a").is_hit
    again = json.loads(edge.command("warm", "front", "--wait", "--json", check=0).stdout)
    assert (again[0]["trigger"], again[0]["alreadyCached"]) == ("command", 1)
    failed = edge.command("warm", "--wait", check=1)
    assert "broken: Completed, 0 of 1, 1 failed" in failed.stdout and "/missing: 404" in failed.stdout
    assert "broken: Completed" in edge.command("status").stdout
    unknown = edge.command("warm", "frnt", check=1)
    assert 'there is no WarmList "frnt": did you mean "front"?' in unknown.stderr
    assert edge.admin_get("/warm?list=frnt", "POST").status == 404
    assert {run["list"] for run in edge.status()["warming"]["runs"]} == {"front", "broken"}
    assert {e["result"] for e in edge.warmed(4)} == {"Completed"}


def test_nothing_to_warm(serve, origin):
    edge = serve()
    assert "the configuration has no WarmList" in edge.command("warm", check=1).stderr
    assert "nothing has been warmed" in edge.command("get", "warm", check=0).stdout


def test_validate_reminds_of_invalidations_that_may_go(repository):
    """By the age of the commit that added the file."""
    repository.put("site/shop.yaml", distribution(9, aliases=["shop.test"]), cache_policy())
    repository.commit()
    repository.put("site/old.yaml", invalidation("old", "/a", ttl="30d"))
    repository.put("site/later.yaml", invalidation("later", "/a", ttl="30d", notBefore="2200-01-01T00:00:00Z"))
    repository.git("add", "--all")
    subprocess.run(["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", "commit", "--quiet", "--all", "--message", "old"],
                   cwd=repository.path, check=True, env={**os.environ, "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"})
    repository.put("site/new.yaml", invalidation("new", "/a", ttl="30d"))
    repository.put("site/for-ever.yaml", invalidation("for-ever", "/a"))
    repository.commit()
    for what, cwd, prefix in ((repository.path / "site", None, ""), (".", repository.path, "site/"), ("HEAD", repository.path, "site/")):
        done = headgate("validate", what, cwd=cwd, check=0)
        assert done.stdout.count("HG1411") == 1, done.stdout
        assert f"{prefix}old.yaml:14:12: warning: [HG1411] the ttl of old was over on 2020-01-31: its file is of no more use" in done.stdout
    copied = repository.path.parent / "copied"
    (repository.path / "site").rename(copied)
    assert "HG1411" not in headgate("validate", copied, check=0).stdout  # no repository: no age
