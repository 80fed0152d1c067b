# SPDX-License-Identifier: MIT
"""Trust, before a push: which commits may go live, by who signed them. Each attack is refused with its own reason."""
import json
import os
import re
import subprocess

import pytest

from harness import API, cache_policy, header_policy, headgate, invalidation
from signing import RULES, SECURITY, allowed, keys, make_key, public, site  # noqa: F401 (fixtures)


# --- Signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, bits", [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"),
                                        ("rsa", "4096")])
def test_ssh_signatures_of_every_kind_hold(site, tmp_path, kind, bits):
    site.keys = {**site.keys, "eve": make_key(tmp_path, "eve", kind, bits)}
    site.trusted.write_text(allowed(site.keys, "eve"))
    commit = site.change("eve", "page.txt")
    verdict = json.loads(headgate("verify", commit, "--repo", site.path, "--allowed-signers", site.trusted, "--json", check=0).stdout)
    assert verdict["signers"] == ["eve"]
    changed = tampered(site, commit)
    headgate("verify", changed, "--repo", site.path, "--allowed-signers", site.trusted, check=3)


def tampered(site, commit):
    """The commit with another message and the same signature, as HEAD."""
    octets = subprocess.run(["git", "cat-file", "commit", commit], cwd=site.path, capture_output=True, check=True).stdout
    done = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=site.path, capture_output=True, check=True,
                          input=octets + b"and more\n")
    changed = done.stdout.decode().strip()
    site.git("reset", "--quiet", "--hard", changed)
    return changed


def test_every_commit_must_be_signed_not_only_the_last(site):
    site.change("dave", "one.txt")
    unsigned = site.change(None, "two.txt")
    site.change("dave", "three.txt")
    site.refused("CommitUnsigned", 1602, unsigned)


def test_commits_of_known_signers_verify(site):
    for number in range(3):
        site.change("dave", f"{number}.txt")
    verdict = site.verified()
    assert verdict["commits"] == 3 and verdict["signers"] == ["dave"]


def test_a_signature_is_of_one_commit(site):
    changed = tampered(site, site.change("dave", "page.txt"))
    site.refused("SignatureInvalid", 1603, changed)


def test_an_unknown_key_is_refused(site):
    commit = site.change("mallory", "page.txt")
    first = site.refused("SignerUnknown", 1604, commit)
    fingerprint = subprocess.run(["ssh-keygen", "-l", "-f", site.keys["mallory"]], capture_output=True, text=True, check=True)
    assert fingerprint.stdout.split()[1] in first


def test_a_key_counts_only_while_it_is_valid(site):
    text = allowed(site.keys, "alice", "bob", "carol", "ci") + f'dave valid-before="20200101Z" {public(site.keys["dave"])}\n'
    site.signers(allowedSigners=text)
    base = site.commit("alice")
    commit = site.change("dave", "page.txt")
    assert "was not valid at its time" in site.refused("SignerUnknown", 1604, commit, revisions=f"{base}..HEAD")


def test_a_signature_for_another_purpose_does_not_count(site):
    """What ssh-keygen signed in the namespace `file` is not a commit's signature."""
    commit = site.change("dave", "page.txt")
    octets = subprocess.run(["git", "cat-file", "commit", commit], cwd=site.path, capture_output=True, check=True).stdout.decode()
    head, message = octets.split("\n\n", 1)
    plain = re.sub(r"gpgsig (.*\n)(?: .*\n?)*", "", head + "\n").rstrip("\n")
    signature = subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", site.keys["dave"]], capture_output=True, check=True,
                               input=f"{plain}\n\n{message}".encode()).stdout.decode().strip().replace("\n", "\n ")
    forged = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=site.path, capture_output=True, check=True,
                            input=f"{plain}\ngpgsig {signature}\n\n{message}".encode()).stdout.decode().strip()
    site.git("reset", "--quiet", "--hard", forged)
    site.refused("SignatureInvalid", 1603, forged)


# --- Rules by path -------------------------------------------------------------------------------------------------


