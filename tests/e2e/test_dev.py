# SPDX-License-Identifier: MIT
"""`./dev run` as a newcomer meets it: what it prints can be typed, and Ctrl-C ends all of it."""
import os
import re
import signal
import subprocess

import pytest

from harness import DEADLINE, ROOT, Output, until


@pytest.fixture
def dev_run():
    subprocess.run([ROOT / "dev", "build", "release", "headgate"], check=True, capture_output=True)  # as long as it takes
    process = subprocess.Popen([ROOT / "dev", "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "NO_COLOR": "1"})
    output = Output(process.stdout)
    try:
        output.wait_for(r"^Ctrl-C stops all of it\.$")
        yield process, output
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(DEADLINE)


def alive(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def test_what_it_prints_can_be_typed_and_ctrl_c_ends_it(dev_run):
    process, output = dev_run
    hits, commit, diff = [m[1] for m in output.wait_for(r"^   (\S.*)$", 3)][:3]

    def typed(command):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=DEADLINE, cwd="/")
        return done.returncode, done.stdout + done.stderr

    code, text = typed(hits)
    statuses = re.findall(r"^cache-status: (.*?)\r?$", text, re.M | re.I)
    assert code == 0 and len(statuses) == 2, text
    assert "fwd=" in statuses[0] and "hit" in statuses[1]
    assert re.search(r"^x-storefront: hello", text, re.M | re.I), text
    code, text = typed(commit)
    assert code == 0 and re.search(r"^x-storefront: good evening", text, re.M | re.I), text
    code, text = typed(diff)
    assert code == 1 and "good evening" in text, text

    os.killpg(process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    assert process.wait(DEADLINE) == 130
    until(lambda: not alive(process.pid), "every process that ./dev run started to end")
