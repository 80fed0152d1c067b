# SPDX-License-Identifier: MIT
"""`./dev bench cache`: look-ups, entries, purges and fills of the RAM tier; what the disk costs; miss ratios of the policies."""
import json
import subprocess

from harness import BINARY, ROOT

PROGRAM = ROOT / "build/release/tests/bench/cache_bench"
DISK_PROGRAM = ROOT / "build/release/tests/bench/disk_bench"
RESTART_PROGRAM = ROOT / "build/release/tests/bench/restart_bench"
MEMORY_PROGRAM = ROOT / "build/release/tests/bench/memory_bench"
MOST_WRITTEN = 1.25  # octets, for each that is stored
MOST_BEYOND = 128  # octets of memory, beyond body and fields as sent
# name: (flags of generate-trace, sizes of caches)
TRACES = {
    "popular": (["--seed", "1"], ["128MiB", "1GiB"]),
    "changing": (["--seed", "3", "--scan-every", "100000", "--scan-length", "20000", "--lifetime", "300000"], ["128MiB", "1GiB"]),
    "downloads": (["--seed", "4", "--objects", "20000", "--median-size", "2MiB", "--max-size", "256MiB"], ["4GiB", "16GiB"]),
}
LAYOUTS = [[], ["--shards", "16", "--chunk", "1MiB"]]


def measure(scratch):
    return {"engine": json.loads(subprocess.run([PROGRAM], check=True, capture_output=True, text=True).stdout),
            "memory": json.loads(subprocess.run([MEMORY_PROGRAM, "1000000"], check=True, capture_output=True, text=True).stdout),
            "restart": json.loads(subprocess.run([RESTART_PROGRAM, scratch, "200000"], check=True, capture_output=True, text=True).stdout),
            "disk": json.loads(subprocess.run([DISK_PROGRAM, scratch], check=True, capture_output=True, text=True).stdout),
            "replays": [entry for name in TRACES for entry in replay(scratch, name)]}


def replay(scratch, name):
    flags, sizes = TRACES[name]
    trace = scratch / f"{name}.csv"
    with trace.open("wb") as file:
        subprocess.run([BINARY, "generate-trace", "--requests", "500000", *flags], check=True, stdout=file)
    for layout in LAYOUTS:
        told = subprocess.run([BINARY, "replay-cache", trace, "--json", "--size", ",".join(sizes),
                               "--policy", "s3fifo,lru,gdsf", *layout], check=True, capture_output=True, text=True)
        for result in json.loads(told.stdout)["results"]:
            yield {"trace": name, **result}
    trace.unlink()


def report(results):
    print(f"\n{'cache':<8}{'hits/CPU s':>14}{'of two, each':>14}{'with misses':>14}{'beyond body':>13}")
    for entry in results["engine"]["lookups"]:
        print(f"{entry['policy']:<8}{entry['hitsPerCpuSecond']:>14,.0f}{entry['hitsPerCpuSecondOfTwoThreads']:>14,.0f}"
              f"{entry['mixedPerCpuSecond']:>14,.0f}{entry['octetsBeyondBody']:>11,.0f} B")
    restart = results["restart"]
    print(f"start after kill -9: open in {restart['openSeconds']:.3f} s, all of {restart['records']:,} records known after {restart['recoverSeconds']:.2f} s")
    memory = results["memory"]
    print(f"memory: {memory['beyondPayload']:.0f} octets beyond what a response of 1 KiB carries (at most {MOST_BEYOND}), of {memory['objects']:,.0f}")
    for entry in results["engine"]["purges"]:
        print(f"purge obeyed with {entry['objects']:,} objects: {entry['p50Us']:.0f} us, p99 {entry['p99Us']:.0f} us")
    fill = results["engine"]["fill"]
    print(f"fill, {fill['readers']:,} readers: {fill['p50Ms']:.1f} ms, p99 {fill['p99Ms']:.1f} ms")
    for entry in results["disk"]:
        print(f"disk, {'with' if entry['key'] else 'without'} a key: {entry['writeAmplification']:.3f} octets written for each that is stored "
              f"(at most {MOST_WRITTEN}), hit ratio {entry['hitRatio']:.3f}, {entry['readMiBPerCpuSecond']:,.0f} MiB read a CPU second")
    print(f"\n{'miss ratio':<12}{'size MiB':>9}{'shards':>8}" + "".join(f"{policy:>18}" for policy in ("s3fifo", "lru", "gdsf")))
    rows = {}
    for entry in results["replays"]:
        key = entry["trace"], entry["sizeBytes"] >> 20, entry["shards"]
        rows.setdefault(key, {})[entry["policy"]] = entry
    for (name, size, shards), by_policy in rows.items():
        cells = (f"{by_policy[policy]['objectMissRatio']:.4f} / {by_policy[policy]['byteMissRatio']:.4f}" for policy in ("s3fifo", "lru", "gdsf"))
        print(f"{name:<12}{size:>9}{shards:>8}" + "".join(f"{cell:>18}" for cell in cells))
