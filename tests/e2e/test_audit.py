# SPDX-License-Identifier: MIT
"""The trail of events that cannot be changed unnoticed: STATE/audit.jsonl and `headgate audit`."""
import json
import re

from harness import headgate


def trail(edge):
    return edge.state / "audit.jsonl"


def test_every_event_is_in_the_trail(serve, repository):
    edge = serve()
    edge.apply(repository)
    edge.stop()
    edge.start()
    events = edge.events()
    records = [json.loads(line) for line in trail(edge).read_text().splitlines()]
    assert [{**event, "previous": record["previous"]} for event, record in zip(events, records)] == records and len(events) == len(records)
    assert [e["type"] for e in events].count("activated") == 2
    said = headgate("audit", "--state", edge.state, check=0).stdout
    assert f"{len(records)} records, 1 to {records[-1]['sequence']}, are whole" in said
    last = re.search(r"last: ([0-9a-f]{64})", said)[1]
    headgate("audit", "--state", edge.state, "--last", last, check=0)
    headgate("audit", trail(edge), "--last", "0" * 64, check=1)


def test_a_change_is_found(serve, repository):
    edge = serve()
    edge.apply(repository)
    edge.stop()
    text = trail(edge).read_text()
    lines = text.splitlines(keepends=True)
    trail(edge).write_text(text.replace("Test", "Best"))
    number = next(i for i, line in enumerate(lines, 1) if "Test" in line) + 1
    assert f"audit.jsonl:{number}: it does not go with the line before" in headgate("audit", "--state", edge.state, check=1).stdout
    trail(edge).write_text("".join(lines[:1] + lines[2:]))
    assert "audit.jsonl:2:" in headgate("audit", "--state", edge.state, check=1).stdout
    assert "No such file" in headgate("audit", "--state", edge.state / "nowhere", check=2).stderr


def test_after_a_kill_the_trail_has_what_the_journal_has(serve, repository):
    edge = serve()
    edge.apply(repository)
    edge.kill()
    with trail(edge).open("r+") as file:
        file.truncate(trail(edge).stat().st_size // 2)  # as after a power failure
    edge.start()
    records = [json.loads(line) for line in trail(edge).read_text().splitlines()]
    assert [r["sequence"] for r in records] == [e["sequence"] for e in edge.events()]
    headgate("audit", "--state", edge.state, check=0)
