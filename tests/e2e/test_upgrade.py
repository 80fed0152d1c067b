# SPDX-License-Identifier: MIT
"""A machine of the appliance image upgrades itself: the edge's side. The image's updater, which runs as root beside it, is played here;
images/tests/test_vm.py has the real one."""
import datetime
import json
import os

import pytest

from harness import API, cache_policy, distribution, headgate, until

FAR = f"0 0 1 {(datetime.datetime.now(datetime.timezone.utc).month + 5) % 12 + 1} *"  # half a year away


class Machine:
    """What the updater tells, and what it is asked."""

    def __init__(self, folder, state):
        self.folder, self.request = folder, state / "upgrade/request"
        folder.mkdir()
        self.tell("0.1.0")

    def tell(self, running, **upgrade):
        told = {"version": running, "firmware": "UEFI", "slots": [
            {"slot": "a", "version": "0.1.0", "state": "runs"}, {"slot": "b", "state": "empty"}], **({"upgrade": upgrade} if upgrade else {})}
        (self.folder / "status.new").write_text(json.dumps(told))
        os.rename(self.folder / "status.new", self.folder / "status.json")

    def asked(self):
        if not self.request.exists():
            return {}
        return dict(line.split("=", 1) for line in self.request.read_text().splitlines())

    def wait_asked(self, **expected):
        return until(lambda: expected.items() <= self.asked().items() and self.asked(), f"{expected} to be asked; asked: {self.asked()}")


@pytest.fixture
def machine(repository, origin, run, tmp_path):
    config = tmp_path / "edge.yaml"
    config.write_text(json.dumps({"apiVersion": API, "kind": "Edge", "spec": {"updater": {"folder": str(tmp_path / "slots")}}}))
    origin.page("/page")
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    repository.commit()
    made = Machine(tmp_path / "slots", tmp_path / "state")
    made.edge = run("--config", config)
    assert made.edge.state == tmp_path / "state"
    return made


def wants(repository, **spec):
    repository.put("fleet.yaml", {"apiVersion": API, "kind": "Fleet", "spec": {"releases": "https://releases.test", **spec}})


def conditions(edge):
    return {each["type"]: each for each in edge.status()["conditions"]}


def test_a_commit_names_the_version_and_everybody_sees_what_becomes_of_it(machine, repository):
    edge = machine.edge
    assert edge.status()["machine"]["version"] == "0.1.0" and machine.asked() == {}
    wants(repository, version="0.2.0")
    edge.apply(repository)
    asked = machine.wait_asked(do="upgrade", version="0.2.0", **{"from": "https://releases.test/headgate_0.2.0.upgrade"}, restart="now", by="fleet")
    machine.tell("0.1.0", id=asked["id"], version="0.2.0", state="Writing", message="into the slot that does not run", time="")
    until(lambda: "Upgrading" in conditions(edge), "the condition")
    assert conditions(edge)["Upgrading"]["reason"] == "Writing"
    machine.tell("0.1.0", id=asked["id"], version="0.2.0", state="Reverted", message="/readyz did not answer; back on 0.1.0", time="")
    until(lambda: "UpgradeFailed" in conditions(edge), "the condition")
    assert "Upgrading" not in conditions(edge)
    assert conditions(edge)["UpgradeFailed"]["message"] == "0.2.0: /readyz did not answer; back on 0.1.0"
    event = until(lambda: [e for e in edge.events() if e["type"] == "upgradeFailed"], "the event")[0]
    assert (event["version"], event["running"], event["reason"]) == ("0.2.0", "0.1.0", "Reverted")
    shown = edge.command("status", check=0).stdout
    assert "Machine     0.1.0, UEFI\n            slot a: 0.1.0 runs\n            slot b: empty\n" in shown
    assert "upgrade 0.2.0: Reverted, /readyz did not answer; back on 0.1.0" in shown


def test_the_restart_waits_for_a_change_window_and_for_the_end_of_a_suspension(machine, repository):
    edge = machine.edge
    wants(repository, version="0.2.0", changeWindows=[{"cron": FAR, "for": "1m"}])
    edge.apply(repository)
    machine.wait_asked(version="0.2.0", restart="wait")
    assert edge.status()["machine"]["wanted"]["restart"].startswith("waits for the window that opens at ")
    wants(repository, version="0.2.0")
    commit = repository.commit("no windows")
    edge.reconcile()
    until(lambda: "Pending" in conditions(edge), "the commit to wait, too")
    edge.command("suspend", "--for", "1h", "--reason", "sale", check=0)
    edge.command("resume", check=0)
    edge.wait(commit)
    machine.wait_asked(version="0.2.0", restart="now")
    edge.command("suspend", "--for", "1h", "--reason", "sale", check=0)
    machine.wait_asked(version="0.2.0", restart="wait")