def test_a_path_is_for_those_whom_its_rule_names(site):
    site.put("invalidations/one.yaml", invalidation("one", "/page"))
    site.commit("ci")
    site.verified()
    commit = site.change("ci", "policies/page.txt")
    site.refused("SignerNotAllowed", 1605, commit, "policies/page.txt")


def test_a_file_holds_only_the_kinds_of_its_rule(site):
    site.put("invalidations/one.yaml", invalidation("one", "/page"), header_policy(X_Mark="smuggled"))
    commit = site.commit("ci")
    assert "ResponseHeadersPolicy" in site.refused("KindNotAllowed", 1611, commit, "invalidations/one.yaml")


def test_what_no_rule_names_nobody_may_change(site):
    site.signers("alice", "bob", "carol", "dave", "ci", rules=RULES[:1])
    base = site.commit("alice")
    commit = site.change("alice", "page.txt")
    site.refused("SignerNotAllowed", 1605, commit, "page.txt", f"{base}..HEAD")


def test_a_weak_rule_for_the_signers_is_warned_of(site):
    assert "HG1613" not in headgate("validate", ".", cwd=site.path, check=0).stdout
    site.signers("alice", "bob", "carol", "dave", "ci", rules=[{**RULES[0], "paths": ["waf/**"]}, *RULES[1:]])
    assert "signers.yaml: warning: [HG1613] waf/** needs more signers" in headgate("validate", ".", cwd=site.path, check=0).stdout


def test_a_change_of_signers_shows_in_the_plan(site):
    site.signers("alice", "bob", "carol", "ci", rules=[*RULES[:2], {"paths": ["**"], "signers": ["security"]}])
    assert "Signers" in headgate("diff", "--repo", site.path, check=1).stdout


@pytest.mark.parametrize("author, merger, reason", [
    ("alice", "bob", None), ("bob", "carol", None), ("alice", "alice", "TooFewSigners"), ("alice", "dave", "TooFewSigners"),
    ("dave", "alice", "SignerNotAllowed"), (None, "alice", "CommitUnsigned")])
def test_two_of_three_sign_by_a_commit_and_its_merge(site, author, merger, reason):
    site.branch("proposal")
    commit = site.change(author, "waf/rules.txt")
    merge = site.merge(merger, "proposal")
    if reason is None:
        assert site.verified()["commits"] == 2
    elif reason == "TooFewSigners":
        site.refused(reason, 1606, merge, "waf/rules.txt")
    else:
        assert site.verify(check=3)["reason"] == reason
        assert commit[:12] in site.verify(check=3)["diagnostics"][0]


def test_one_of_three_is_too_few(site):
    commit = site.change("alice", "waf/rules.txt")
    assert "1 of the 2 signers" in site.refused("TooFewSigners", 1606, commit, "waf/rules.txt")


def test_consent_is_to_what_the_file_holds_in_the_end(site):
    """Alice signed one version; the one that is merged is bob's, and only bob's."""
    site.branch("proposal")
    site.change("alice", "waf/rules.txt", "alice's\n")
    site.change("bob", "waf/rules.txt", "bob's\n")
    merge = site.merge("bob", "proposal")
    site.refused("TooFewSigners", 1606, merge, "waf/rules.txt")


def test_a_merge_that_has_what_is_live_as_its_second_parent_is_judged_the_same(site):
    """A developer's `git pull` merges the other way round."""
    site.branch("local")
    site.change("ci", "policies/page.txt")
    site.git("checkout", "--quiet", "main")
    base = site.change("dave", "other.txt")
    site.git("checkout", "--quiet", "local")
    site.git(*site.signing("ci"), "merge", "--quiet", "--no-ff", "--gpg-sign", "--message", "pull", "main")
    assert site.verify(f"{base}..HEAD", check=3)["reason"] == "SignerNotAllowed"


# --- Attacks -------------------------------------------------------------------------------------------------------


def smuggle(site, signer, file, text):
    """Merges `proposal`, and changes `file` in the merge itself."""
    site.git("checkout", "--quiet", "main")
    site.git("merge", "--quiet", "--no-ff", "--no-commit", "proposal")
    site.write(file, text)
    return site.commit(signer, "merge")


