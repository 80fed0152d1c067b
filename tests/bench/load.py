# SPDX-License-Identifier: MIT
"""The load generator, and what a server's work costs in CPU time."""
import os
import re
import statistics
import subprocess
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cores():
    """The server's core and the load generator's: two different ones."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise SystemExit("bench needs two cores: one for the server, one for the load")
    return allowed[0], allowed[1]


def pin(pid, core):
    """Every thread of a process."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def cpu_seconds(pids):
    """User and system time of the processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def summary(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "all": values}


def h2load(url, core, seconds, *options):
    """Runs h2load; the number of requests that succeeded. Any that did not is an error."""
    command = ["taskset", "-c", str(core), "h2load", "-t1", "-D", str(seconds), *map(str, options), url]
    for _ in range(3):
        # h2load waits for ever when a handshake outlasts the measurement, as happens on a busy machine.
        done = subprocess.run(["timeout", str(3 * seconds + 20), *command], capture_output=True, text=True)
        if done.returncode != 124:
            break
    if done.returncode != 0:
        raise RuntimeError(f"h2load ended with {done.returncode}: {done.stdout}{done.stderr}")
    counts = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if not counts or not codes or int(counts[1]) == 0 or any(map(int, (*counts.groups()[1:], *codes.groups()[1:]))):
        raise RuntimeError(f"h2load saw errors:\n{done.stdout}")
    return int(counts[1])
