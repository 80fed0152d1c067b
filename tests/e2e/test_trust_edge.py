# SPDX-License-Identifier: MIT
"""Trust, on a running edge: what is not signed by who may make it does not go live, and everybody can see why."""
import shutil

import pytest

from harness import API, behavior, distribution, header_policy, headgate, origin as upstream, until
from signing import keys, site  # noqa: F401 (fixtures)


def condition(edge, kind="SourceVerified"):
    return next(c for c in edge.status()["conditions"] if c["type"] == kind)


@pytest.fixture
def edge(site, origin, run):
    """One that verifies, and answers with X-Mark."""
    origin.page("/page")
    site.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), header_policy(X_Mark="first"))
    site.commit("alice")
    return run("--allowed-signers", site.trusted)


def mark(edge):
    return edge.get("/page").headers["x-mark"]


def put_mark(site, origin, signer, value):
    site.put("shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), header_policy(X_Mark=value))
    return site.commit(signer, value)


def refused_by(edge, commit, reason, code):
    """Waits until the edge has refused `commit`; everything says why, and what served serves on."""
    edge.reconcile()
    until(lambda: (edge.status()["refused"] or {}).get("commit") == commit, "the refusal")
    status = edge.status()
    assert status["refused"]["stage"] == "verify" and status["refused"]["reason"] == reason
    assert f"[HG{code}]" in status["diagnostics"][0]
    verified = condition(edge)
    assert verified["status"] == "False" and verified["reason"] == reason and f"[HG{code}]" in verified["message"]
    assert condition(edge, "Stalled")["reason"] == "CommitRefused" and condition(edge, "Validated")["status"] == "Unknown"
    event = [e for e in edge.events() if e["type"] == "refused"][-1]
    assert event["commit"] == commit and event["stage"] == "verify" and event["reason"] == reason
    edge.output.wait_for(rf"{commit[:12]}.*\[HG{code}\]")
    assert f"[HG{code}]" in edge.command("status", check=None).stdout
    return status


def test_signed_commits_go_live(site, origin, edge):
    verified = condition(edge)
    assert verified["status"] == "True" and verified["reason"] == "Verified" and "signed by alice" in verified["message"]
    commit = put_mark(site, origin, "dave", "second")
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == "second"
    newest = edge.status()["history"][0]
    assert newest["verified"] and newest["signers"] == ["dave"]


def test_what_is_not_signed_does_not_go_live_and_is_mended_by_taking_it_back(site, origin, edge):
    before = site.git("rev-parse", "HEAD")
    commit = put_mark(site, origin, None, "unsigned")
    refused_by(edge, commit, "CommitUnsigned", 1602)
    assert mark(edge) == "first"
    site.git("reset", "--quiet", "--hard", before)
    commit = put_mark(site, origin, "dave", "second")
    edge.reconcile()
    edge.wait(commit)
    assert mark(edge) == "second" and condition(edge)["status"] == "True"


def test_an_old_commit_is_not_replayed(site, origin, edge):
    old = site.git("rev-parse", "HEAD")
    commit = put_mark(site, origin, "dave", "second")
    edge.reconcile()
    edge.wait(commit)
    site.git("reset", "--quiet", "--hard", old)
    refused_by(edge, old, "CommitReplayed", 1610)
    assert mark(edge) == "second"


def test_a_rewritten_history_needs_the_operator(site, origin, edge, run):
    live = put_mark(site, origin, "dave", "second")
    edge.reconcile()
    edge.wait(live)
    site.git("reset", "--quiet", "--hard", site.first)
    commit = put_mark(site, origin, "alice", "rewritten")
    refused_by(edge, commit, "HistoryRewritten", 1609)
    assert mark(edge) == "second"
    edge.stop()
    edge = run("--allowed-signers", site.trusted, "--trusted-commit", commit)
    edge.wait(commit)
    assert condition(edge)["message"] == f"{commit[:7]}, named by the operator"
    assert mark(edge) == "rewritten"
    # The operator's word is not a way back to that commit.
    later = put_mark(site, origin, "dave", "later")
    edge.reconcile()
    edge.wait(later)
    site.git("reset", "--quiet", "--hard", commit)
    refused_by(edge, commit, "CommitReplayed", 1610)
    assert mark(edge) == "later"


def test_the_operators_word_counts_once_even_when_the_mirror_is_lost(site, origin, edge, run):
    """A remote can make an edge fetch everything again; that must not bring it back to the trusted commit."""
    edge.stop()
    trusted = put_mark(site, origin, "alice", "trusted")
    live = put_mark(site, origin, "dave", "live")
    edge = run("--allowed-signers", site.trusted, "--trusted-commit", trusted)
    edge.wait(live)
    edge.stop()
    shutil.rmtree(edge.state / "repo.git")
    site.git("reset", "--quiet", "--hard", trusted)
    edge = run("--allowed-signers", site.trusted, "--trusted-commit", trusted)
    refused_by(edge, trusted, "HistoryRewritten", 1609)
    assert mark(edge) == "live"


def test_who_signed_stays_known_when_the_same_commit_goes_live_again(site, origin, edge):
    """What a machine lacks, or has, changes without a commit."""
    secret = edge.state.parent / "secret"
    secret.write_text("one")
    headers = {"X-Key": {"valueFrom": {"file": str(secret)}}}
    site.put("shop.yaml", distribution([upstream("main", origin.port, customHeaders=headers)]))
    commit = site.commit("dave")
    edge.reconcile()
    edge.wait(commit)
    secret.write_text("two")
    edge.reconcile()
    until(lambda: edge.status()["history"][0]["commit"] == edge.status()["history"][1]["commit"], "the same commit again")
    assert edge.status()["history"][0]["signers"] == ["dave"] and condition(edge)["message"].endswith("signed by dave")


def test_trust_survives_a_restart(site, origin, edge, run):
    edge.stop()
    put_mark(site, origin, "dave", "second")
    edge = run("--allowed-signers", site.trusted)
    until(lambda: condition(edge)["message"].endswith("signed by dave"), "the second commit")
    assert mark(edge) == "second"  # dave is not in the machine's file: the range was verified, not a first commit
    edge.stop()
    commit = put_mark(site, origin, "mallory", "third")
    edge = run("--allowed-signers", site.trusted, wait=False)
    refused_by(edge, commit, "SignerUnknown", 1604)
    assert mark(edge) == "second"


def test_the_repository_does_not_say_whom_the_machine_trusts_first(site, origin, run):
    """The attacker's repository has a signers.yaml with the attacker's key."""
    site.signers("mallory", groups=[{"name": "security", "members": ["mallory"]}], rules=[{"paths": ["**"], "signers": ["mallory"]}])
    commit = site.commit("mallory")
    edge = run("--allowed-signers", site.trusted, wait=False)
    refused_by(edge, commit, "SignerUnknown", 1604)
    assert edge.admin_get("/readyz").status == 503


def test_what_went_live_unverified_is_verified_when_it_is_asked_for(site, origin, run):
    commit = put_mark(site, origin, "mallory", "unverified")
    edge = run()
    assert condition(edge)["reason"] == "NotConfigured" and "signers.yaml is not enforced" in condition(edge)["message"]
    edge.stop()
    edge = run("--allowed-signers", site.trusted, wait=False)
    refused_by(edge, commit, "SignerUnknown", 1604)
    good = put_mark(site, origin, "alice", "verified")
    edge.reconcile()
    edge.wait(good)
    assert condition(edge)["reason"] == "Verified"


def test_the_machine_file_says_the_same(site, run, tmp_path):
    (tmp_path / "edge.yaml").write_text(
        f"apiVersion: {API}\nkind: Edge\nspec:\n  verify: {{ mode: range, allowedSigners: {site.trusted} }}\n")
    assert condition(run("--config", tmp_path / "edge.yaml"))["reason"] == "Verified"


@pytest.mark.parametrize("text, said", [("", "there is no key"), ("alice ssh-ed25519 AAAA\n", "line 1"), (None, "No such file")])
def test_a_machine_file_that_cannot_be_used_ends_run(site, tmp_path, text, said):
    file = tmp_path / "signers"
    if text is not None:
        file.write_text(text)
    done = headgate("run", "--source", site.path, "--state", tmp_path / "s", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                    "--allowed-signers", file, check=2)
    assert said in done.stderr and "--allowed-signers" in done.stderr


def test_versions_are_verified_as_the_commits_of_a_branch_are(site, origin, run):
    origin.page("/page")

    def release(signer, tag):
        commit = put_mark(site, origin, signer, tag)
        site.git("tag", "--annotate", "--message", tag, tag)
        return commit

    first = release("alice", "v1.0.0")
    edge = run("--allowed-signers", site.trusted, "--semver", "1.x")
    assert edge.status()["revisions"]["applied"] == first
    second = release("dave", "v1.1.0")
    edge.reconcile()
    edge.wait(second)
    assert mark(edge) == "v1.1.0"

    # A higher version that does not have the one that is live in its history is a forced push; nor may a tag be moved to one.
    site.git("checkout", "--quiet", "-b", "other", "v1.0.0")
    refused_by(edge, release("alice", "v1.2.0"), "HistoryRewritten", 1609)
    site.git("tag", "--delete", "v1.2.0")
    site.git("tag", "--force", "v1.1.0", "v1.0.0^{}")
    refused_by(edge, first, "CommitReplayed", 1610)
    assert mark(edge) == "v1.1.0"

    # And each commit of the range needs its signature.
    site.git("checkout", "--quiet", "main")
    unsigned = put_mark(site, origin, None, "unsigned")
    third = release("alice", "v1.3.0")
    edge.reconcile()
    until(lambda: (edge.status()["refused"] or {}).get("commit") == third, "the refusal")
    status = edge.status()
    assert status["refused"]["reason"] == "CommitUnsigned" and status["diagnostics"][0].startswith(unsigned[:12])
    assert mark(edge) == "v1.1.0"
