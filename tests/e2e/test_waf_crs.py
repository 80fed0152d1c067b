# SPDX-License-Identifier: MIT
"""The OWASP CRS over the wire: the project's own regression tests, from Debian's source package, at paranoia 4."""
import collections
import json
import socket

import crs_cases
from benign_requests import Corpus
from harness import ROOT, behavior, cache_policy, resource
from origin import Reply

CASES = ROOT / "build/sources/modsecurity-crs/tests/regression/tests"
HEADER = "X-Waf-Rules"


def exchange(port, octets):
    """Status (0: none) and matched rules of the answer to `octets`; the connection ends where they end."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        head = b""
        while b"\r\n\r\n" not in head or head.startswith(b"HTTP/1.1 1"):
            if head.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in head:
                head = head.partition(b"\r\n\r\n")[2]
                continue
            try:
                piece = client.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            head += piece
    fields = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    status = int(fields[0].split(" ")[1]) if fields[0].startswith("HTTP/1.") else 0
    matched = [field.partition(":")[2] for field in fields if field.lower().startswith(HEADER.lower() + ":")]
    return status, set("".join(matched).strip().split(","))


def agrees(case, status, matched):
    if not (case.expected or case.unexpected):
        return status in case.statuses or case.error and status in (0, 400)
    if case.unexpected in matched and case.unexpected:
        return False
    refused = status // 100 == 4 and matched == {""}
    return not case.expected or case.expected in matched or case.is_about_protocol and refused


def test_the_projects_own_regression_tests(serve, origin):
    cases = list(crs_cases.read(CASES))
    assert len(cases) > 2300
    origin.otherwise(Reply(body=b"fine"))
    group = {"group": "owasp-crs", "paranoia": 4,
             "setup": {"crs_validate_utf8_encoding": "1", "arg_name_length": "100", "arg_length": "400"}}
    edge = serve(resource("WebACL", "acl", {"rules": [{"name": "crs", "managed": group}]}), webAclRef="acl",
                 default=behavior(allowedMethods=["ALL"], cachePolicy="Managed-CachingDisabled"),
                 flags=("--waf-debug-header", HEADER))
    port = int(edge.http.rpartition(":")[2])
    families, differing = collections.Counter(), []
    for case in cases:
        status, matched = exchange(port, case.octets)
        if agrees(case, status, matched):
            families[case.family] += 1
        else:
            differing.append(f"{case.title}: expected {case.expected or '-'}, not {case.unexpected or '-'}, "
                             f"{status} matched {','.join(sorted(matched)) or '-'}")
    told = "\n".join([*(f"{family}: {count}" for family, count in families.items()), *differing])
    print(told)
    assert sum(families.values()) >= len(cases) * 2380 / 2396, told


def test_a_commit_compiles_no_group_that_it_leaves_alone(serve, origin, repository):
    group = {"name": "crs", "managed": {"group": "owasp-crs", "paranoia": 1}}
    edge = serve(resource("WebACL", "acl", {"rules": [group]}), webAclRef="acl")
    origin.page("/page")

    def compiled_after(file, *resources):
        edge.apply(repository, file, *resources)
        return edge.metric("headgate_waf_rule_sets_compiled_total")[""]

    assert edge.metric("headgate_waf_rule_sets_compiled_total")[""] == 1
    assert compiled_after("other.yaml", resource("WebACL", "other", {"rules": [{"name": "r", "action": "count"}]})) == 1
    first = {"name": "first", "when": {"path": {"exact": "/x"}}, "action": "block"}
    shop = json.loads((repository.path / "shop.yaml").read_text().split("\n---\n")[0])
    assert compiled_after("shop.yaml", shop, cache_policy(), resource("WebACL", "acl", {"rules": [first, group]})) == 1
    assert edge.get("/x").status == 403
    stricter = {**group, "managed": {**group["managed"], "paranoia": 2}}
    assert compiled_after("shop.yaml", shop, cache_policy(), resource("WebACL", "acl", {"rules": [first, stricter]})) == 2


def test_the_clock_of_a_request_is_no_other_requests(serve, origin):
    """A regex in a long text goes by its own request's time, whatever a group was allowed on this worker before."""
    origin.otherwise(Reply(body=b"fine"))
    crs = resource("WebACL", "crs", {"rules": [{"name": "crs", "managed": {"group": "owasp-crs", "paranoia": 1}}]})
    own = resource("WebACL", "own", {"body": {"inspect": "64KiB"}, "rules": [{"name": "evil", "when": {"body": {"regex": "x[a-w]*evil"}}, "action": "block"}]})
    edge = serve(crs, own, webAclRef="own", default=behavior(allowedMethods=["ALL"]),
                 cacheBehaviors=[behavior(pathPattern="/crs", webAclRef="crs", allowedMethods=["ALL"])])
    body = b"x" * 30_000 + b"evil"
    with edge.connect() as client:
        assert client.get("/crs?q=1").status == 200
        assert {client.request("POST", "/page", body).status for _ in range(300)} == {403}
    assert not any("budget" in labels and value for labels, value in edge.metric("headgate_waf_requests_total").items())


