# SPDX-License-Identifier: MIT
"""Requests per CPU second of a cached hit: nginx's proxy_cache and headgate, round by round in turn."""
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

import load
from harness import Edge, Repository, behavior, cache_policy, curl, distribution, until
from origin import Origin


@dataclass
class Case:
    name: str
    path: str
    tls: bool
    options: tuple  # of h2load
    target: float  # times nginx; 0: none


CASES = [
    Case("h1-1KiB", "/1k", False, ("--h1", "-c32", "-m1"), 1.2),
    Case("h1-64KiB", "/64k", False, ("--h1", "-c32", "-m1"), 0),
    Case("h2-tls-1KiB", "/1k", True, ("-c16", "-m16"), 3.0),
    Case("h2-tls-64KiB", "/64k", True, ("-c16", "-m16"), 0),
]

NGINX = """
{user}
daemon off;
worker_processes 1;
worker_cpu_affinity {affinity};
pid {root}/nginx.pid;
error_log {root}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  log_format json escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","host":"$host",'
    '"target":"$request_uri","protocol":"$server_protocol","status":$status,"bytes_sent":$body_bytes_sent,'
    '"user_agent":"$http_user_agent","referer":"$http_referer","request_id":"$request_id",'
    '"duration":$request_time,"cache":"$upstream_cache_status"}}';
  access_log {root}/access.log json buffer=64k flush=1s;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/temp;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  proxy_cache_path {root}/cache levels=1:2 keys_zone=cache:10m max_size=64m inactive=1h;
  ssl_certificate {root}/server.pem;
  ssl_certificate_key {root}/server.key;
  server {{
    listen 127.0.0.1:{http} reuseport;
    listen 127.0.0.1:{https} ssl http2 reuseport;
    http2_max_requests 1000000000;
    location / {{
      proxy_pass http://127.0.0.1:{origin};
      proxy_cache cache;
      proxy_cache_valid 200 1h;
      add_header X-Cache-Status $upstream_cache_status;
      add_header Via "1.1 nginx";
    }}
    location = /stub_status {{ stub_status; }}
  }}
}}
"""


class Nginx:
    name = "nginx"

    def __init__(self, folder, origin, core):
        folder.mkdir()
        self._folder = folder
        ports = free_ports(2)
        self.urls = {False: f"http://127.0.0.1:{ports[0]}", True: f"https://127.0.0.1:{ports[1]}"}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=bench", "-keyout", folder / "server.key", "-out", folder / "server.pem"],
                       check=True, capture_output=True)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(user="user root;" if os.geteuid() == 0 else "", root=folder, http=ports[0], https=ports[1], origin=origin.port, affinity=bin(1 << core)[2:]))
        self._process = subprocess.Popen(["/usr/sbin/nginx", "-e", folder / "error.log", "-c", config], stderr=subprocess.PIPE, text=True)
        until(self._answers, f"nginx to answer (see {folder}/error.log)")
        children = subprocess.run(["pgrep", "-P", str(self._process.pid), "-f", "worker process"], capture_output=True, text=True)
        self.pids = [int(pid) for pid in children.stdout.split()]

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"nginx ended: {self._process.stderr.read()}")
        return subprocess.run(["curl", "-s", "-o", "/dev/null", self.urls[False] + "/stub_status"]).returncode == 0

    def check_hit(self, url):
        answer = curl(url)
        assert answer.headers["x-cache-status"] == "HIT", answer
        return len(answer.body)

    def stop(self):
        self._process.terminate()
        self._process.wait()


class Headgate:
    name = "headgate"

    def __init__(self, folder, origin, core):
        repository = Repository(folder / "repository")
        repository.put("shop.yaml", distribution(origin.port, default=behavior()), cache_policy())
        repository.commit("bench")
        self._edge = Edge(repository.path, folder / "state", "--access-log", folder / "access.log", threads=1)
        self.urls = {False: f"http://{self._edge.http}", True: f"https://{self._edge.https}"}
        self.pids = [self._edge.process.pid]
        load.pin(self.pids[0], core)

    def check_hit(self, url):
        answer = curl(url)
        assert answer.is_hit, answer
        return len(answer.body)

    def stop(self):
        self._edge.stop()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for one in sockets:
        one.close()
    return ports


def requests_per_cpu_second(server, case, core, seconds):
    url = server.urls[case.tls] + case.path
    curl(url)
    server.check_hit(url)
    load.h2load(url, core, 1, *case.options)  # warms up
    before = load.cpu_seconds(server.pids)
    requests = load.h2load(url, core, seconds, *case.options)
    return requests / (load.cpu_seconds(server.pids) - before)


def measure(cases, scratch, rounds, seconds):
    server_core, load_core = load.cores()
    origin = Origin()
    origin.page("/1k", b"x" * 1024, Cache_Control="max-age=3600")
    origin.page("/64k", b"x" * 65536, Cache_Control="max-age=3600")
    servers = [Nginx(scratch / "nginx", origin, server_core), Headgate(scratch / "headgate", origin, server_core)]
    results = {}
    try:
        for case in cases:
            values = {server.name: [] for server in servers}
            for number in range(rounds):
                for server in servers if number % 2 == 0 else reversed(servers):
                    print(f"{case.name}: round {number + 1} of {rounds}, {server.name}   ", end="\r", file=sys.stderr, flush=True)
                    values[server.name].append(requests_per_cpu_second(server, case, load_core, seconds))
            ratios = [ours / theirs for ours, theirs in zip(values["headgate"], values["nginx"])]
            results[case.name] = {**{name: load.summary(v) for name, v in values.items()}, "ratio": load.summary(ratios),
                                  "target": case.target}
        print(" " * 60, end="\r", file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
        origin.close()
    return results
