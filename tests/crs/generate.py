#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes requests that make CRS rules match: strings drawn from the rules' own expressions, put where the rules look.

usage: generate.py SEED COUNT [RULES_FOLDER] > requests    COUNT is how many for each rule
Each request is one line of JSON: {"rule", "method", "target", "protocol", "headers", "body"}, octets as Latin-1.
"""
import json
import random
import re
import sre_constants
import sre_parse
import sys
import urllib.parse
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # expressions of another dialect


class Strings:
    """Strings that an expression matches, most of them short."""

    def __init__(self, rng):
        self.rng = rng

    def draw(self, pattern):
        pattern = re.sub(r"\(\?<(\w+)>", r"(?P<\1>", pattern).replace(r"\h", r"\s").replace(r"\z", r"\Z")
        pattern = re.sub(r"([*+?}])\+", r"\1", pattern)
        self.groups = {}
        return "".join(self.sequence(sre_parse.parse(pattern, re.S)))

    def sequence(self, items):
        for kind, value in items:
            yield self.item(kind, value)

    def item(self, kind, value):
        name = str(kind)
        if name == "LITERAL":
            return chr(value) if value < 256 else "?"
        if name == "NOT_LITERAL":
            return self.rng.choice([c for c in "aZ0 <'/" if ord(c) != value])
        if name == "ANY":
            return self.rng.choice("abz09 _-")
        if name == "IN":
            return self.from_class(value)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = value
            high = low + 2 if high == sre_constants.MAXREPEAT else min(high, low + 4)
            return "".join("".join(self.sequence(inner)) for _ in range(self.rng.randint(low, high)))
        if name == "BRANCH":
            return "".join(self.sequence(self.rng.choice(value[1])))
        if name == "SUBPATTERN":
            group, _, _, inner = value
            text = "".join(self.sequence(inner))
            self.groups[group] = text
            return text
        if name == "GROUPREF":
            return self.groups.get(value, "")
        if name == "ASSERT":
            return "".join(self.sequence(value[1])) if value[0] > 0 else ""
        return ""  # anchors, assertions of absence

    def from_class(self, items):
        negated = items and str(items[0][0]) == "NEGATE"
        chosen = set()
        for kind, value in items:
            name = str(kind)
            if name == "LITERAL":
                chosen.add(value)
            elif name == "RANGE":
                chosen.update(range(value[0], min(value[1], 255) + 1))
            elif name == "CATEGORY":
                test = {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S", "WORD": r"\w",
                        "NOT_WORD": r"\W"}[str(value).replace("CATEGORY_", "")]
                chosen.update(c for c in range(256) if re.match(test, chr(c), re.A))
        allowed = [c for c in range(256) if (c in chosen) != negated]
        printable = [c for c in allowed if 32 <= c < 127]
        return chr(self.rng.choice(printable or allowed or [63]))


def rules(folder):
    """(id, targets, operator, argument, transformations) of every SecRule, links of chains under the first's id."""
    rule_id = None
    for path in sorted(Path(folder).glob("*.conf")):
        text = re.sub(r"(?m)^\s*#.*\n", "", path.read_text()).replace("\\\n", "")
        for line in text.splitlines():
            words = re.match(r'\s*SecRule\s+(\S+)\s+"((?:[^"\\]|\\.)*)"(?:\s+"((?:[^"\\]|\\.)*)")?', line)
            if not words:
                continue
            targets, operator, actions = words[1], re.sub(r'\\([\\"])', r"\1", words[2]), words[3] or ""
            found = re.search(r"id:(\d+)", actions)
            rule_id = found[1] if found else rule_id
            verb = re.match(r"(!?)@(\w+)\s*(.*)", operator, re.S)
            if verb:
                yield rule_id, targets, verb[1] + verb[2], verb[3], re.findall(r"t:(\w+)", actions), path.parent


