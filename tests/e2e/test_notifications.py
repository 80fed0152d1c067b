# SPDX-License-Identifier: MIT
"""Whom an edge tells what becomes of commits: webhooks, and the statuses of commits on forges."""
import hashlib
import hmac
import json
import threading

import pytest

from harness import headgate, until
from origin import Certificate, Origin, Reply
from test_rollback import restarts

TOKEN = "s3cret-token"


@pytest.fixture
def forge(new_origin):
    """A receiver that takes everything."""
    receiver = new_origin()
    receiver.otherwise(Reply(status=201, body=b"{}"))
    return receiver


@pytest.fixture
def told(serve, tmp_path):
    """An edge with these notifications in the machine's file."""
    def start(*notifications):
        (tmp_path / "token").write_text(TOKEN + "\n")
        config = tmp_path / "edge.yaml"
        config.write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "metadata": {"name": "edge-1"},
                                      "spec": {"notifications": list(notifications)}}))
        return serve(flags=("--config", config))
    return start



def secret(tmp_path):
    return {"valueFrom": {"file": str(tmp_path / "token")}}


def github(forge, tmp_path, **fields):
    return {"name": "github", "type": "github", "url": forge.url, "repository": "team/site", "token": secret(tmp_path), **fields}


def statuses(forge, commit, count=1):
    """The bodies of the statuses that were set on a commit."""
    path = f"/repos/team/site/statuses/{commit}"
    assert forge.wait_count(path, count)
    return until(lambda: [json.loads(r.body) for r in forge.requests_to(path)] if len(forge.requests_to(path)) >= count else None, "statuses")


def head(repository):
    return repository.git("rev-parse", "HEAD")


def break_it(edge, repository):
    repository.write("broken.yaml", "kind: Nonsense\n")
    edge.refuse(repository)
    return head(repository)


def delivered(edge, name, count):
    """Waits until the edge knows that so much has arrived: what it does not know it tells again."""
    until(lambda: edge.metric("headgate_notifications_total").get(f'notification="{name}",result="delivered"') == count, f"{count} told")


def test_commits_have_statuses(told, forge, repository, tmp_path):
    edge = told(github(forge, tmp_path))
    first = head(repository)
    assert statuses(forge, first) == [{"state": "success", "context": "headgate", "description": "live as generation 1"}]
    request = forge.requests[0]
    assert (request.method, request.header("Authorization")) == ("POST", f"Bearer {TOKEN}")
    bad = break_it(edge, repository)
    [status] = statuses(forge, bad)
    assert status["state"] == "failure" and status["description"].startswith("refused: broken.yaml:1:")
    edge.reconcile()  # refused again, and told no more
    repository.remove("broken.yaml")
    good = edge.apply(repository)
    assert statuses(forge, good)[0]["state"] == "success"
    repository.git("reset", "--quiet", "--hard", bad)
    edge.reconcile()
    until(lambda: [e["commit"] for e in edge.events() if e["type"] == "refused"] == [bad, bad], "the second refusal")
    repository.git("reset", "--quiet", "--hard", good)
    last = edge.apply(repository)
    statuses(forge, last)  # each in its turn: what came before has been told, or not
    assert forge.count() == 4
    until(lambda: edge.metric("headgate_notifications_total").get('notification="github",result="delivered"') == 4, "the count")
    assert TOKEN not in edge.output.text() + json.dumps(edge.status())


def test_a_rollback_is_told_of_both_commits(told, forge, repository, tmp_path):
    edge = told(github(forge, tmp_path))
    first = head(repository)
    statuses(forge, first)
    repository.write("note.txt", "x")
    second = edge.apply(repository)
    statuses(forge, second)
    edge.command("rollback", check=0)
    assert statuses(forge, second, 2)[1]["description"].startswith("rolled back by the operator")
    assert statuses(forge, first, 2)[1]["description"] == "live as generation 3"


@pytest.mark.parametrize("kind, path, header", [
    ("gitlab", "/api/v4/projects/team%2Fsite/statuses/", ("PRIVATE-TOKEN", TOKEN)),
    ("gitea", "/api/v1/repos/team/site/statuses/", ("Authorization", f"token {TOKEN}"))])
