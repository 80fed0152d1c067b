# SPDX-License-Identifier: MIT
"""What an operator sees and does: logs, metrics, events, health, draining, flags and exit codes."""
import json
import re
import signal
import socket
import threading

import pytest

from harness import headgate, until
from harness import origin as upstream
from origin import Reply

SUBCOMMANDS = ["run", "validate", "diff", "test", "explain", "status", "wait", "events", "get", "rollback", "suspend", "resume", "hook", "verify", "audit", "init", "schema",
               "demo-origin"]


@pytest.mark.parametrize("command", [[], *([c] for c in SUBCOMMANDS)], ids=["headgate", *SUBCOMMANDS])
def test_help(command):
    done = headgate(*command, "--help", check=0)
    assert "usage" in done.stdout.lower()
    if not command:
        assert [c for c in SUBCOMMANDS if c not in done.stdout] == []


def test_the_version():
    assert re.match(r"headgate \d+\.\d+\.\d+", headgate("--version", check=0).stdout)


def log_lines(path, count):
    def whole():
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= count else None

    return [json.loads(line) for line in until(whole, f"{count} lines in the access log")]


def test_the_access_log_is_json_whatever_clients_send(serve, origin, tmp_path):
    origin.page("/page", "hello\n")
    edge = serve(flags=["--access-log", tmp_path / "access.log", "--threads", "1"])  # one worker's lines are in order
    edge.get("/page", User_Agent='a"b\\c\tübel'.encode("utf-8").decode("latin-1"), Referer="http://x.test/")
    edge.get("/page?q=%22", tls=True)
    edge.request("DELETE", "/page")
    miss, hit, denied = log_lines(tmp_path / "access.log", 3)
    assert (miss["method"], miss["status"], miss["host"], miss["bytes_sent"]) == ("GET", 200, "shop.test", 6)
    assert miss["user_agent"] == 'a"b\\c\tübel' and miss["referer"] == "http://x.test/"
    assert (miss["outcome"], hit["outcome"]) == ("miss", "fresh_hit")
    assert (hit["scheme"], hit["target"]) == ("https", "/page?q=%22")
    assert (denied["status"], denied["reason"]) == (405, "method")
    for line in (miss, hit, denied):
        assert line["distribution"] == "shop" and line["client"] == "127.0.0.1"
        assert re.match(r"\d+-[0-9a-f]{7}", line["generation"])
        assert line["duration_us"] >= 0 and line["request_id"] and line["time"]


def test_the_access_log_is_off_by_default_and_goes_to_stdout_with_a_dash(serve, origin):
    origin.page("/page")
    edge = serve(flags=["--access-log", "-"])
    edge.get("/page")
    line = edge.output.wait_for(r'^\{.*"/page".*\}$')[0][0]
    assert json.loads(line)["status"] == 200


METRIC = re.compile(r'# (HELP|TYPE) (headgate|process)_|[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)+\})? [-+0-9.eEInfa]+$')


def test_metrics_count_requests_by_distribution_and_outcome(serve, origin):
    origin.page("/page")
    edge = serve()
    for _ in range(5):
        edge.get("/page")
    text = edge.admin_get("/metrics").body.decode()
    for line in text.splitlines():
        assert METRIC.match(line), line

    def count():
        return sum(v for k, v in edge.metric("headgate_requests_total").items() if 'distribution="shop"' in k)

    until(lambda: count() >= 5, "the last request to be counted, which is after its answer")
    assert count() == 5
    assert any(name.startswith("process_resident") for name in text.split())


def test_events_tell_the_history_as_json_lines(serve, origin, repository):
    edge = serve()
    commit = edge.apply(repository)
    events = edge.events()
    assert events and commit in json.dumps(events[-1])
    assert commit[:7] in edge.command("events", check=0).stdout


def test_status_for_people_and_machines(serve, origin, repository):
    edge = serve()
    commit = repository.git("rev-parse", "HEAD")
    assert commit[:7] in edge.command("status", check=0).stdout
    status = json.loads(edge.command("status", "--json", check=0).stdout)
    assert status["revisions"]["applied"] == commit
    assert {c["type"] for c in status["conditions"]} >= {"SourceReady", "Validated", "TestsPassed", "Ready"}


def test_status_without_a_daemon_says_what_to_do(tmp_path):
    done = headgate("status", "--admin", f"unix:{tmp_path}/nobody", check=1)
    assert "nobody" in done.stderr and done.stderr.count("\n") == 1


def test_health_listener_serves_only_health(serve, origin):
    edge = serve(flags=["--health", "127.0.0.1:0"])
    edge.admin = edge.output.wait_for(r"^headgate: health on (\S+)$")[0][1]
    assert edge.admin_get("/healthz").status == 200
    assert edge.admin_get("/readyz").status == 200
    assert edge.admin_get("/status").status == 404
    assert edge.admin_get("/metrics").status == 404


def test_admin_on_a_unix_socket_that_only_the_owner_can_reach(serve, origin, tmp_path_factory):
    path = tmp_path_factory.mktemp("s") / "admin"
    edge = serve(flags=["--admin", f"unix:{path}"])
    assert edge.admin == f"unix:{path}"
    assert edge.admin_get("/healthz").status == 200
    assert not path.stat().st_mode & 0o007
    until(lambda: edge.command("status").returncode == 0, "the status to say that it is ready")


