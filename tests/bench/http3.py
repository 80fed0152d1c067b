# SPDX-License-Identifier: MIT
"""HTTP/3 against our own HTTP/2+TLS and ngtcp2's gtlsserver, round by round in turn: a large download, small requests on one connection."""
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import load
from harness import ROOT, Edge, Repository, behavior, cache_policy, distribution, until
from origin import Origin
from origin_file import File


@dataclass
class Case:
    name: str
    targets: dict  # by contender, times its rate; None: whatever it is


CASES = [Case("h3-download", {"http2": 0.75, "gtlsserver": 1.0}), Case("h3-1KiB", {"http2": 0.9, "gtlsserver": None})]
DOWNLOAD = 256 << 20
REQUESTS = 200_000  # a second or so: a client that begins and ends must not count
GTLSSERVER = ROOT / "build/unpacked/ngtcp2-server/usr/sbin/gtlsserver"
GTLSCLIENT = ["gtlsclient", "-q", "--no-http-dump", "--no-quic-dump", "--exit-on-all-streams-close"]


def timed(core, *command):
    """Seconds that a client took; one that failed is an error."""
    began = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(core), *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return took


def download(address, core, version):
    url = f"https://{address}/large"
    if version == 2:
        return DOWNLOAD / timed(core, "curl", "--silent", "--fail", "--insecure", "--http2", "--output", "/dev/null", url)
    return DOWNLOAD / timed(core, *GTLSCLIENT, "--max-window=24M", "--max-stream-window=16M", *address.rsplit(":", 1), url)


def small(address, core, version):
    url = f"https://{address}/1k"
    if version == 2:
        return REQUESTS / timed(core, "h2load", "-t1", "-c1", "-m100", "-n", REQUESTS, url)
    return REQUESTS / timed(core, *GTLSCLIENT, f"--nstreams={REQUESTS}", *address.rsplit(":", 1), url)


class Gtlsserver:
    """ngtcp2's example server, with the same octets in files."""

    def __init__(self, folder, core):
        files = folder / "files"
        files.mkdir(parents=True)
        (files / "1k").write_bytes(b"x" * 1024)
        (files / "large").write_bytes(File(DOWNLOAD).bytes())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=bench", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:  # it takes no 0
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._process = subprocess.Popen([GTLSSERVER, "-q", "--no-quic-dump", "--no-http-dump", "-d", files, "127.0.0.1", str(port),
                                          folder / "key.pem", folder / "certificate.pem"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        load.pin(self._process.pid, core)

    def stop(self):
        self._process.terminate()
        self._process.wait()


def measure(cases, scratch, rounds):
    server_core, load_core = load.cores()
    origin = Origin()
    origin.page("/1k", b"x" * 1024, Cache_Control="max-age=3600")
    origin.route("/large", File(DOWNLOAD))
    repository = Repository(scratch / "http3-repository")
    repository.put("shop.yaml", distribution(origin.port, httpVersion="http2and3", default=behavior()), cache_policy())
    repository.commit("bench")
    edge = Edge(repository.path, scratch / "http3-state", "--cache-memory", "2GiB", threads=1)
    load.pin(edge.process.pid, server_core)
    peer = Gtlsserver(scratch / "gtlsserver", server_core)
    contenders = {"http2": (edge.https, 2), "http3": (edge.https, 3), "gtlsserver": (peer.address, 3)}
    run = {"h3-download": ("/large", download), "h3-1KiB": ("/1k", small)}
    results = {}
    try:
        for case in cases:
            path, once = run[case.name]
            until(lambda: edge.get(path).is_hit, f"{path} to be stored")
            values = {name: [] for name in contenders}
            for number in range(rounds + 1):
                order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
                for name in order:
                    print(f"{case.name}: round {number} of {rounds}, {name}   ", end="\r", file=sys.stderr, flush=True)
                    value = once(contenders[name][0], load_core, contenders[name][1])
                    if number > 0:  # the one before warms up
                        values[name].append(value)
            against = {name: {"ratio": load.summary([ours / theirs for ours, theirs in zip(values["http3"], values[name])]), "target": target}
                       for name, target in case.targets.items()}
            results[case.name] = {**{name: load.summary(found) for name, found in values.items()}, "against": against}
        print(" " * 60, end="\r", file=sys.stderr)
    finally:
        peer.stop()
        edge.stop()
        origin.close()
    return results