class Requests:
    """Requests with a text in each of the places that a rule looks at."""

    def __init__(self, rng):
        self.rng = rng

    def encoded(self, text):
        style = self.rng.randrange(4)
        if style == 0:
            return urllib.parse.quote(text, safe="", encoding="latin-1")
        if style == 1:
            return urllib.parse.quote_plus(text, safe="/:;,.!*'()", encoding="latin-1")
        if style == 2:  # twice
            return urllib.parse.quote(urllib.parse.quote(text, safe="", encoding="latin-1"), safe="")
        return "".join(c if c.isalnum() else "%%%02x" % ord(c) for c in text)

    def request(self, rule, **changes):
        headers = {"Host": "localhost", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept": "*/*"}
        headers.update(changes.pop("headers", {}))
        request = {"rule": rule, "method": "GET", "target": "/", "protocol": "HTTP/1.1", "body": ""}
        request.update(changes)
        if request["body"]:
            headers.setdefault("Content-Length", str(len(request["body"])))
        request["headers"] = list(headers.items())
        return request

    def around(self, rule, target, text):
        """A request with `text` at `target`, or none where that is not for a client to say."""
        name, _, selector = target.lstrip("!&").partition(":")
        clean = re.sub(r"[\0\r\n]", " ", text).strip()
        if name in ("ARGS", "ARGS_GET"):
            parameter = selector if selector and not selector.startswith("/") else "q"
            return self.request(rule, target="/x?%s=%s" % (parameter, self.encoded(text)))
        if name in ("ARGS_NAMES", "ARGS_GET_NAMES"):
            return self.request(rule, target="/x?%s=1" % self.encoded(text))
        if name == "REQUEST_BODY":
            return self.form(rule, text)
        if name in ("REQUEST_COOKIES", "REQUEST_COOKIES_NAMES"):
            pair = "c=" + clean if name == "REQUEST_COOKIES" else clean + "=1"
            return self.request(rule, headers={"Cookie": pair.replace(";", "%3b")})
        if name == "REQUEST_HEADERS":
            return self.request(rule, headers={selector if selector and selector[0] != "/" else "X-Test": clean})
        if name == "REQUEST_HEADERS_NAMES":
            return self.request(rule, headers={re.sub(r"[^\w-]", "-", clean): "1"})
        if name in ("REQUEST_URI", "REQUEST_FILENAME", "REQUEST_BASENAME", "REQUEST_URI_RAW", "REQUEST_LINE"):
            path = urllib.parse.quote(text, safe="/:=?&.;,!*'()[]", encoding="latin-1")
            return self.request(rule, target=path if path.startswith("/") else "/" + path)
        if name == "QUERY_STRING":
            return self.request(rule, target="/?" + urllib.parse.quote(text, safe="=&", encoding="latin-1"))
        if name == "XML":
            escaped = re.sub(r"[^ -~\n]", "", text).replace("&", "&amp;").replace("<", "&lt;")
            if selector == "//@*":
                escaped = '<a b="%s"/>' % escaped.replace('"', "&quot;")
            else:
                escaped = "<a><b>%s</b></a>" % escaped
            return self.body(rule, "application/xml", escaped)
        if name in ("FILES", "FILES_NAMES"):
            value = clean.replace("\\", "\\\\").replace('"', '\\"')
            pair = ("f", value) if name == "FILES" else (value, "a.txt")
            return self.body(rule, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; "
                             'name="%s"; filename="%s"\r\n\r\nx\r\n--b--\r\n' % pair)
        return None

    def form(self, rule, text):
        kind = self.rng.randrange(3)
        if kind == 0:
            return self.body(rule, "application/x-www-form-urlencoded", "q=" + self.encoded(text))
        if kind == 1:
            return self.body(rule, "application/json", json.dumps({"a": [text], "b": {"c": text}}))
        return self.body(rule, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; "
                         'name="q"\r\n\r\n%s\r\n--b--\r\n' % text)

    def body(self, rule, kind, text):
        return self.request(rule, method="POST", headers={"Content-Type": kind}, body=text)


def texts(strings, rng, verb, argument, folder):
    """Texts that the operator may match."""
    verb = verb.lstrip("!")
    if verb == "rx":
        try:
            return strings.draw(argument)
        except (re.error, RecursionError, OverflowError):
            return None
    if verb == "pm":
        return rng.choice(argument.split())
    if verb == "pmFromFile":
        lines = [line for line in (folder / argument.split()[0]).read_text().splitlines() if line and line[0] != "#"]
        return rng.choice(lines)
    if verb in ("streq", "contains", "endsWith", "beginsWith", "within"):
        return None if "%{" in argument else argument
    if verb == "detectSQLi":
        return rng.choice(["1' or '1'='1", "1 union select a,b from c--", "';drop table x;--", "1 or 1=1#", "sleep(5)"])
    if verb == "detectXSS":
        return rng.choice(["<script>x</script>", "<img src=x onerror=y>", "' onmouseover='x", "<a href=javascript:x>"])
    if verb.startswith("validate"):
        return rng.choice(["\xff\xfe", "a\x01b", "%zz", "a\x7fb", "caf\xc3\xa9"])
    return None


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    folder = sys.argv[3] if len(sys.argv) > 3 else "/usr/share/modsecurity-crs/rules"
    rng = random.Random(seed)
    strings, requests = Strings(rng), Requests(rng)
    for rule_id, targets, verb, argument, _, parent in rules(folder):
        wanted = [t for t in targets.split("|") if t[0] not in "!&"]
        for _ in range(count):
            text = texts(strings, rng, verb, argument, parent)
            if not text:
                continue
            if rng.random() < 0.3:
                text = rng.choice(["a", "x ", "'", "/"]) + text + rng.choice(["b", " y", "\n", ")"])
            request = requests.around(rule_id, rng.choice(wanted), text)
            if request:
                print(json.dumps(request))


main()
