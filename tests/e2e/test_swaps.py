# SPDX-License-Identifier: MIT
"""A thousand commits go live while requests are under way: what is not about a commit does not notice."""
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from harness import DEADLINE, behavior, cache_policy, distribution, header_policy, memory, resource, until
from harness import origin as upstream
from origin import Reply
from test_http3 import gtlsclient, serve3  # noqa: F401, a fixture

COMMITS = 1000
WARM_UP = 200  # what allocators and tables take once
SIZE = 3_000_000
PATTERN = b"0123456789abcdef" * (SIZE // 16 + 1)
UNCACHED = "Managed-CachingDisabled"


def site(origin, dead):
    """An origin group whose first origin is down, a cached part, an uncached one, and one with a limit; `mark` is what commits change."""
    group = {"id": "group", "members": ["dead", "main"], "failoverCriteria": {"statusCodes": [502]}}
    return [
        cache_policy(),
        resource("WebACL", "limits", {"defaultAction": "allow", "rules": [
            {"name": "few", "rate": {"limit": 5, "window": "1h"}, "action": "block"}]}),
        distribution([upstream("main", origin.port, custom={"originKeepaliveTimeout": 60}), upstream("dead", dead.port)], originGroups=[group], httpVersion="http2and3",
                     default=behavior(responseHeadersPolicy="mark"),
                     cacheBehaviors=[{"pathPattern": "/limited", **behavior(webAclRef="limits")},
                                     {"pathPattern": "/group/*", **behavior("group", cachePolicy=UNCACHED)},
                                     {"pathPattern": "/live/*", **behavior(cachePolicy=UNCACHED, responseHeadersPolicy="mark")}])]


def mark(number):
    return json.dumps(header_policy("mark", x_mark=str(number)))


class Commits:
    """They are all made before the first goes live."""

    def __init__(self, repository, edge):
        self._repository, self._edge = repository, edge
        base = repository.git("rev-parse", "HEAD")
        stream = "".join(
            f"commit refs/heads/prepared\nmark :{n}\ncommitter T <t@localhost> {n} +0000\ndata 1\nc{'from ' + base + chr(10) if n == 1 else ''}"
            f"M 100644 inline mark.yaml\ndata {len(mark(n))}\n{mark(n)}\n" for n in range(1, COMMITS + 1))
        subprocess.run(["git", "fast-import", "--quiet"], cwd=repository.path, input=stream, text=True, check=True)
        self._ids = repository.git("rev-list", "--reverse", f"{base}..prepared").split()

    def go_live(self, numbers, client, others):
        """One after another: `client` sees each, and `others` is called now and then."""
        for number in numbers:
            (self._repository.path / ".git/refs/heads/main").write_text(self._ids[number - 1] + "\n")
            self._edge.reconcile()
            until(lambda: client.get("/page").headers["x-mark"] == str(number), f"commit {number}")  # noqa: B023, it is called at once
            if number % 10 == 0:
                others()


def test_a_thousand_swaps_are_invisible(serve3, repository, new_origin, origin, run, tmp_path):
    origin.page("/page", Cache_Control="max-age=86400")
    origin.page("/limited", Cache_Control="max-age=86400")
    origin.page("/group/page")
    origin.page("/live/page")
    download, fetch = threading.Event(), threading.Event()
    origin.route("/live/large", Reply(size=SIZE, trickle=(SIZE // 2, download)))
    origin.route("/slow", Reply(size=SIZE, trickle=(SIZE // 2, fetch), headers={"Cache-Control": "max-age=86400"}))
    dead = new_origin()
    dead.close()

    repository.put("site.yaml", *site(origin, dead))
    repository.write("mark.yaml", mark(0))
    repository.commit("first")
    config = tmp_path / "edge.yaml"  # a busy machine takes longer than connections may be idle by themselves
    config.write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { idleTimeout: 1h } }\n")
    edge = run("--config", config)
    commits = Commits(repository, edge)
    port = edge.https.rsplit(":", 1)[1]

    with ThreadPoolExecutor() as pool, edge.connect() as kept, edge.connect() as limited, edge.connect() as live:
        assert [limited.get("/limited").status for _ in range(5)] == [200] * 5
        assert kept.get("/page").status == 200
        http2 = pool.submit(subprocess.run, ["curl", "-sSk", "--http2", "--connect-to", f"::{edge.https}", "-o", tmp_path / "http2", "--max-time", str(DEADLINE * 5),
                                             f"https://shop.test:{port}/live/large"], check=True)
        http3 = pool.submit(gtlsclient, edge, "--no-http-dump", f"--download={tmp_path}", target="/live/large", deadline=DEADLINE * 5)
        first = pool.submit(edge.get, "/slow")
        assert origin.wait_count("/slow", 1) and origin.wait_count("/live/large", 2)

        def others():
            assert live.get("/live/page").status == 200 and live.get("/group/page").status == 200

        others()
        connections, open_now = origin.connections, edge.metric("headgate_connections_open")
        commits.go_live(range(1, WARM_UP + 1), kept, others)
        before = memory(edge)
        commits.go_live(range(WARM_UP + 1, COMMITS + 1), kept, others)
        grown = memory(edge) - before

        assert edge.metric("headgate_connections_open") == open_now
        second = pool.submit(edge.get, "/slow")
        assert origin.connections == connections, "the connections to the origin were kept"
        fetch.set()
        assert first.result(DEADLINE).body == second.result(DEADLINE).body == PATTERN[:SIZE] and origin.count("/slow") == 1
        assert limited.get("/limited").status == 429, "what was counted counts"
        assert kept.get("/page").is_hit and origin.count("/page") == 1
        download.set()
        http2.result(DEADLINE)
        http3.result(DEADLINE)
    assert (tmp_path / "http2").read_bytes() == (tmp_path / "large").read_bytes() == PATTERN[:SIZE]
    assert grown < 4 << 20, f"{grown} octets more after {COMMITS - WARM_UP} commits"
    assert edge.status()["generation"] == COMMITS + 1
