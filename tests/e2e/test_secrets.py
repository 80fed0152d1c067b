# SPDX-License-Identifier: MIT
"""Secrets of the repository, encrypted as sops does for age identities of edges."""
import json
import ssl
import subprocess

import pytest

import sops
from harness import cache_policy, distribution, headgate, resource, until
from harness import origin as upstream
from origin import Reply
from test_protocols import make_certificate, peer_certificate

SECRET = "correct horse battery staple"


@pytest.fixture
def key(tmp_path):
    return sops.AgeKey(tmp_path / "age.key")


@pytest.fixture
def guarded(serve, origin, repository, key):
    """An edge whose origin wants a secret; `text` is the file of secrets."""
    def start(text=None, name="edge-auth", flags=None):
        origin.otherwise(Reply(headers={"Cache-Control": "no-store"}))
        repository.write("secrets/origin.sops.yaml", text or sops.encrypt({"edge-auth": SECRET}, key.recipient))
        return serve(origins=[upstream("main", origin.port, customHeaders={"X-Edge-Auth": {"valueFrom": {"secret": name}}})],
                     flags=("--age-identity", key.file) if flags is None else flags)
    return start


def sent(edge, origin):
    edge.get("/page")
    return origin.requests[-1].header("X-Edge-Auth")


def refusal(repository, run, *flags):
    """What an edge says that boots with what it cannot use."""
    edge = run(*flags, wait=False)
    return until(lambda: edge.status()["diagnostics"], "the refusal")


def test_a_secret_is_decrypted_in_memory_and_shown_nowhere(guarded, origin, repository, tmp_path):
    edge = guarded()
    assert sent(edge, origin) == SECRET
    written = [edge.output.text(), json.dumps(edge.status()),
               *(file.read_bytes().decode("latin-1") for file in (tmp_path / "state").rglob("*") if file.is_file())]
    assert not any(SECRET in text for text in written)


def test_a_commit_with_another_value_goes_live(guarded, origin, repository, key):
    edge = guarded()
    repository.write("secrets/origin.sops.yaml", sops.encrypt({"edge-auth": "the next one"}, key.recipient))
    edge.apply(repository)
    assert sent(edge, origin) == "the next one"


def test_values_in_maps_lists_and_in_clear(guarded, origin, repository, key):
    deep = {"comment_unencrypted": "for people", "number_unencrypted": 5, "yes_unencrypted": True,
            "origins": {"shop": {"auth": SECRET, "others": ["a", "b"]}}}
    edge = guarded(sops.encrypt(deep, key.recipient), name="origins.shop.auth")
    assert sent(edge, origin) == SECRET
    only = sops.encrypt({**deep, "comment_unencrypted": "changed"}, key.recipient, mac_only_encrypted=True)
    repository.write("secrets/origin.sops.yaml", only.replace("changed", "changed without sops"))
    edge.apply(repository)
    assert sent(edge, origin) == SECRET


def test_one_file_is_for_several_edges_and_an_identity_file_has_several_keys(guarded, origin, key, tmp_path):
    other = sops.AgeKey(tmp_path / "other.key")
    both = tmp_path / "both.key"
    both.write_text(other.file.read_text() + key.file.read_text())
    text = sops.encrypt({"edge-auth": SECRET}, "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg", key.recipient)
    assert sent(guarded(text, flags=("--age-identity", both)), origin) == SECRET


def test_the_private_key_of_a_certificate(serve, origin, repository, key, tmp_path):
    file, chain = make_certificate(tmp_path, "shop.test")
    repository.write("secrets/tls.sops.yaml", sops.encrypt({"shop-tls": file.read_text()}, key.recipient))
    (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {
        "secrets": {"ageIdentity": {"valueFrom": {"file": str(key.file)}}}}}))
    certificate = resource("Certificate", "shop-cert", {"certificate": chain, "privateKey": {"valueFrom": {"secret": "shop-tls"}}})
    edge = serve(certificate, aliases=["shop.test"], viewerCertificate={"certificateRef": "shop-cert"}, flags=("--config", tmp_path / "edge.yaml"))
    assert peer_certificate(edge.https, "shop.test") == ssl.PEM_cert_to_DER_cert(chain)


# --- What is refused -----------------------------------------------------------------------------------------------