def test_a_merge_smuggles_nothing(site):
    site.branch("proposal")
    site.put("invalidations/one.yaml", invalidation("one", "/page"))
    site.commit("ci")
    merge = smuggle(site, "ci", "policies/cached.yaml", "# gone\n")
    site.refused("MergeSmuggling", 1608, merge, "policies/cached.yaml")


def test_a_merge_may_solve_a_conflict_where_its_signer_may_change_the_file(site):
    site.branch("proposal")
    site.change("dave", "page.txt", "theirs\n")
    merge = smuggle(site, "dave", "page.txt", "both\n")
    assert site.verified(f"{site.first}..{merge}")["signers"] == ["dave"]


def test_a_merge_does_not_bring_back_what_was_replaced(site):
    """The side has an old version of a file that nobody on the side signed for."""
    site.branch("old")
    site.put("invalidations/one.yaml", invalidation("one", "/page"))
    site.commit("ci")
    site.git("checkout", "--quiet", "main")
    base = site.change("dave", "policies/cached.yaml", json.dumps(cache_policy(default="5m")))
    merge = site.merge("ci", "old", "--strategy", "ort", "--no-commit")
    site.git("checkout", "--quiet", "old", "--", "policies/cached.yaml")
    merge = site.commit("ci", "merge")
    site.refused("MergeSmuggling", 1608, merge, "policies/cached.yaml", f"{base}..HEAD")


def test_who_once_merged_a_version_does_not_vouch_for_its_return(site):
    """Bob's branch brought in what was live then; that is no consent to go back to it."""
    site.git("branch", "work", site.first)
    site.branch("proposal")
    site.change("carol", "waf/rules.txt", "first\n")
    site.merge("alice", "proposal")
    site.git("checkout", "--quiet", "work")
    site.change("bob", "page.txt")
    site.git(*site.signing("bob"), "merge", "--quiet", "--no-ff", "--gpg-sign", "--message", "catch up", "main")
    site.git("checkout", "--quiet", "main")
    site.branch("mended")
    site.change("carol", "waf/rules.txt", "second\n")
    base = site.merge("alice", "mended")
    site.git("merge", "--quiet", "--no-ff", "--no-commit", "work")
    site.git("checkout", "--quiet", "work", "--", "waf/rules.txt")
    merge = site.commit("alice", "merge work")
    site.refused("MergeSmuggling", 1608, merge, "waf/rules.txt", f"{base}..HEAD")


def test_objects_that_stand_in_for_others_are_not_believed(site):
    """`git replace` shows the signed commit where the unsigned one is."""
    signed = site.change("dave", "page.txt")
    site.git("reset", "--quiet", "--hard", site.first)
    unsigned = site.change(None, "page.txt")
    site.git("replace", unsigned, signed)
    site.refused("CommitUnsigned", 1602, unsigned)


def test_a_smuggling_merge_on_the_side_is_found(site):
    site.branch("proposal")
    site.put("invalidations/one.yaml", invalidation("one", "/page"))
    site.commit("ci")
    site.branch("side", "main")
    site.put("invalidations/two.yaml", invalidation("two", "/page"))
    site.commit("ci")
    site.git("merge", "--quiet", "--no-ff", "--no-commit", "proposal")
    site.write("policies/cached.yaml", "# gone\n")
    inner = site.commit("ci", "inner")
    site.merge("dave", "side")
    site.refused("MergeSmuggling", 1608, inner, "policies/cached.yaml")


def test_nobody_grants_themselves_a_key(site):
    site.signers("alice", "bob", "carol", "dave", "ci", "mallory", groups=[SECURITY, {"name": "mine", "members": ["mallory"]}])
    commit = site.commit("mallory")
    site.refused("SelfGranting", 1607, commit, "signers.yaml")