def test_other_forges(told, forge, repository, tmp_path, kind, path, header):
    told(github(forge, tmp_path, type=kind, context="edge-1"))
    assert forge.wait_count(path + head(repository), 1)
    [request] = until(lambda: forge.requests, "the request")
    assert request.header(header[0]) == header[1]
    assert json.loads(request.body)["name" if kind == "gitlab" else "context"] == "edge-1"


def test_a_webhook_gets_signed_events(told, forge, repository, tmp_path):
    edge = told({"name": "ops", "url": forge.url + "/hook", "token": secret(tmp_path), "events": ["activated", "refused", "suspended"]})
    break_it(edge, repository)
    edge.command("suspend", "--for", "1h", "--reason", "the sale", check=0)
    edge.command("resume", check=0)  # not asked for
    requests = until(lambda: forge.requests if len(forge.requests) == 3 else None, "three events")
    events = [json.loads(request.body) for request in requests]
    assert [(e["edge"], e["event"]["type"]) for e in events] == [("edge-1", "activated"), ("edge-1", "refused"), ("edge-1", "suspended")]
    assert events[2]["event"]["reason"] == "the sale"
    for request in requests:
        assert request.header("X-Hub-Signature-256") == "sha256=" + hmac.new(TOKEN.encode(), request.body, hashlib.sha256).hexdigest()
        assert request.header("X-Headgate-Event") == json.loads(request.body)["event"]["type"]


def test_a_receiver_that_fails_is_asked_again(told, forge, repository, tmp_path):
    forge.route("/hook", Reply(status=503), Reply(status=429), Reply(status=200))
    edge = told({"name": "ops", "url": forge.url + "/hook", "events": ["activated"]})
    assert forge.wait_count("/hook", 3)
    assert len({request.body for request in until(lambda: forge.requests if len(forge.requests) == 3 else None, "requests")}) == 1
    edge.output.wait_for("notification ops: the answer was 503; it is tried again")
    assert edge.output.text().count("notification ops") == 1
    until(lambda: edge.metric("headgate_notifications_total") == {
        'notification="ops",result="delivered"': 1, 'notification="ops",result="failed"': 2, 'notification="ops",result="dropped"': 0}, "the counts")


def test_what_will_not_get_better_is_not_asked_again(told, forge, repository, tmp_path):
    forge.otherwise(Reply(status=404))
    edge = told(github(forge, tmp_path))
    edge.output.wait_for("notification github: the answer was 404$")
    second = edge.apply(repository)
    statuses(forge, second)
    until(lambda: edge.metric("headgate_notifications_waiting")['notification="github"'] == 0, "an empty queue")
    assert forge.count() == 2


def test_a_receiver_that_hangs_delays_nobody(told, forge, new_origin, repository, tmp_path):
    stuck, release = new_origin(), threading.Event()
    stuck.otherwise(lambda _: release.wait(60) and Reply(status=200))
    edge = told({"name": "stuck", "url": stuck.url + "/hook"}, github(forge, tmp_path))
    assert stuck.wait_count("/hook", 1)
    for _ in range(3):
        statuses(forge, edge.apply(repository))
    edge.stop()  # nor the end
    release.set()


def test_a_certificate_that_nobody_vouches_for_is_not_believed(told, tmp_path):
    with Origin(tls=Certificate("IP:127.0.0.1")) as receiver:
        edge = told({"name": "ops", "url": receiver.url + "/hook"})
        edge.output.wait_for("notification ops: .*certificate")
        assert receiver.count() == 0


