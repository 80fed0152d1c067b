# SPDX-License-Identifier: MIT
"""Virtual machines without KVM, so that every machine can run them."""
import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

BOOT_DEADLINE = 900  # a guard against hanging: a boot takes half a minute, on a busy machine a few times that
# `max` hangs early in emulation; this one has all that Hyperscan asks for. A processor of AMD needs no page-table isolation, with which every
# system call makes QEMU forget where translated code is: half as much again of a boot.
CPU = "Nehalem,vendor=AuthenticAMD"
OUTCOMES = ("Done", "Reverted", "Refused", "NotFetched")
TOKEN = "an-operators-token-0123456789"
BINARY = Path(__file__).resolve().parents[2] / "build/release/headgate"
PORTS = (80, 443, 9900)  # of the appliance
DATAGRAMS = (443,)
COMMON = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "1", "-m", "1536",
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

    def __init__(self, image, folder, firmware="uefi", credentials=(), seeds=(), vendor=None, metadata=None, size="4G"):
        self.folder, self.firmware = Path(folder), firmware
        self.credentials, self.seeds, self.vendor, self.metadata = dict(credentials), seeds, vendor, metadata
        self.disk, self.variables = self.folder / "disk.qcow2", self.folder / "variables.fd"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.disk.exists():
            format_ = "qcow2" if str(image).endswith("qcow2") else "raw"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", format_, "-b", image, self.disk, size], check=True)
            # The second knows one key, the one that Debian ships to test with.
            shutil.copy(f"/usr/share/OVMF/OVMF_VARS_4M{'.snakeoil' if firmware == 'secure' else ''}.fd", self.variables)
        self.process, self.boots = None, 0

    def _command(self):
        network = "user,id=net"
        for port in PORTS:
            network += f",hostfwd=tcp:127.0.0.1:0-:{port}"
        for port in DATAGRAMS:
            network += f",hostfwd=udp:127.0.0.1:0-:{port}"
        if self.metadata:
            network += f",net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:" \
                f"/usr/bin/python3 {Path(__file__).parent}/relay.py {self.metadata}"
        command = [*COMMON, "-serial", f"file:{self.serial}",
                   "-drive", f"if=none,id=disk,file={self.disk},format=qcow2,cache=unsafe", "-device", "virtio-blk-pci,drive=disk,bootindex=0",
                   "-netdev", network, "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci",
                   "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]
        if self.firmware != "bios":
            secure = self.firmware == "secure"
            code = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" if secure else "/usr/share/OVMF/OVMF_CODE_4M.fd"
            if secure:
                command[command.index("q35")] = "q35,smm=on"
                command += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
            command += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                        "-drive", f"if=pflash,format=raw,unit=1,file={self.variables}"]
        for name, value in self.credentials.items():
            encoded = base64.b64encode(value.encode()).decode()
            command += ["-smbios", f"type=11,value=io.systemd.credential.binary:headgate.{name}={encoded}"]
        if self.vendor:
            command += ["-smbios", f"type=1,manufacturer={self.vendor}"]
        for number, seed in enumerate(self.seeds):
            command += ["-drive", f"if=none,id=seed{number},file={seed},format=raw,readonly=on", "-device", f"virtio-blk-pci,drive=seed{number}"]
        return [*map(str, command)]

    def boot(self):
        """Switches it on; requests may go to `address(80)` then. What it says is kept from here on."""
        self.since = self.boots + 1
        return self._start()

    def _start(self):
        """When a guest restarts, QEMU ends, and is started again (`wait_for`): emulation is several times slower where memory has had other
        code in it before."""
        self.boots += 1
        self.serial = self.folder / f"serial{self.boots}"
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL)
        # QEMU has taken free ports of this machine; its monitor says which.
        table = self.wait_for(lambda: self.tell("human-monitor-command", **{"command-line": "info usernet"}), "QEMU to start", restarts=False)
        self.ports = {(kind, int(guest)): int(here) for kind, here, guest in
                      re.findall(r"(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)", table)}
        return self

    def address(self, port, kind="TCP"):
        return f"127.0.0.1:{self.ports[kind, port]}"

    def said(self):
        files = [self.folder / f"serial{number}" for number in range(self.since, self.boots + 1)]
        raw = "".join(file.read_text(errors="replace") for file in files if file.exists())
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", raw)

    def wait_for(self, condition, what, restarts=True):
        end = time.monotonic() + BOOT_DEADLINE
        while True:
            try:
                value = condition()
            except (OSError, http.client.HTTPException):
                value = None
            if value:
                return value
            ended = self.process.poll()
            if ended == 0 and restarts:
                self._start()
                continue
            assert ended is None, f"the machine has ended while waiting for {what}:\n{self.said()[-4000:]}"
            assert time.monotonic() < end, f"waited too long for {what}:\n{self.said()[-4000:]}"
            time.sleep(0.5)  # what is asked keeps an emulated processor busy

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

    def headgate(self, *arguments, check=0):
        """The command of this machine, that speaks to the admin listener of that one."""
        done = subprocess.run([BINARY, *map(str, arguments), "--admin", self.address(9900)], capture_output=True, text=True, timeout=BOOT_DEADLINE,
                              stdin=subprocess.DEVNULL, env={**os.environ, "HEADGATE_ADMIN_TOKEN": TOKEN})
        assert check is None or done.returncode == check, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def status(self):
        """/status; nothing while the machine restarts."""
        done = self.headgate("status", "--json", check=None)
        return json.loads(done.stdout) if done.stdout else {}

    def machine_status(self):
        return self.wait_for(lambda: self.status().get("machine", {}).get("version") and self.status()["machine"], "what the updater tells")

    def wait_machine(self, expected):
        """Waits until /status tells these members of the machine: the edge looks at them every second."""
        return self.wait_for(lambda: expected.items() <= self.machine_status().items(), f"{expected} in /status")

    def generation(self):
        return self.status().get("generation")

    def wait_upgrade(self, version, state, message=""):
        """What /status says of the upgrade, once it is of this version (any), in this state, with this message. One that is over in another
        way ends the wait."""
        def told():
            last = self.status().get("machine", {}).get("upgrade", {})
            if version is not None and last.get("version") != version or not re.search(message, last.get("message", "")):
                return None
            assert last["state"] == state or last["state"] not in OUTCOMES, last
            return last["state"] == state and last
        return self.wait_for(told, f"{version} to be {state}, with {message!r}")

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
