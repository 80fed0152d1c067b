# SPDX-License-Identifier: MIT
"""The CRS in our engine and in libmodsecurity on the same requests: thread CPU, by tests/crs/bench.cc."""
import re
import subprocess

from harness import ROOT

# A request, and what it must reach: at least so many times cheaper than libmodsecurity, at most so many milliseconds.
TARGETS = {"GET, five parameters": (12, None), "form of 500 arguments": (None, 5), "form of 100 KB": (None, 5)}
LINE = re.compile(r"(.+?) +ours +([\d.]+) us, libmodsecurity +([\d.]+) us: ([\d.]+) times")


def measure(rounds):
    """{request: {ours_us, libmodsecurity_us, ratio: {min, median, max}}}; the engines take turns, round by round."""
    build = ROOT / "build/release"
    subprocess.run(["ninja", "-C", build, "crs_bench"], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for _ in range(rounds):
        done = subprocess.run([build / "tests/crs/crs_bench", "--cache", build / "tests/crs/patterns"], check=True, capture_output=True, text=True)
        for name, ours, theirs, _ in LINE.findall(done.stdout):
            found.setdefault(name, []).append((float(ours), float(theirs)))
    return {name: summary(pairs, *TARGETS.get(name, (None, None))) for name, pairs in found.items()}


def summary(pairs, times, milliseconds):
    ratios = sorted(theirs / ours for ours, theirs in pairs)
    middle = len(pairs) // 2
    return {"ours_us": sorted(ours for ours, _ in pairs)[middle], "libmodsecurity_us": sorted(theirs for _, theirs in pairs)[middle],
            "ratio": {"min": ratios[0], "median": ratios[middle], "max": ratios[-1]}, "target": times, "target_ms": milliseconds}
