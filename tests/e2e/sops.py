# SPDX-License-Identifier: MIT
"""Files of secrets as sops (https://getsops.io) writes them: AES-256-GCM by value, a MAC over all, the key encrypted by age."""
import base64
import hashlib
import json
import os
import subprocess

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LAST_MODIFIED = "2026-11-20T06:00:00Z"


class AgeKey:
    """A key of age-keygen's: `file` is for the edge, `recipient` for whom writes secrets."""

    def __init__(self, file):
        self.file = file
        subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
        self.recipient = subprocess.run(["age-keygen", "-y", file], check=True, capture_output=True, text=True).stdout.strip()


def _seal(key, text, additional):
    iv = os.urandom(32)
    sealed = AESGCM(key).encrypt(iv, text.encode(), additional.encode())
    parts = {"data": sealed[:-16], "iv": iv, "tag": sealed[-16:]}
    return "ENC[AES256_GCM," + ",".join(f"{name}:{base64.b64encode(octets).decode()}" for name, octets in parts.items()) + ",type:str]"


def _said(value):
    return {True: "True", False: "False"}.get(value, str(value)) if not isinstance(value, str) else value


def encrypt(values, *recipients, mac_only_encrypted=False):
    """The text of a file with `values`, a map of maps, lists and scalars; keys that end with _unencrypted stay in clear."""
    key, digest = os.urandom(32), hashlib.sha512()

    def walk(value, path, clear):
        if isinstance(value, dict):
            return {name: walk(child, [*path, name], clear or name.endswith("_unencrypted")) for name, child in value.items()}
        if isinstance(value, list):
            return [walk(child, path, clear) for child in value]
        if not (clear and mac_only_encrypted):
            digest.update(_said(value).encode())
        return value if clear else _seal(key, _said(value), ":".join(path) + ":")

    tree = walk(values, [], False)
    tree["sops"] = {
        "age": [{"recipient": recipient, "enc": subprocess.run(["age", "-a", "-r", recipient], input=key, check=True, capture_output=True).stdout.decode()}
                for recipient in recipients],
        "lastmodified": LAST_MODIFIED, "mac": _seal(key, digest.hexdigest().upper(), LAST_MODIFIED), "unencrypted_suffix": "_unencrypted",
        "version": "3.9.4", **({"mac_only_encrypted": True} if mac_only_encrypted else {})}
    return json.dumps(tree, indent=2)  # which is YAML