def test_an_operator_sends_a_file(machine, tmp_path):
    content = os.urandom(1_300_000)  # three pieces
    (tmp_path / "headgate_0.3.0.upgrade").write_bytes(content)
    said = machine.edge.command("upgrade", "--now", tmp_path / "headgate_0.3.0.upgrade", check=0).stdout
    assert said.startswith("the machine fetches, verifies and writes it, and restarts")
    machine.wait_asked(do="upgrade", **{"from": "received"}, restart="now", by="operator")
    assert (machine.request.parent / "received.upgrade").read_bytes() == content
    assert os.stat(machine.request.parent / "received.upgrade").st_mode & 0o777 == 0o600
    missing = machine.edge.command("upgrade", tmp_path / "nowhere", check=1).stderr
    assert missing.startswith(f"headgate: {tmp_path}/nowhere: No such file")
    refused = machine.edge.command("upgrade", "ftp://releases.test/x.upgrade", check=1).stderr
    assert "No such file" in refused


def test_an_operator_names_a_url_and_one_at_a_time(machine):
    edge = machine.edge
    edge.command("upgrade", "https://releases.test/x.upgrade", check=0)
    asked = machine.wait_asked(**{"from": "https://releases.test/x.upgrade"}, by="operator")
    machine.tell("0.1.0", id=asked["id"], version="?", state="Fetching", message="", time="")
    until(lambda: "Upgrading" in conditions(edge), "the condition")
    assert "is under way: Fetching" in edge.command("upgrade", "https://releases.test/y.upgrade", check=1).stderr
    machine.tell("0.1.0", id=asked["id"], version="?", state="Refused", message="not signed", time="")
    until(lambda: "Upgrading" not in conditions(edge), "the end of it")
    assert "--yes" in edge.command("factory-reset", check=2).stderr
    edge.command("factory-reset", "--yes", check=0)
    machine.wait_asked(do="factory-reset", by="operator")


@pytest.mark.parametrize("target, body, status", [
    ("/upgrade", b"", 400), ("/upgrade", b"[]", 400), ("/upgrade", b"{}", 400), ("/upgrade", b'{"from": 7}', 400),
    ("/upgrade", b'{"from": "file:///etc/shadow"}', 400), ("/upgrade", b'{"from": "https://a/\\nby=operator"}', 400),
    ("/upgrade", b'{"from": "https://a/", "received": true}', 400), ("/upgrade", b'{"received": true, "urgent": 1}', 400),
    ("/upgrade", b'{"received": true}', 409), ("/upgrade/file", b"x", 400), ("/upgrade/file?offset=7", b"x", 400),
    ("/upgrade/file?offset=-1", b"x", 400), ("/upgrade/file?offset=0", b"", 400), ("/factory-reset", b"{}", 400),
    ("/factory-reset", b'{"forget": "nothing"}', 400)])
def test_what_makes_no_sense_is_refused(machine, target, body, status):
    answer = machine.edge.admin_get(target, "POST", body)
    assert answer.status == status, answer.body
    assert json.loads(answer.body)["error"]
    assert machine.asked() == {}


def test_elsewhere_there_is_no_updater(repository, origin, run):
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    wants(repository, version="0.2.0")
    repository.commit()
    edge = run()
    assert "machine" not in edge.status() and "UpgradeFailed" not in conditions(edge)
    assert "this is not the appliance image" in edge.command("upgrade", "https://releases.test/x", check=1).stderr
    assert not (edge.state / "upgrade").exists()


def test_a_version_that_is_none_is_refused_with_its_place(tmp_path):
    (tmp_path / "fleet.yaml").write_text("apiVersion: headgate/v1\nkind: Fleet\nspec: { version: latest }\n")
    said = headgate("validate", tmp_path, check=2).stdout
    assert 'fleet.yaml:3:18: error: [HG1207] "latest" is not a version' in said