def moved(text):
    tree = json.loads(text)
    tree["edge-auth"], tree["other"] = tree["other"], tree["edge-auth"]
    return json.dumps(tree)


def without(text):
    tree = json.loads(text)
    del tree["other"]
    return json.dumps(tree)


def in_clear(text):
    return json.dumps({**json.loads(text), "other": "in clear"})


def with_another_date(text):
    return text.replace(sops.LAST_MODIFIED, "2026-11-20T06:00:01Z")


@pytest.mark.parametrize("alter,told", [(moved, "the value of edge-auth has been altered, moved or is damaged"), (without, "MAC"),
                                        (in_clear, "MAC"), (with_another_date, "MAC")])
def test_what_was_altered_without_sops_is_refused_and_the_last_value_goes_on(guarded, origin, repository, key, alter, told):
    edge = guarded()
    repository.write("secrets/origin.sops.yaml", alter(sops.encrypt({"edge-auth": "x", "other": "y"}, key.recipient)))
    assert told in json.dumps(edge.refuse(repository))
    assert sent(edge, origin) == SECRET


def test_a_file_for_others_is_refused_with_the_names_of_both(guarded, origin, repository, key, tmp_path):
    edge = guarded()
    other = sops.AgeKey(tmp_path / "other.key")
    repository.write("secrets/origin.sops.yaml", sops.encrypt({"edge-auth": "x"}, other.recipient))
    told = json.dumps(edge.refuse(repository))
    assert f"it is encrypted for {other.recipient}, and this edge is {key.recipient}" in told
    assert sent(edge, origin) == SECRET


def test_without_an_identity_the_commit_is_refused_with_advice(guarded, repository, origin, run, key):
    repository.write("secrets/origin.sops.yaml", sops.encrypt({"edge-auth": SECRET}, key.recipient))
    repository.put("shop.yaml", distribution([upstream("main", origin.port, customHeaders={"X-Edge-Auth": {"valueFrom": {"secret": "edge-auth"}}})]),
                   cache_policy())
    repository.commit("shop")
    assert "this edge has no age identity: --age-identity FILE" in json.dumps(refusal(repository, run))


def test_an_identity_that_is_none_is_not_printed(repository, origin, run, key, tmp_path):
    repository.write("secrets/origin.sops.yaml", sops.encrypt({"edge-auth": SECRET}, key.recipient))
    repository.put("shop.yaml", distribution([upstream("main", origin.port, customHeaders={"X-Edge-Auth": {"valueFrom": {"secret": "edge-auth"}}})]),
                   cache_policy())
    repository.commit("shop")
    spoilt = tmp_path / "spoilt.key"
    text = key.file.read_text().rstrip()
    spoilt.write_text(text[:-1] + ("P" if text.endswith("Q") else "Q") + "\n")
    told = json.dumps(refusal(repository, run, "--age-identity", spoilt))
    assert "line 3: it is no identity of age's" in told
    assert "AGE-SECRET-KEY-1Q" not in told and spoilt.read_text().split("\n")[2] not in told


def test_validation_knows_names_and_files_without_any_key(repository, key):
    repository.write("secrets/one.sops.yaml", sops.encrypt({"edge-auth": "x", "twice": "x"}, key.recipient))
    repository.write("secrets/plain.sops.yaml", "edge-key: in clear\n")
    repository.write("secrets/two.sops.yaml", sops.encrypt({"twice": "x"}, key.recipient))
    repository.put("shop.yaml", distribution([upstream("main", 80, customHeaders={"X-Edge-Auth": {"valueFrom": {"secret": "edge-auht"}}})]), cache_policy())
    told = headgate("validate", repository.path, check=None)
    assert told.returncode == 2
    text = told.stdout + told.stderr
    assert 'there is no secret "edge-auht"' in text and 'did you mean "edge-auth"?' in text
    assert "secrets/plain.sops.yaml:1:1: error: [HG1414]" in text
    assert 'there already is a secret "twice"' in text


def test_age_itself_cannot_read_what_was_encrypted_for_another(key, tmp_path):
    """What the files are made with is the real age: a check of the test's own tools."""
    text = json.loads(sops.encrypt({"a": "b"}, key.recipient))["sops"]["age"][0]["enc"]
    assert len(subprocess.run(["age", "-d", "-i", key.file], input=text.encode(), capture_output=True, check=True).stdout) == 32
