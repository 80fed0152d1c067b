# SPDX-License-Identifier: MIT
"""The Debian package, as a file: what is in it, and that it is the same whenever it is made."""
import hashlib
import os
import re
import subprocess

import pytest
from conftest import MADE, ROOT
from harness import BINARY


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def package():
    found = list((MADE / "deb").glob("headgate_*.deb"))
    assert len(found) == 1, f"{found}: one is expected. Make it: images/deb/build.sh"
    return found[0]


@pytest.fixture(scope="session")
def tree(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    run("dpkg-deb", "--extract", package, folder)
    return folder


def test_made_twice_it_is_the_same(package, tmp_path):
    run(ROOT / "images/deb/build.sh", tmp_path)
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (package, *tmp_path.glob("*.deb"))}
    assert len(digests) == 1


def test_it_needs_nothing_but_bookworm(package):
    depends = run("dpkg-deb", "--field", package, "Depends")
    assert "ngtcp2" not in depends and "nghttp3" not in depends  # bookworm has others than those that are linked
    assert {"git", "gpgv", "openssh-client", "ca-certificates"} <= set(re.split(r",\s*", depends.strip()))


def test_no_private_key_is_in_it(tree):
    found = subprocess.run(["grep", "-rlaE", "^-----BEGIN [A-Z ]*PRIVATE KEY-----$", tree], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (1, "")


def test_what_was_made_is_listed_and_signed(package, tmp_path):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    (tmp_path / "signers").write_text("release@headgate " + (tmp_path / "key.pub").read_text())
    (tmp_path / "made/deb").mkdir(parents=True)
    os.link(package, tmp_path / "made/deb" / package.name)
    run(ROOT / "images/sums.sh", "--sign-key", tmp_path / "key", tmp_path / "made")
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=tmp_path / "made")
    assert (tmp_path / "made/SHA256SUMS").read_text().split()[1] == f"deb/{package.name}"
    with open(tmp_path / "made/SHA256SUMS") as sums:
        verify = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-I", "release@headgate", "-n", "headgate-image",
                  "-s", tmp_path / "made/SHA256SUMS.sig"]
        assert subprocess.run([*map(str, verify)], stdin=sums, capture_output=True).returncode == 0


def test_the_unit_gives_the_process_next_to_nothing(tree):
    unit = tree / "lib/systemd/system/headgate.service"
    rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit],
                           capture_output=True, text=True)
    assert rated.returncode == 0, rated.stdout


def subcommands(words=()):
    text = run(BINARY, *words, "--help")
    _, _, table = text.partition("\nSubcommands:\n")
    names = re.findall(r"^  (\S+)", table.partition("\n\n")[0], re.MULTILINE)
    yield words, text
    for name in names:
        yield from subcommands((*words, name))


def flags(text):
    return {flag for line in re.findall(r"^  (-\S+)", text, re.MULTILINE) for flag in line.split(",")}


def test_every_subcommand_has_a_manual_page_with_all_of_its_flags(tree):
    pages = tree / "usr/share/man/man1"
    for words, text in subcommands():
        page = pages / f"{'-'.join(('headgate', *words))}.1.gz"
        # Warnings of the formatter go to standard error.
        done = subprocess.run(["man", "--warnings", "--local-file", page], capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "400", "MAN_KEEP_FORMATTING": ""})
        assert (done.returncode, done.stderr) == (0, ""), page
        missing = {flag for flag in flags(text) if not re.search(rf"(^|\s){re.escape(flag)}\b", done.stdout)}
        assert not missing, page
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"):
            assert re.search(rf"^{heading}$", done.stdout, re.MULTILINE), (page, heading)
        assert "(Env:" not in done.stdout, page


def test_the_machines_file_has_a_manual_page_and_the_one_that_is_installed_is_valid(tree):
    done = run("man", "--local-file", tree / "usr/share/man/man5/headgate-edge.yaml.5.gz")
    for field in ("sshKeyFile", "cacheMemory", "maxConnections"):
        assert re.search(rf"^\s+{field}\b", done, re.MULTILINE), field
    # All that it lacks is the repository.
    started = subprocess.run([BINARY, "run", "--config", tree / "etc/headgate/edge.yaml"], capture_output=True, text=True)
    assert started.returncode == 2
    assert started.stderr.startswith("headgate: no source: give --source PATH-or-URL"), started.stderr


def completed(tree, *words):
    script = f"""source {tree}/usr/share/bash-completion/completions/headgate
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _headgate; printf '%s\\n' "${{COMPREPLY[@]}}" """
    return set(run("bash", "-c", script, "bash", "headgate", *words).split())


def test_bash_completes_every_subcommand_and_flag(tree):
    for words, text in subcommands():
        assert completed(tree, *words, "--") == {flag for flag in flags(text) if flag.startswith("--")}, words
    assert {"run", "status", "purge"} <= completed(tree, "")
    assert completed(tree, "get", "w") == {"warm"}
    assert completed(tree, "run", "--config", str(ROOT / "LICEN")) == {str(ROOT / "LICENSE")}
    assert completed(tree, "run", "--poll", "") == set()


def test_zsh_and_fish_complete_every_flag_of_run(tree):
    zsh = (tree / "usr/share/zsh/vendor-completions/_headgate").read_text()
    fish = (tree / "usr/share/fish/vendor_completions.d/headgate.fish").read_text()
    for flag in flags(run(BINARY, "run", "--help")):
        assert f"{flag}[" in zsh, flag
        assert (f" -l {flag[2:]} " if flag.startswith("--") else f" -s {flag[1:]} ") in fish, flag
