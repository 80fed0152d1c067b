# SPDX-License-Identifier: MIT
"""Traces made and replayed by the command line, the choice of a policy, and the live miss-ratio curve."""
import json

import pytest

from harness import headgate, until


def replay(trace, *flags):
    return json.loads(headgate("replay-cache", trace, "--json", *flags, check=0).stdout)


def test_a_generated_trace_is_replayed_by_several_policies_and_sizes(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text(headgate("generate-trace", "--requests", "20000", "--objects", "2000", check=0).stdout)
    told = replay(trace, "--size", "8MiB,64MiB", "--policy", "s3fifo,lru,gdsf")
    assert told["requests"] == 20000 and told["malformedLines"] == 0
    ratios = {(result["policy"], result["sizeBytes"] >> 20): result["objectMissRatio"] for result in told["results"]}
    assert len(ratios) == 6
    for policy in ("s3fifo", "lru", "gdsf"):
        assert 0 < ratios[policy, 64] < ratios[policy, 8] < 1
    again = headgate("generate-trace", "--requests", "20000", "--objects", "2000", check=0).stdout
    assert again == trace.read_text()


def test_what_is_counted_by_hand_is_what_is_told(tmp_path):
    trace = tmp_path / "trace.csv"
    # Two fit. LRU: a miss, b miss, a hit, c miss (b goes), a hit, b miss (c goes).
    trace.write_text("time,key,size\n" + "".join(f"{i},{key},1000\n" for i, key in enumerate("abacab")))
    [result] = replay(trace, "--size", "2000B", "--policy", "lru")["results"]
    assert result["misses"] == 4 and result["missedBytes"] == 4000 and result["evictions"] == 2


def test_a_malformed_line_is_told_with_its_position_and_nothing_is_printed(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("1,a,10\n2,b\n3,c,10\n")
    done = headgate("replay-cache", trace, "--size", "1MiB", check=2)
    assert f"{trace}:2: expected time,key,size" in done.stderr and not done.stdout
    done = headgate("replay-cache", trace, "--size", "1MiB", "--skip-malformed", check=0)
    assert "2 requests" in done.stdout and "1 malformed line passed over" in done.stdout and ":2: " in done.stderr


@pytest.mark.parametrize("flags", [
    ["--size", "much"], ["--size", "1MiB", "--policy", "fifo"], ["--size", "1MiB", "--shards", "3"],
    ["--size", "1MiB", "--chunk", "1B"], []], ids=lambda f: "=".join(f[-2:]))
def test_a_bad_flag_is_exit_2(tmp_path, flags):
    (tmp_path / "trace.csv").write_text("1,a,10\n")
    done = headgate("replay-cache", tmp_path / "trace.csv", *flags, check=2)
    assert (flags[-2] if flags else "--size") in done.stderr and not done.stdout


@pytest.mark.parametrize("policy", ["s3fifo", "lru", "gdsf"])
def test_an_edge_caches_by_the_policy_it_is_given_and_tells_its_miss_curve(serve, origin, policy):
    edge = serve(flags=["--cache-eviction", policy])
    for i in range(300):
        origin.page(f"/{i}")
        edge.get(f"/{i}")
        assert "; hit" in edge.get(f"/{i}").headers["cache-status"]

    def curve_is_complete():
        requests = edge.metric("headgate_cache_curve_requests_total")[""]
        misses = edge.metric("headgate_cache_curve_misses_total")
        # Everything fits: whatever key was sampled, its first request missed and its second did not.
        return requests > 0 and misses == {f'size="{size}"': requests / 2 for size in ("0.5", "1", "2")}

    until(curve_is_complete, "a curve of all requests")
    assert edge.metric("headgate_cache_curve_lost_total") == {"": 0}


def test_a_policy_that_is_none_is_exit_2_and_names_the_flag(repository, tmp_path):
    done = headgate("run", "--source", repository.path, "--state", tmp_path / "state", "--http", "127.0.0.1:0",
                    "--cache-eviction", "fifo", check=2)
    assert "--cache-eviction fifo" in done.stderr and "s3fifo, lru or gdsf" in done.stderr
