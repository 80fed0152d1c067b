# SPDX-License-Identifier: MIT
"""The CRS project's regression tests as octets on the wire: a file's cases, and what each expects."""
import base64
import dataclasses
import pathlib
import re
import urllib.parse

import yaml


@dataclasses.dataclass(frozen=True)
class Case:
    family: str
    title: str
    octets: bytes
    expected: str     # "920100": a rule that has to match; "" for none
    unexpected: str   # one that must not
    statuses: tuple   # when it is about no rule: any of these will do
    error: bool       # also: no answer at all

    @property
    def is_about_protocol(self):
        return self.expected.startswith(("920", "921"))


def lines(value):
    return "\r\n".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def form(data):
    """As the project's driver: what is not encoded yet is; pairs without a value go."""
    if urllib.parse.unquote(data) != data.replace("+", " ") and "%" in data:
        return data
    return urllib.parse.urlencode(urllib.parse.parse_qsl(data)) or data


def octets_of(request):
    if "encoded_request" in request:
        return base64.b64decode(request["encoded_request"])
    if "raw_request" in request:
        return request["raw_request"].encode("latin-1", "replace")
    headers = {name: lines(value) for name, value in (request.get("headers") or {}).items()}
    data = lines(request.get("data", ""))
    known = {name.lower(): value for name, value in headers.items()}
    if data and not request.get("stop_magic"):
        if known.setdefault("content-type", "application/x-www-form-urlencoded") == "application/x-www-form-urlencoded":
            data = form(data)
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = known["content-type"]
        if "content-length" not in known:
            headers["Content-Length"] = str(len(data.encode()))
    head = f"{request.get('method', 'GET')} {request.get('uri', '/')} {lines(request.get('version', 'HTTP/1.1'))}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\n{data}".encode()


def rule_id(value):
    found = re.search(r"\d{6}", lines(value))
    return found[0] if found else ""


def read(folder):
    """The cases about requests below `folder`, one a stage."""
    for file in sorted(pathlib.Path(folder).glob("REQUEST-*/*.yaml")):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for stage in test["stages"]:
                stage = stage.get("stage", stage)
                output = stage["output"]
                statuses = output.get("status", [])
                yield Case(file.parent.name, test["test_title"], octets_of(stage["input"]), rule_id(output.get("log_contains")),
                           rule_id(output.get("no_log_contains")), tuple(statuses if isinstance(statuses, list) else [statuses]),
                           bool(output.get("expect_error")))