def test_what_is_wrong_in_the_file_is_said_at_its_place(tmp_path):
    config = tmp_path / "edge.yaml"
    config.write_text("""apiVersion: headgate/v1
kind: Edge
spec:
  source: { url: . }
  notifications:
    - { name: a, type: github, token: { value: x } }
    - { name: b, type: webhook, repository: a/b }
    - { name: c, type: gitea, repository: a/b, events: [activated] }
    - { name: c, url: "https://a.test/" }
""")
    said = headgate("run", "--config", config, "--state", tmp_path / "state", check=2).stderr
    for part in ("6:7: error: [HG1203] a notification of this type needs `repository`", "7:7: error: [HG1203] a notification of this type needs `url`",
                 "7:33: error: [HG1211]", "8:7: error: [HG1203] a notification of this type needs `token`", "needs `url`", "8:48: error: [HG1211]", "9:7: error: [HG1210] there is another notification \"c\""):
        assert part in said, said


# --- Restarts ------------------------------------------------------------------------------------------------------


def hook(forge, *events):
    return {"name": "ops", "url": forge.url + "/hook", "events": list(events)}


def events_at(forge, count):
    """The events that the receiver has got, when there are so many."""
    requests = until(lambda: (lambda r: r if len(r) >= count else None)(forge.requests_to("/hook")), f"{count} events")
    return [json.loads(request.body)["event"] for request in requests]


@restarts
def test_what_waits_at_the_end_is_told_after_the_next_start(told, forge, repository, again):
    edge = told(hook(forge, "activated", "refused"))
    commits = [head(repository)]
    events_at(forge, 1)
    delivered(edge, "ops", 1)
    forge.close()
    commits.append(edge.apply(repository))
    commits.append(break_it(edge, repository))
    edge.output.wait_for("notification ops: .*it is tried again")
    again(edge)
    forge.open()
    repository.remove("broken.yaml")
    commits.append(edge.apply(repository))
    until(lambda: events_at(forge, 1)[-1]["commit"] == commits[-1], "the last event")
    events = events_at(forge, len(commits))
    # A commit that has been refused is refused again after a restart, unless another one came before that round.
    assert list(dict.fromkeys(e["commit"] for e in events)) == commits
    sequences = [e["sequence"] for e in events]
    assert sequences == sorted(set(sequences)), "told twice, or not in turn"


@restarts
def test_a_status_that_was_set_is_not_set_again_after_a_restart(told, forge, repository, tmp_path, again):
    edge = told(github(forge, tmp_path))
    bad = break_it(edge, repository)
    statuses(forge, bad)
    delivered(edge, "github", 2)
    again(edge)
    edge.reconcile()
    until(lambda: [e["commit"] for e in edge.events() if e["type"] == "refused"] == [bad, bad], "the second refusal")
    repository.remove("broken.yaml")
    last = edge.apply(repository)
    statuses(forge, last)
    assert forge.count() == 3


def test_the_end_itself_is_told(told, forge):
    edge = told(hook(forge, "started", "stopped"))
    events_at(forge, 1)
    edge.stop()
    assert [e["type"] for e in events_at(forge, 2)] == ["started", "stopped"]


def test_who_is_new_is_told_nothing_of_before(told, forge, repository, tmp_path):
    edge = told()
    edge.apply(repository)
    edge.stop()
    edge = told(hook(forge, "activated"))  # commits once more
    assert [e["commit"] for e in events_at(forge, 1)] == [head(repository)]


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda text: text.replace('"sequence":', '"sequence": 9', 1), lambda text: ""],
                         ids=["cut", "altered", "empty"])
def test_when_what_was_told_is_not_known_nothing_is_told_twice(told, forge, repository, damage):
    edge = told(hook(forge, "activated"))
    events_at(forge, 1)
    edge.stop()
    file = edge.state / "notified"
    file.write_text(damage(file.read_text()))
    edge.start()
    edge.output.wait_for("what waited at the last end is not told: .*/notified: damaged")
    last = edge.apply(repository)
    assert [e["commit"] for e in events_at(forge, 2)][1:] == [last]


def test_a_journal_that_begins_anew_is_told_from_its_begin(told, forge, repository):
    edge = told(hook(forge, "activated"))
    for _ in range(3):
        edge.apply(repository)
    events_at(forge, 4)
    edge.stop()
    (edge.state / "journal").unlink()
    edge.start()
    assert [e["generation"] for e in events_at(forge, 5)] == [1, 2, 3, 4, 1]