ATTACK = "q=%3Cscript%3Ealert(1)%3C/script%3E"
FORM, JSON, XML = ({"Content-Type": kind} for kind in ("application/x-www-form-urlencoded", "application/json", "text/xml"))


def test_what_cannot_be_looked_at_whole_is_refused(serve, origin):
    """An attack behind more than is looked at, or beside what takes too long, is behind a rule all the same."""
    origin.otherwise(Reply(body=b"fine"))
    crs = resource("WebACL", "crs", {"rules": [{"name": "crs", "managed": {"group": "owasp-crs", "paranoia": 1}}]})
    edge = serve(crs, webAclRef="crs", default=behavior(allowedMethods=["ALL"]), flags=("--waf-debug-header", HEADER))
    deep = b"[" * 100 + b"1" + b"]" * 100
    cases = {"arguments": ("GET", "/?" + "a&" * 1001 + ATTACK, None, {}, "200007"),
             "cookies": ("GET", "/", None, {"Cookie": "a=1; " * 1001 + ATTACK}, "200007"),
             "fields": ("POST", "/", b"a&" * 1001 + ATTACK.encode(), FORM, "200007"),
             "items": ("POST", "/", b"[" + b"1," * 1001 + b'"<script>alert(1)</script>"]', JSON, "200007"),
             "depth": ("POST", "/", b'{"a":' + deep + b',"b":"<script>alert(1)</script>"}', JSON, "20000"),
             "no JSON": ("POST", "/", b'{"a": nonsense', JSON, "200002"),
             "no multipart": ("POST", "/", b"--b\r\nnonsense\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, "20000"),
             "entities": ("POST", "/?" + ATTACK.replace("script", "b"), b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 50 + b'"><!ENTITY c "&b;&b;">]><a>&c;</a>', XML, "20000"),
             "time": ("GET", "/?x=1'%20or%20'1'='1&a=" + "|''" * 5000, None, {}, "crs")}
    with edge.connect() as client:
        for name, (method, target, body, headers, rule) in cases.items():
            answer = client.request(method, target, body, **{"User-Agent": "browser", "Accept": "*/*", **headers})
            assert answer.status == 403, (name, answer.status, answer.headers.get(HEADER.lower()))
            assert rule in answer.headers[HEADER.lower()], (name, answer.headers[HEADER.lower()])
        for method, target, body, headers in (("GET", "/?" + "a&" * 900, None, {}), ("POST", "/", b'{"a": [1e999, 2]}', JSON)):
            assert client.request(method, target, body, **{"User-Agent": "browser", "Accept": "*/*", **headers}).status == 200


def test_who_means_no_harm_is_let_through(serve, origin):
    """At paranoia 1, the one to begin with: at most one of 200 realistic requests is blocked."""
    origin.otherwise(Reply(body=b"fine"))
    setup = {"allowed_methods": "GET HEAD POST OPTIONS PUT PATCH DELETE",  # what crs-setup.conf tells everybody to set: of an API with beacons
             "allowed_request_content_type": "|application/x-www-form-urlencoded| |multipart/form-data| |text/xml| |application/json| |text/plain|"}
    rule = {"name": "crs", "managed": {"group": "owasp-crs", "paranoia": 1, "setup": setup}}
    edge = serve(resource("WebACL", "acl", {"rules": [rule]}), webAclRef="acl", flags=("--waf-debug-header", HEADER),
                 default=behavior(allowedMethods=["ALL"], cachePolicy="Managed-CachingDisabled"))
    count, blocked = 5000, []
    with edge.connect() as client:
        for kind, method, target, headers, body in Corpus().requests(count):
            answer = client.request(method, target, body, **{"Host": "shop.test", **headers})
            assert answer.status in (200, 403), (answer.status, kind, target)
            if answer.status == 403:
                blocked.append(f"{kind} {method} {target} {answer.headers[HEADER.lower()]} {body}")
        assert client.request("GET", "/?q=1'+or+'1'='1", None, Host="shop.test").status == 403
    assert len(blocked) <= count * 0.005, "\n".join(blocked)
