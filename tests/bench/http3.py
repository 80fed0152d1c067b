# SPDX-License-Identifier: MIT
"""HTTP/3 against our own HTTP/2+TLS, round by round in turn: a large download, and small requests on one connection."""
import subprocess
import sys
import time
from dataclasses import dataclass

import load
from harness import Edge, Repository, behavior, cache_policy, distribution
from origin import Origin, Reply


@dataclass
class Case:
    name: str
    target: float  # times HTTP/2's rate


CASES = [Case("h3-download", 0.75), Case("h3-1KiB", 0.9)]
DOWNLOAD = 256 << 20
REQUESTS = 20_000


def timed(core, *command):
    """Seconds that a client took; one that failed is an error."""
    began = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(core), *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return took


def download(edge, core, version):
    url = f"https://{edge.https}/large"
    if version == 3:
        return DOWNLOAD / timed(core, "gtlsclient", "-q", "--no-http-dump", "--no-quic-dump", "--exit-on-all-streams-close",
                                "--max-window=24M", "--max-stream-window=16M", *edge.https.rsplit(":", 1), url)
    return DOWNLOAD / timed(core, "curl", "--silent", "--fail", "--insecure", "--http2", "--output", "/dev/null", url)


def small(edge, core, version):
    url = f"https://{edge.https}/1k"
    if version == 3:
        return REQUESTS / timed(core, "gtlsclient", "-q", "--no-http-dump", "--no-quic-dump", "--exit-on-all-streams-close",
                                f"--nstreams={REQUESTS}", *edge.https.rsplit(":", 1), url)
    return REQUESTS / timed(core, "h2load", "-t1", "-c1", "-m100", "-n", REQUESTS, url)


def measure(cases, scratch, rounds):
    server_core, load_core = load.cores()
    origin = Origin()
    origin.page("/1k", b"x" * 1024, Cache_Control="max-age=3600")
    origin.route("/large", Reply(size=DOWNLOAD, headers={"Cache-Control": "max-age=3600"}))
    repository = Repository(scratch / "http3-repository")
    repository.put("shop.yaml", distribution(origin.port, httpVersion="http2and3", default=behavior()), cache_policy())
    repository.commit("bench")
    edge = Edge(repository.path, scratch / "http3-state", "--cache-memory", "2GiB", threads=1)
    load.pin(edge.process.pid, server_core)
    run = {"h3-download": download, "h3-1KiB": small}
    results = {}
    try:
        for case in cases:
            values = {2: [], 3: []}
            run[case.name](edge, load_core, 2)  # fills the cache
            for number in range(rounds):
                for version in (2, 3) if number % 2 == 0 else (3, 2):
                    print(f"{case.name}: round {number + 1} of {rounds}, HTTP/{version}   ", end="\r", file=sys.stderr, flush=True)
                    values[version].append(run[case.name](edge, load_core, version))
            ratios = [ours / theirs for ours, theirs in zip(values[3], values[2])]
            results[case.name] = {"http2": load.summary(values[2]), "http3": load.summary(values[3]), "ratio": load.summary(ratios),
                                  "target": case.target}
        print(" " * 60, end="\r", file=sys.stderr)
    finally:
        edge.stop()
        origin.close()
    return results
