# SPDX-License-Identifier: MIT
"""The status page at the admin listener's `/`: what it tells without a script, and what a browser makes of it."""
import html
import re
import subprocess

from harness import behavior, cache_policy, distribution, resource, until
from harness import origin as upstream


def plain(page):
    """The text of a page, as somebody sees it whose browser runs no script."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def shown(edge):
    return plain(edge.admin_get("/").body.decode())


def in_chromium(edge, profile):
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--virtual-time-budget=10000",
                           "--dump-dom", f"http://{edge.admin}/"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_runs_and_what_came_before(serve, repository, origin):
    origin.page("/page", Cache_Control="max-age=60")
    edge = serve()
    first = repository.git("rev-parse", "--short=7", "HEAD")
    repository.put("shop.yaml", distribution(origin.port, default=behavior()), cache_policy())
    second = edge.apply(repository)[:7]
    for _ in range(4):
        edge.get("/page")
    until(lambda: "4 requests" in shown(edge), "the last request to be counted, which is after its answer")
    text = shown(edge)
    assert f"ready: generation 2 ({second}) serves" in text
    assert f"generation 2, commit {second}: change by Test, live since" in text
    assert f"{repository.path} at main, read 20" in text
    assert f"1 {first} shop Test" in text, "history"
    assert "Ready True Applied" in text and "SourceReady True Fetched" in text
    assert "shop main 127.0.0.1 up" in text and "shop self-signed" in text
    assert "4 requests" in text and "hit ratio 75.0 %" in text and "Cache: 1 responses" in text
    assert edge.http in text


def test_what_a_refused_commit_said(serve, repository, origin):
    edge = serve()
    repository.write("broken.yaml", "apiVersion: headgate/v1\nkind: <script>alert(1)</script>\nmetadata: { name: x }\n")
    edge.refuse(repository)
    page = edge.admin_get("/").body.decode()
    assert "<script>alert" not in page
    text = plain(page)
    assert "Refused" in text and "broken.yaml:2:7: error: [HG11" in text and "<script>alert(1)</script>" in text
    assert "Stalled True CommitRefused" in text


def test_an_origin_that_is_down(serve, new_origin, origin):
    dead = new_origin()
    dead.close()
    group = {"id": "group", "members": ["dead", "main"], "failoverCriteria": {"statusCodes": [502]}}
    origin.page("/page", Cache_Control="no-store")
    edge = serve(origins=[upstream("main", origin.port), upstream("dead", dead.port)], originGroups=[group], default=behavior("group"))
    until(lambda: edge.get("/page").status == 200 and "shop dead 127.0.0.1 down" in shown(edge), "the origin to be down")
    assert "shop main 127.0.0.1 up" in shown(edge)


def test_before_anything_is_live(repository, run):
    repository.put("nothing.yaml", resource("Nonsense", "x", {}))
    repository.commit()
    edge = run(wait=False)
    text = until(lambda: (lambda t: t if "Refused" in t else None)(shown(edge)), "the refusal")
    assert "not ready" in text and "nothing.yaml" in text


def test_a_browser_brings_it_up_to_date(serve, origin, tmp_path):
    origin.page("/page", Cache_Control="max-age=60")
    edge = serve()
    page = in_chromium(edge, tmp_path / "profile")
    assert re.search(r'id="rate">now [\d.]+ requests/s, [\d.]+ MB/s<', page), page
    assert 'id="state" class="good">ready' in page
