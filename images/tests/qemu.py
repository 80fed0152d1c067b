# SPDX-License-Identifier: MIT
"""Virtual machines without KVM, so that every machine can run them."""
import base64
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

BOOT_DEADLINE = 900  # a guard against hanging: a boot takes half a minute, on a busy machine a few times that
# `max` hangs early in emulation; this one has all that Hyperscan asks for.
CPU = "Nehalem"
PORTS = (80, 443, 8081)  # of the appliance
COMMON = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", "1536",
          "-nodefaults", "-display", "none", "-no-reboot"]


def boot_kernel(kernel, disk, serial, deadline):
    """Boots a kernel with a disk as its root, until the machine powers itself off. What it has said on its serial line is in the
    file `serial`. The disk is not changed."""
    command = [*COMMON, "-kernel", kernel, "-append", "root=/dev/nvme0n1 rw console=ttyS0 quiet systemd.show_status=false systemd.mask=serial-getty@ttyS0.service",
               "-drive", f"if=none,id=disk,file={disk},format=raw,snapshot=on,cache=unsafe", "-device", "nvme,drive=disk,serial=1",
               "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
               "-serial", f"file:{serial}"]
    subprocess.run([*map(str, command)], check=True, timeout=deadline, stdin=subprocess.DEVNULL)


class Machine:
    """The appliance, booted by UEFI, UEFI with Secure Boot, or BIOS, with ports of this machine forwarded to it. Its disk is a layer over
    the image, kept in `folder`: boot it again there and it is the same machine."""

    def __init__(self, image, folder, firmware="uefi", credentials=(), seed=None, vendor=None, metadata=None, size="4G"):
        self.folder, self.firmware = Path(folder), firmware
        self.credentials, self.seed, self.vendor, self.metadata = dict(credentials), seed, vendor, metadata
        self.disk, self.variables = self.folder / "disk.qcow2", self.folder / "variables.fd"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.disk.exists():
            format_ = "qcow2" if str(image).endswith("qcow2") else "raw"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", format_, "-b", image, self.disk, size], check=True)
            shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", self.variables)
        self.process, self.boots = None, 0

    def _command(self):
        network = "user,id=net"
        for port in PORTS:
            network += f",hostfwd=tcp:127.0.0.1:0-:{port}"
        if self.metadata:
            network += f",net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:" \
                f"/usr/bin/python3 {Path(__file__).parent}/relay.py {self.metadata}"
        command = [*(word for word in COMMON if word != "-no-reboot"), "-serial", f"file:{self.serial}",
                   "-drive", f"if=none,id=disk,file={self.disk},format=qcow2,cache=unsafe", "-device", "virtio-blk-pci,drive=disk,bootindex=0",
                   "-netdev", network, "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci",
                   "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        if self.firmware != "bios":
            secure = self.firmware == "secure"
            code = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" if secure else "/usr/share/OVMF/OVMF_CODE_4M.fd"
            if secure:
                command[command.index("q35")] = "q35,smm=on"
            command += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                        "-drive", f"if=pflash,format=raw,unit=1,file={self.variables}"]
        for name, value in self.credentials.items():
            encoded = base64.b64encode(value.encode()).decode()
            command += ["-smbios", f"type=11,value=io.systemd.credential.binary:headgate.{name}={encoded}"]
        if self.vendor:
            command += ["-smbios", f"type=1,manufacturer={self.vendor}"]
        if self.seed:
            command += ["-drive", f"if=none,id=seed,file={self.seed},format=raw,readonly=on", "-device", "virtio-blk-pci,drive=seed"]
        return [*map(str, command)]

    def boot(self):
        """Switches it on; requests may go to `address(80)` then."""
        self.boots += 1
        self.serial = self.folder / f"serial{self.boots}"
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL)
        # QEMU has taken free ports of this machine; its monitor says which.
        table = self.wait_for(lambda: self.tell("human-monitor-command", **{"command-line": "info usernet"}), "QEMU to start")
        self.ports = {int(guest): int(here) for here, guest in re.findall(r"HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)", table)}
        return self

    def address(self, port):
        return f"127.0.0.1:{self.ports[port]}"

    def said(self):
        raw = self.serial.read_text(errors="replace") if self.serial.exists() else ""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", raw)

    def wait_for(self, condition, what):
        end = time.monotonic() + BOOT_DEADLINE
        while True:
            try:
                value = condition()
            except (OSError, http.client.HTTPException):
                value = None
            if value:
                return value
            assert self.process.poll() is None, f"the machine has ended while waiting for {what}:\n{self.said()[-4000:]}"
            assert time.monotonic() < end, f"waited too long for {what}:\n{self.said()[-4000:]}"
            time.sleep(0.2)

    def wait_said(self, pattern, count=1):
        return self.wait_for(lambda: len(re.findall(pattern, self.said(), re.MULTILINE)) >= count, f"{pattern!r} on the serial line")

    def get(self, target="/page", port=80, host="shop.test"):
        connection = http.client.HTTPConnection(self.address(port), timeout=10)
        try:
            connection.request("GET", target, headers={"Host": host})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def tell(self, command, **arguments):
        """What QEMU's machine protocol answers to one command."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            control.connect(str(self.folder / "qmp"))
            stream = control.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = {}
                while not {"return", "error"} & set(answer):
                    answer = json.loads(stream.readline())
            assert "return" in answer, answer
            return answer["return"]

    def cut_power(self):
        self.process.kill()
        self.process.wait()

    def power_off(self):
        """By ACPI, as a cloud does; a machine that is still coming up may miss it, and is told again."""
        end = time.monotonic() + BOOT_DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"the machine ignores its button:\n{self.said()[-4000:]}"
            try:
                self.tell("system_powerdown")
                self.process.wait(10)
            except (subprocess.TimeoutExpired, OSError):
                pass
