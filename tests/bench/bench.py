# SPDX-License-Identifier: MIT
"""`./dev bench`: measures Headgate on this machine, against nginx in the same run. README.md says how."""
import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import activation  # noqa: E402
import cache  # noqa: E402
import hits  # noqa: E402
import http3  # noqa: E402
import purge  # noqa: E402
import waf  # noqa: E402
from harness import ROOT  # noqa: E402


def main():
    names = [case.name for case in hits.CASES + http3.CASES] + ["activation", "waf", "cache", "purge"]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each comparison (5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of each measurement (4)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure, of: {', '.join(names)} (all)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    wanted = options.names or names

    out = ROOT / "build/bench"
    out.mkdir(parents=True, exist_ok=True)
    results = {"machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "kernel": platform.release()}}
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        cases = [case for case in hits.CASES if case.name in wanted]
        if cases:
            results["hits"] = hits.measure(cases, Path(scratch), options.rounds, options.seconds)
        cases = [case for case in http3.CASES if case.name in wanted]
        if cases:
            results["http3"] = http3.measure(cases, Path(scratch), options.rounds)
        if "activation" in wanted:
            results["activation"] = activation.measure(Path(scratch), options.rounds)
        if "waf" in wanted:
            results["waf"] = waf.measure(options.rounds)
        if "cache" in wanted:
            results["cache"] = cache.measure(Path(scratch))
        if "purge" in wanted:
            results["purge"] = purge.measure(Path(scratch), options.rounds)
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    report(results)
    print(f"\nEvery number: {out / 'results.json'}")
    return 0 if all(met(entry) for entry in targets(results)) else 1


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def targets(results):
    """(what, value, relation, target) of everything that has a target."""
    for name, entry in results.get("hits", {}).items():
        if entry["target"]:
            yield name, entry["ratio"]["median"], ">=", entry["target"]
    for name, entry in results.get("http3", {}).items():
        for other, found in entry["against"].items():
            if found["target"]:
                yield f"{name}, times {other}", found["ratio"]["median"], ">=", found["target"]
    if "activation" in results:
        entry = results["activation"]
        yield "activation, fetch to live", entry["fetch_to_live_s"]["median"], "<=", 1.0
        yield "activation, p99 of requests", entry["p99_ratio"], "<=", 2.0
    for name, entry in results.get("waf", {}).items():
        if entry["target"]:
            yield f"CRS, {name}", entry["ratio"]["median"], ">=", entry["target"]
        if entry["target_ms"]:
            yield f"CRS, {name}, ms", entry["ours_us"] / 1000, "<=", entry["target_ms"]
    if "cache" in results:
        yield "memory of a response of 1 KiB, octets beyond what it carries", results["cache"]["memory"]["beyondPayload"], "<=", cache.MOST_BEYOND
    for name, entry in results.get("purge", {}).items():
        yield f"purge by {name}, ms beyond one fsync", entry["beyond_ms"], "<=", purge.MOST_BEYOND_MS
        yield f"purge by {name}, look-ups that did not obey", entry["disobeyed"], "<=", 0
    for entry in results.get("cache", {}).get("disk", []):
        yield f"disk, octets written for one, {'with' if entry['key'] else 'without'} a key", entry["writeAmplification"], "<=", cache.MOST_WRITTEN


def met(entry):
    _, value, relation, target = entry
    return value >= target if relation == ">=" else value <= target


def report(results):
    machine = results["machine"]
    print(f"\n{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}\n")
    if "hits" in results:
        print(f"{'cached hit':<22}{'nginx':>12}{'headgate':>12}   {'ratio: min':>10} {'median':>7} {'max':>7}   target")
        print(f"{'':<22}{'requests per CPU second':>24}")
        for name, entry in results["hits"].items():
            ratio = entry["ratio"]
            target = f">= {entry['target']}" if entry["target"] else ""
            print(f"{name:<22}{entry['nginx']['median']:>12.0f}{entry['headgate']['median']:>12.0f}   {ratio['min']:>10.2f} "
                  f"{ratio['median']:>7.2f} {ratio['max']:>7.2f}   {target}")
    if "http3" in results:
        print(f"\n{'HTTP/3':<22}{'theirs':>12}{'HTTP/3':>12}   {'ratio: min':>10} {'median':>7} {'max':>7}   target")
        print(f"{'':<22}{'octets, requests a second':>24}")
        for name, entry in results["http3"].items():
            for other, found in entry["against"].items():
                ratio = found["ratio"]
                target = f">= {found['target']}" if found["target"] else ""
                print(f"{name + ', ' + other:<22}{entry[other]['median']:>12.4g}{entry['http3']['median']:>12.4g}   {ratio['min']:>10.2f} "
                      f"{ratio['median']:>7.2f} {ratio['max']:>7.2f}   {target}")
    if "activation" in results:
        entry = results["activation"]
        live = entry["fetch_to_live_s"]
        print(f"\nactivation of a commit among {entry['distributions']} distributions, {entry['commits']} commits")
        print(f"  fetch to live       min {live['min']:.3f} s   median {live['median']:.3f} s   max {live['max']:.3f} s   target <= 1 s")
        print(f"  p99 of requests     {entry['p99_quiet_us']} us without, {entry['p99_during_us']} us during: "
              f"{entry['p99_ratio']:.2f} times   target <= 2")
    if "waf" in results:
        print(f"\n{'CRS, paranoia 1':<28}{'libmodsecurity':>15}{'headgate':>10}   {'ratio: min':>10} {'median':>7} {'max':>7}   target")
        print(f"{'':<28}{'microseconds of CPU':>25}")
        for name, entry in results["waf"].items():
            ratio = entry["ratio"]
            target = f">= {entry['target']}" if entry["target"] else f"<= {entry['target_ms']} ms" if entry["target_ms"] else ""
            print(f"{name:<28}{entry['libmodsecurity_us']:>15.0f}{entry['ours_us']:>10.0f}   {ratio['min']:>10.1f} {ratio['median']:>7.1f} "
                  f"{ratio['max']:>7.1f}   {target}")
    if "cache" in results:
        cache.report(results["cache"])
    if "purge" in results:
        print(f"\n{'purge, ms':<16}{'fsync':>8}{'p99':>8}{'purge':>9}{'p99':>8}   beyond, of p99")
        for name, entry in results["purge"].items():
            fsync, answered = entry["fsync_ms"], entry["acknowledged_ms"]
            print(f"{name:<16}{fsync['median']:>8.2f}{fsync['p99']:>8.2f}{answered['median']:>9.2f}{answered['p99']:>8.2f}"
                  f"{entry['beyond_ms']:>10.2f}   target <= {purge.MOST_BEYOND_MS}")
    missed = [entry for entry in targets(results) if not met(entry)]
    for what, value, relation, target in missed:
        print(f"\nMISSED: {what}: {value:.2f}, wanted {relation} {target}")


if __name__ == "__main__":
    sys.exit(main())
