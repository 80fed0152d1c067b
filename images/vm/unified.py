# SPDX-License-Identifier: MIT
"""unified.py STUB OUTPUT .SECTION=FILE…: a unified kernel image, the stub of systemd with sections behind its own."""
import os
import re
import struct
import subprocess
import sys

PAGE = 4096


def page_up(number):
    return -(-number // PAGE) * PAGE


def end_of_sections(stub):
    """Where the last section ends in memory."""
    table = subprocess.run(["objdump", "-h", stub], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\s*\d+ \S+\s+([0-9a-f]+)\s+([0-9a-f]+)", table, re.MULTILINE)
    return max(int(size, 16) + int(address, 16) for size, address in rows)


def main(stub, output, *sections):
    at, arguments = page_up(end_of_sections(stub)), []
    for section in sections:
        name, _, file = section.partition("=")
        arguments += ["--add-section", f"{name}={file}", "--change-section-vma", f"{name}={at:#x}"]
        at = page_up(at + os.path.getsize(file))
    subprocess.run(["objcopy", *arguments, stub, output], check=True)
    # objcopy writes the time of day into the head, and a checksum over it, which UEFI does not look at.
    with open(output, "r+b") as file:
        file.seek(0x3C)
        head = struct.unpack("<I", file.read(4))[0]
        file.seek(head + 8)
        file.write(struct.pack("<I", int(os.environ["SOURCE_DATE_EPOCH"])))
        file.seek(head + 88)
        file.write(bytes(4))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
