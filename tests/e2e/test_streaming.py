# SPDX-License-Identifier: MIT
"""`profile: hls` and `profile: dash`."""
import threading

import pytest

from harness import behavior, cache_policy, distribution, headgate
from origin import Reply


def streaming(**fields):
    made = behavior(**fields)
    del made["cachePolicy"]
    return made


@pytest.mark.parametrize("profile, playlist", [("hls", "/live/a/main.m3u8"), ("dash", "/live/a/main.mpd")])
def test_playlists_are_short_lived_and_segments_are_not(serve, origin, profile, playlist):
    origin.otherwise(Reply(body=b"x" * 2000, headers={"Content-Type": "text/plain"}))
    edge = serve(cacheBehaviors=[{"pathPattern": "/live/*", **streaming(profile=profile)}])
    for path, ttl in ((playlist, range(1, 4)), ("/live/a/1.m4s", range(86390, 86401))):
        edge.get(path, Accept_Encoding="gzip")
        answer = edge.get(path + "?token=of-this-viewer", Accept_Encoding="gzip")
        assert answer.is_hit and int(answer.cache_status.rpartition("ttl=")[2]) in ttl, answer
        assert "content-encoding" not in answer.headers
    assert [r.header("Accept-Encoding") for r in origin.requests] == [None, None]


def test_what_the_origin_says_counts_up_to_three_seconds(serve, origin):
    origin.page("/live/short.m3u8", cache_control="max-age=1")
    origin.page("/live/long.m3u8", cache_control="max-age=3600")
    origin.page("/live/none.m3u8", cache_control="no-store")
    edge = serve(cacheBehaviors=[{"pathPattern": "/live/*", **streaming(profile="hls")}])
    for path, longest in (("/live/short.m3u8", 1), ("/live/long.m3u8", 3)):
        edge.get(path)
        answer = edge.get(path)
        assert answer.is_hit and int(answer.cache_status.rpartition("ttl=")[2]) <= longest, answer
    edge.get("/live/none.m3u8")
    assert not edge.get("/live/none.m3u8").is_hit


def test_low_latency_directives_are_other_playlists_and_reach_the_origin(serve, origin):
    edge = serve(cacheBehaviors=[{"pathPattern": "/live/*", **streaming(profile="hls")}])
    origin.page("/live/main.m3u8")
    for query in ("?_HLS_msn=1", "?_HLS_msn=2"):
        assert not edge.get("/live/main.m3u8" + query + "&x=y").is_hit
    assert [r.target for r in origin.requests] == ["/live/main.m3u8?_HLS_msn=1", "/live/main.m3u8?_HLS_msn=2"]


def test_one_fetch_for_all_who_ask_for_a_playlist_at_a_time(serve, origin):
    gate = threading.Event()
    origin.route("/live/main.m3u8", Reply(body=b"#EXTM3U\n", wait=gate))
    edge = serve(cacheBehaviors=[{"pathPattern": "/live/*", **streaming(profile="hls")}])
    answers = []
    viewers = [threading.Thread(target=lambda: answers.append(edge.get("/live/main.m3u8").body)) for _ in range(20)]
    for viewer in viewers:
        viewer.start()
    assert origin.wait_count("/live/main.m3u8", 1)
    gate.set()
    for viewer in viewers:
        viewer.join()
    assert answers == [b"#EXTM3U\n"] * 20 and origin.count() == 1


def test_explain_and_diff_show_what_a_profile_is(repository):
    repository.put("shop.yaml", distribution(9, aliases=["shop.test"]), cache_policy())
    repository.commit()
    repository.put("shop.yaml", distribution(9, aliases=["shop.test"], cacheBehaviors=[
        {"pathPattern": "/live/*", **streaming(profile="hls")}]), cache_policy())
    repository.commit()
    shown = headgate("explain", "GET", "http://shop.test/live/main.m3u8", "--repo", repository.path, check=0).stdout
    assert "/live/*.m3u8" in shown and "Headgate-HLSPlaylists" in shown
    shown = headgate("diff", "HEAD~1..HEAD", "--repo", repository.path, check=1).stdout
    for word in ("/live/*.m3u8", "Headgate-HLSPlaylists", "Headgate-MediaSegments"):
        assert word in shown, shown
    assert "CachePolicy" not in shown, shown
