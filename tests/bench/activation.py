# SPDX-License-Identifier: MIT
"""What a commit costs among many distributions: how long until it is live, and what requests feel meanwhile."""
import os
import subprocess
import sys
import time

import load
from harness import Edge, Repository, behavior, cache_policy, distribution, header_policy
from origin import Origin

DISTRIBUTIONS = 1000
REQUESTS_PER_SECOND = 4000
CONNECTIONS = 16
WARM_UP_SECONDS = 2
SETTLE_SECONDS = 0.2  # after a command of ours, and after an activation
QUIET_SECONDS = 0.6   # the stretch after each activation that it is compared with


def put_distribution(repository, number, port, comment):
    behaviors = [behavior(pathPattern=pattern, responseHeadersPolicy="mark") for pattern in ("/images/*", "/api/*", "*.css", "/static/*")]
    aliases = [f"site-{number}.test", f"www.site-{number}.test"]
    if number == 0:
        aliases.append("127.0.0.1")  # the one that requests are for
    repository.put(f"distributions/site-{number}/distribution.yaml",
                   distribution(port, name=f"site-{number}", aliases=aliases,
                                comment=comment, cacheBehaviors=behaviors))


def generate(repository, port):
    for number in range(DISTRIBUTIONS):
        put_distribution(repository, number, port, "as generated")
    repository.put("policies.yaml", cache_policy(), header_policy(X_Mark="one"))
    repository.commit(f"{DISTRIBUTIONS} distributions")


def applied_seconds(edge):
    """Time that rounds which applied a commit have taken so far, from the beginning of their fetch to live."""
    return sum(value for labels, value in edge.metric("headgate_reconcile_seconds_total").items() if 'result="applied"' in labels)


def percentile_99(latencies):
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def rows(log):
    """(start in seconds since 1970, microseconds until the end of the response) of every request; all must be 200."""
    for line in log.read_text().splitlines():
        start, status, micros = line.split("\t")[:3]
        if status != "200":
            raise RuntimeError(f"a request during activation got {status}")
        yield int(start) / 1e6, int(micros)


def within(requests, stretches):
    """The latencies of the requests that were under way in one of the stretches, in microseconds."""
    return [micros for start, micros in requests
            if any(begin <= start + micros / 1e6 and start <= end for begin, end in stretches)]


def measure(scratch, rounds):
    commits = max(10, 20 * rounds)
    origin = Origin()
    origin.page("/page", b"x" * 1024, Cache_Control="max-age=3600")
    repository = Repository(scratch / "many")
    generate(repository, origin.port)
    edge = Edge(repository.path, scratch / "many-state", "--access-log", scratch / "many.log", threads=1)
    logs = [scratch / f"requests-{number}.tsv" for number in range(CONNECTIONS)]
    edge_core, load_core = load.cores()
    load.pin(edge.process.pid, edge_core)  # and with it every git that it starts
    load.pin(os.getpid(), load_core)       # and with it the git that writes the commits
    generators = []
    try:
        edge.get("/page", host="127.0.0.1")
        duration = WARM_UP_SECONDS + 2 * commits
        for log in logs:
            # One program a connection: the connections of one h2load send at the same moment.
            generators.append(subprocess.Popen(
                ["taskset", "-c", str(load_core), "h2load", "-t1", "--h1", "-c1", f"--rps={REQUESTS_PER_SECOND // CONNECTIONS}",
                 f"-D{duration}", f"--log-file={log}", f"http://{edge.http}/page"], stdout=subprocess.DEVNULL))
        time.sleep(WARM_UP_SECONDS)
        windows, quiet, seconds = [], [], []
        for number in range(commits):
            put_distribution(repository, number, origin.port, f"changed by commit {number}")
            commit = repository.commit(f"commit {number}")
            before = applied_seconds(edge)
            time.sleep(SETTLE_SECONDS)  # or that git would compete with what is measured
            start = time.time()
            edge.reconcile()
            time.sleep(SETTLE_SECONDS)
            settled = time.time()
            time.sleep(QUIET_SECONDS)
            quiet.append((settled, time.time()))
            edge.wait(commit)
            seconds.append(applied_seconds(edge) - before)
            windows.append((start, start + seconds[-1]))
            if windows[-1][1] > settled:
                raise RuntimeError(f"an activation took {seconds[-1]:.2f} s, into the stretch it is compared with")
            print(f"activation: commit {number + 1} of {commits}   ", end="\r", file=sys.stderr, flush=True)
        for generator in generators:
            generator.terminate()
            generator.wait()
        requests = [row for log in logs for row in rows(log)]
    finally:
        for generator in generators:
            if generator.poll() is None:
                generator.kill()
                generator.wait()
        edge.stop()
        origin.close()
    during, without = within(requests, windows), within(requests, quiet)
    if len(during) < 100 or len(without) < 1000:
        raise RuntimeError(f"too few requests to judge: {len(without)} without, {len(during)} during activations")
    result = {"distributions": DISTRIBUTIONS, "commits": commits, "fetch_to_live_s": load.summary(seconds),
              "requests_quiet": len(without), "requests_during": len(during),
              "p99_quiet_us": percentile_99(without), "p99_during_us": percentile_99(during)}
    result["p99_ratio"] = result["p99_during_us"] / result["p99_quiet_us"]
    return result
