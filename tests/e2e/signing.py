# SPDX-License-Identifier: MIT
"""A repository whose commits are signed, by real git and ssh-keygen, and what `headgate verify` says of it."""
import json
import os
import re
import subprocess

import pytest

from harness import API, cache_policy, distribution, headgate

KEYS = {"alice": ("ed25519", ""), "bob": ("ecdsa", "256"), "carol": ("rsa", "3072"), "dave": ("ed25519", ""), "ci": ("ed25519", ""),
        "mallory": ("ed25519", "")}
SECURITY = {"name": "security", "members": ["alice", "bob", "carol"]}
RULES = [{"paths": ["signers.yaml", "waf/**"], "signers": ["security"], "required": 2},
         {"paths": ["invalidations/**"], "signers": ["ci", "security"], "kinds": ["Invalidation"]},
         {"paths": ["**"], "signers": ["security", "dave"]}]


def make_key(folder, name, kind, bits=""):
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *(["-b", bits] if bits else []), "-N", "", "-C", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder, name, kind, bits) for name, (kind, bits) in KEYS.items()}


def public(key):
    return key.with_suffix(".pub").read_text().strip()


def allowed(keys, *names):
    return "".join(f"{name} {public(keys[name])}\n" for name in names)


class Site:
    """A repository whose commits are signed. It begins with a signers.yaml of RULES, signed by alice."""

    def __init__(self, repository, keys, tmp_path):
        self.repository, self.keys = repository, keys
        self.git, self.put, self.write, self.path = repository.git, repository.put, repository.write, repository.path
        self.trusted = tmp_path / "allowed_signers"
        self.trusted.write_text(allowed(keys, "alice"))
        self.signers("alice", "bob", "carol", "dave", "ci")
        self.put("shop.yaml", distribution(9))
        self.put("policies/cached.yaml", cache_policy())
        self.first = self.commit("alice")

    def signers(self, *names, groups=(SECURITY,), rules=RULES, **spec):
        self.put("signers.yaml", {"apiVersion": API, "kind": "Signers", "spec": {
            "allowedSigners": allowed(self.keys, *names), "groups": list(groups), "rules": list(rules), **spec}})

    def signing(self, signer):
        return ("-c", "gpg.format=ssh", "-c", f"user.signingKey={self.keys[signer]}") if signer else ()

    def commit(self, signer, message="change"):
        """Everything, signed by `signer` (None: by nobody); the commit's id."""
        self.git("add", "--all")
        sign = ["--gpg-sign"] if signer else ["--no-gpg-sign"]
        self.git(*self.signing(signer), "commit", "--quiet", "--allow-empty", *sign, "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, signer, file, text=None):
        """A commit that only changes `file`."""
        self.write(file, text or f"# {os.urandom(4).hex()}\n")
        return self.commit(signer)

    def branch(self, name, at="HEAD"):
        self.git("checkout", "--quiet", "-b", name, at)

    def merge(self, signer, branch, *options):
        """Into main."""
        self.git("checkout", "--quiet", "main")
        self.git(*self.signing(signer), "merge", "--quiet", "--no-ff", "--gpg-sign", "--message", f"merge {branch}", *options, branch)
        return self.git("rev-parse", "HEAD")

    def verify(self, revisions=None, check=None):
        done = headgate("verify", revisions or f"{self.first}..HEAD", "--repo", self.path, "--json", check=check)
        return json.loads(done.stdout)

    def verified(self, revisions=None):
        verdict = self.verify(revisions, check=0)
        assert verdict["verified"] and not verdict["diagnostics"]
        return verdict

    def refused(self, reason, code, commit, path="", revisions=None):
        verdict = self.verify(revisions, check=3)
        first = verdict["diagnostics"][0]
        place = re.escape(commit[:12]) + (re.escape(":" + path) if path else "")
        assert verdict["reason"] == reason, verdict
        assert re.match(rf"{place}.*: error: \[HG{code}\] the commit ", first), first
        assert "\n  hint: " in first
        return first


@pytest.fixture
def site(repository, keys, tmp_path):
    return Site(repository, keys, tmp_path)