def test_nobody_grants_themselves_a_path(site):
    site.signers("alice", "bob", "carol", "dave", "ci", rules=[{"paths": ["**"], "signers": ["ci"]}])
    commit = site.commit("ci")
    site.change("ci", "policies/page.txt")
    site.refused("SelfGranting", 1607, commit, "signers.yaml")


def test_nobody_grants_themselves_a_path_on_the_side(site):
    site.branch("proposal")
    site.signers("alice", "bob", "carol", "dave", "ci", rules=[{"paths": ["**"], "signers": ["ci"]}])
    commit = site.commit("ci")
    site.change("ci", "policies/page.txt")
    site.merge("dave", "proposal")
    site.refused("SelfGranting", 1607, commit, "signers.yaml")


def test_signers_change_by_those_whom_the_version_before_names(site):
    site.branch("proposal")
    site.signers("alice", "bob", "carol", "dave", "ci", "mallory", rules=[*RULES[:2], {"paths": ["**"], "signers": ["mallory"]}])
    site.commit("alice")
    grant = site.merge("bob", "proposal")
    site.change("mallory", "page.txt")
    assert site.verified()["signers"] == ["mallory"]
    commit = site.change("dave", "page.txt")
    site.refused("SignerNotAllowed", 1605, commit, "page.txt", f"{grant}..HEAD")


def test_who_was_removed_cannot_come_back_by_an_old_branch(site):
    site.branch("old")
    commit = site.change("dave", "page.txt")
    site.git("checkout", "--quiet", "main")
    site.branch("proposal")
    site.signers("alice", "bob", "carol", "ci", rules=[*RULES[:2], {"paths": ["**"], "signers": ["security"]}])
    site.commit("alice")
    base = site.merge("bob", "proposal")
    site.merge("alice", "old")
    site.refused("SignerUnknown", 1604, commit, revisions=f"{base}..HEAD")


@pytest.mark.parametrize("text, said", [
    ("kind: Signers\n", "apiVersion"),
    (f"apiVersion: {API}\nkind: Signers\nspec: {{ allowedSigners: 'alice ssh-rsa AAAA', rules: [{{ paths: ['**'], signers: [alice] }}] }}\n",
     "alice"),
    (f"apiVersion: {API}\nkind: Signers\nspec: {{ allowedSigners: '{{alice}}', rules: [{{ paths: ['**'], signers: [bob] }}] }}\n", "bob"),
    (f"apiVersion: {API}\nkind: Signers\nspec: {{ allowedSigners: '{{alice}}', rules: [{{ paths: ['**'], signers: [alice], required: 2 }}] }}\n",
     "2 signers are required")])
def test_signers_that_cannot_be_used_are_refused_where_they_come(site, text, said):
    site.branch("proposal")
    site.write("signers.yaml", text.replace("{alice}", allowed(site.keys, "alice").strip()))
    site.commit("alice")
    merge = site.merge("bob", "proposal")
    assert said in site.refused("SignersInvalid", 1601, merge, "signers.yaml")
    assert said in headgate("validate", ".", cwd=site.path, check=2).stdout


def entry_of(site, name):
    """As a tree has it."""
    mode, _, identity, _ = site.git("ls-tree", "HEAD", name).split()
    return f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(identity)


def commit_of_entries(site, signer, *entries):
    tree = subprocess.run(["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"], cwd=site.path, capture_output=True,
                          check=True, input=b"".join(entries)).stdout.decode().strip()
    commit = site.git(*site.signing(signer), "commit-tree", "--gpg-sign", "-p", "HEAD", "-m", "odd", tree)
    site.git("update-ref", "refs/heads/main", commit)
    return commit


def test_a_tree_that_git_would_not_write_is_refused(site):
    """Two entries of one name would be two files to two readers."""
    entry = entry_of(site, "shop.yaml")
    site.refused("CommitMalformed", 1612, commit_of_entries(site, "dave", entry, entry))


def test_a_tree_in_another_order_is_refused(site):
    """Who searches it does not find signers.yaml, which who lists it sees unchanged."""
    entries = [entry_of(site, name) for name in ("signers.yaml", "policies", "shop.yaml")]
    site.refused("CommitMalformed", 1612, commit_of_entries(site, "dave", *entries))