@pytest.mark.http1
def test_sigterm_lets_a_request_in_flight_finish(serve, origin):
    go_on = threading.Event()
    origin.route("/slow", Reply(body=b"0123456789", headers={"Cache-Control": "no-store"}, wait_after=(5, go_on)))
    edge = serve()
    client = edge.connect()
    client.connection.request("GET", "/slow", headers={"Host": "shop.test"})
    response = client.connection.getresponse()
    assert response.read(5) == b"01234"
    edge.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            edge.socket().close()
            return False
        except ConnectionRefusedError:
            return True

    until(refused, "the listener to close")
    go_on.set()
    assert response.read() == b"56789"
    client.close()
    assert edge.process.wait(30) == 0


@pytest.mark.http1
def test_sigterm_does_not_wait_for_ever(serve, origin):
    origin.route("/hangs", Reply(hang=True))
    edge = serve()
    client = edge.connect()
    client.connection.request("GET", "/hangs", headers={"Host": "shop.test"})
    assert origin.wait_count("/hangs", 1)
    edge.process.send_signal(signal.SIGTERM)
    assert edge.process.wait(30) == 0


def test_a_port_in_use_is_said_in_one_line(repository, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = headgate("run", "--source", repository.path, "--state", tmp_path / "state", "--http", address, "--admin", "127.0.0.1:0")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert address in last and "in use" in last


@pytest.mark.parametrize("flags", [
    ["--poll", "soon"], ["--http", "nowhere"], ["--threads", "-1"], ["--cache-memory", "much"], ["--no-such-flag"],
    ["--config", "/no/such/file.yaml"], ["--admin", "unix:"], ["--http", "127.0.0.1:99999"]], ids=lambda f: f[0] + "=" + f[-1])
def test_a_bad_flag_is_exit_2_and_names_the_flag(repository, tmp_path, flags):
    done = headgate("run", "--source", repository.path, "--state", tmp_path / "state", "--http", "127.0.0.1:0", *flags, check=2)
    assert flags[0].lstrip("-") in done.stderr or flags[-1] in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_bad_edge_file_is_exit_2_with_a_position(repository, tmp_path):
    (tmp_path / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec:\n  pol: 3s\n")
    done = headgate("run", "--source", repository.path, "--state", tmp_path / "state", "--config", tmp_path / "edge.yaml", check=2)
    assert "edge.yaml:4:3: error: [HG" in done.stdout + done.stderr


def test_the_last_of_a_flag_given_twice_wins_and_variables_stand_for_flags(serve, origin, tmp_path):
    origin.page("/page")
    edge = serve(flags=["--access-log", tmp_path / "first", "--access-log", tmp_path / "second"])
    edge.get("/page")
    log_lines(tmp_path / "second", 1)
    assert not (tmp_path / "first").exists()


def test_a_variable_stands_for_a_flag(repository, origin, run, serve, tmp_path):
    origin.page("/page")
    first = serve()
    edge = run(state="other", env={"HEADGATE_ACCESS_LOG": str(tmp_path / "by-variable")})
    edge.get("/page")
    log_lines(tmp_path / "by-variable", 1)
    done = headgate("status", env={"HEADGATE_ADMIN": first.admin}, check=0)
    assert done.stdout


def test_privileges_are_dropped_only_when_asked_for(serve, origin):
    import os
    if os.geteuid() != 0:
        assert headgate("run", "--user", "root", "--source", ".", "--state", "/tmp/none").returncode in (1, 2)
        return
    origin.page("/page")
    edge = serve()
    uids = re.search(r"^Uid:\s+(\d+)", open(f"/proc/{edge.process.pid}/status").read(), re.M)[1]
    assert uids == "0"


def test_sighup_reads_secrets_again_that_are_in_no_commit(serve, origin, tmp_path):
    key = tmp_path / "api-key"
    key.write_text("first\n")
    origin.page("/page", Cache_Control="no-store")
    edge = serve(origins=[upstream("main", origin.port, customHeaders={"X-Api-Key": {"valueFrom": {"file": str(key)}}})])

    def sent():
        edge.get("/page")
        return origin.requests[-1].header("X-Api-Key")

    def rounds(result):
        return sum(count for labels, count in edge.metric("headgate_reconciles_total").items() if f'"{result}"' in labels)

    assert sent() == "first" and edge.get("/page").generation == 1
    edge.reconcile()
    until(lambda: rounds("unchanged") >= 1, "a round that changes nothing")
    assert edge.get("/page").generation == 1
    key.write_text("second\n")
    edge.reconcile()
    until(lambda: sent() == "second", "the new secret to be sent")
    assert edge.get("/page").generation == 2
    # A secret that is gone is said, and what runs goes on with the one before.
    key.unlink()
    edge.reconcile()
    until(lambda: rounds("refused") >= 1, "the commit to be refused")
    assert sent() == "second" and any("api-key" in line for line in edge.status()["diagnostics"])
    key.write_text("third\n")
    edge.reconcile()
    until(lambda: sent() == "third", "the secret that came back")
    assert edge.status()["refused"] is None
