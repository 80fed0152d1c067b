# SPDX-License-Identifier: MIT
"""The Debian package on a Debian with systemd: machine/guest.sh has what is tested."""
import re
import subprocess

from conftest import MADE
from qemu import boot_kernel

DEADLINE = 1800  # a guard against hanging: emulation takes two minutes, on a busy machine five


def test_the_life_of_the_package(tmp_path):
    folder, serial = MADE / "machine", tmp_path / "serial"
    assert (folder / "disk.raw").is_file(), "The disk is not there. Make it: images/tests/machine/build.sh"
    try:
        boot_kernel(folder / "vmlinuz", folder / "disk.raw", serial, DEADLINE)
    except subprocess.TimeoutExpired:
        pass
    said = serial.read_text(errors="replace").replace("\r", "")
    assert re.search(r"^### PASSED$", said, re.MULTILINE), said[-6000:]