def test_signers_that_are_only_linked_to_are_none(site):
    site.branch("proposal")
    site.write("elsewhere.yaml", (site.path / "signers.yaml").read_text())
    site.commit("alice")
    (site.path / "signers.yaml").unlink()
    (site.path / "signers.yaml").symlink_to("elsewhere.yaml")
    site.commit("alice")
    merge = site.merge("bob", "proposal")
    site.refused("SignersInvalid", 1601, merge, "signers.yaml")


# --- OpenPGP -------------------------------------------------------------------------------------------------------


class Gpg:
    """A keyring of its own."""

    def __init__(self, folder):
        self.home = folder
        folder.mkdir(mode=0o700)

    def run(self, *arguments):
        return subprocess.run(["gpg", "--homedir", self.home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback",
                               *arguments], capture_output=True, text=True, check=True).stdout

    def make(self, name, kind="ed25519", expires="0"):
        self.run("--quick-generate-key", f"{name} <{name}@test>", kind, "sign", expires)
        return self.run("--armor", "--export", f"{name}@test")

    def stop(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)


@pytest.fixture
def gpg(tmp_path):
    ring = Gpg(tmp_path / "gnupg")
    yield ring
    ring.stop()


def commit_by_gpg(site, gpg, name, monkeypatch, file="page.txt"):
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    site.write(file, f"# {os.urandom(4).hex()}\n")
    site.git("add", "--all")
    site.git("-c", f"user.signingKey={name}@test", "commit", "--quiet", "--gpg-sign", "--message", "by gpg")
    monkeypatch.delenv("GNUPGHOME")
    return site.git("rev-parse", "HEAD")


@pytest.mark.parametrize("kind", ["ed25519", "rsa3072"])
def test_openpgp_signatures_hold(site, gpg, monkeypatch, kind):
    erin = gpg.make("erin", kind)
    gpg.make("mallory")
    site.signers("alice", "bob", "carol", "dave", "ci", openpgp=[{"signer": "erin", "publicKey": erin}],
                 rules=[*RULES[:2], {"paths": ["**"], "signers": ["erin"]}])
    base = site.commit("alice")
    commit = commit_by_gpg(site, gpg, "erin", monkeypatch)
    assert site.verified(f"{base}..HEAD")["signers"] == ["erin"]
    changed = tampered(site, commit)
    site.refused("SignatureInvalid", 1603, changed, revisions=f"{base}..HEAD")
    site.git("reset", "--quiet", "--hard", commit)
    other = commit_by_gpg(site, gpg, "mallory", monkeypatch)
    site.refused("SignerUnknown", 1604, other, revisions=f"{base}..HEAD")


def test_a_keyring_of_the_machine_begins_trust(site, gpg, monkeypatch, tmp_path):
    ring = tmp_path / "keys.asc"
    ring.write_text(gpg.make("erin"))
    gpg.make("mallory")
    headgate("verify", commit_by_gpg(site, gpg, "erin", monkeypatch), "--repo", site.path, "--openpgp-keyring", ring, check=0)
    headgate("verify", commit_by_gpg(site, gpg, "mallory", monkeypatch), "--repo", site.path, "--openpgp-keyring", ring, check=3)


def test_a_key_that_was_revoked_is_refused(site, gpg, monkeypatch):
    gpg.make("erin")
    commit = commit_by_gpg(site, gpg, "erin", monkeypatch)
    fingerprint = re.search(r"fpr:+([0-9A-F]{40}):", gpg.run("--with-colons", "--list-keys", "erin@test"))[1]
    certificate = (gpg.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    (gpg.home / "revoked").write_text(certificate[certificate.index("-----BEGIN"):])
    gpg.run("--import", gpg.home / "revoked")
    ring = gpg.home / "keys.asc"
    ring.write_text(gpg.run("--armor", "--export", "erin@test"))
    done = headgate("verify", commit, "--repo", site.path, "--openpgp-keyring", ring, check=3)
    assert "the key has been revoked" in done.stdout
