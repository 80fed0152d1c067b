# SPDX-License-Identifier: MIT
"""Web ACLs over real HTTP: statements, order, actions, bodies, the cache, explain and Expect."""
import json
import re
import subprocess
import threading

import pytest

from harness import ROOT, behavior, cache_policy, curl, headgate, memory, resource, until
from test_http3 import gtlsclient

DEBUG = ("--waf-debug-header", "X-Waf-Rules")
TRUSTED = "apiVersion: headgate/v1\nkind: Edge\nspec: { trustedProxies: [127.0.0.1] }\n"


def acl(*rules, name="acl", **spec):
    return resource("WebACL", name, {"rules": list(rules), **spec})


def rule(name, when=None, action="block", **more):
    return {"name": name, **({"when": when} if when else {}), "action": action, **more}


@pytest.fixture
def guarded(serve, origin):
    """An edge whose distribution has an ACL of these rules; the origin answers everything with 200 `content`."""
    def start(*rules, flags=(), distribution=None, **spec):
        for path in ("/", "/page", "/admin", "/other"):
            origin.page(path, body=b"content")
        return serve(acl(*rules, **spec), flags=(*DEBUG, *flags), webAclRef="acl",
                     default=behavior(allowedMethods=["ALL"]), **(distribution or {}))
    return start


def samples(edge):
    """{(rule, action): count}"""
    found = {}
    for labels, value in edge.metric("headgate_waf_requests_total").items():
        parts = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found[parts["rule"], parts["action"]] = value
    return found


# --- What is refused, and how --------------------------------------------------------------------------------------


def test_a_refusal_has_a_status_a_reason_in_proxy_status_and_log_and_a_metric(guarded, tmp_path):
    edge = guarded(rule("admin", {"path": {"prefix": "/admin"}}), flags=("--access-log", tmp_path / "log"))
    answer = edge.get("/admin/x")
    assert answer.status == 403
    assert answer.headers["proxy-status"] == 'headgate; error=http_request_denied; details="waf admin"'
    assert b"reason: waf" in answer.body
    assert edge.get("/page").status == 200
    assert samples(edge) == {("admin", "block"): 1, ("default", "allow"): 1}
    until(lambda: edge.metric("headgate_edge_responses_total").get('reason="waf"') == 1, "the count, which is after the answer")
    line = until(lambda: [json.loads(one) for one in (tmp_path / "log").read_text().splitlines()
                          if json.loads(one)["target"] == "/admin/x"], "the line")[0]
    assert (line["reason"], line["waf_rule"], line["waf_matched"], line["status"]) == ("waf", "admin", "admin", 403)


def test_custom_answers(guarded, repository):
    repository.write("pages/denied.html", "<p>no</p>")
    edge = guarded(
        rule("file", {"path": {"exact": "/file"}}, {"block": {"status": 410, "body": "pages/denied.html",
                                                             "headers": {"X-Why": "because", "Cache-Control": "private"}}}),
        rule("text", {"path": {"exact": "/text"}}, {"block": {"status": 200, "body": "nothing to see"}}),
        rule("status", {"path": {"exact": "/status"}}, {"block": {"status": 404}}),
        distribution={"customErrorResponses": [{"errorCode": 404, "responseCode": 404, "inlineBody": "a page of errors"}]})
    answer = edge.get("/file")
    assert (answer.status, answer.body) == (410, b"<p>no</p>")
    assert answer.headers["content-type"].startswith("text/html")
    assert (answer.headers["x-why"], answer.headers["cache-control"]) == ("because", "private")
    answer = edge.get("/text")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"nothing to see", "no-store")
    answer = edge.get("/status")
    assert (answer.status, answer.body) == (404, b"a page of errors")
    head = edge.request("HEAD", "/file")
    assert (head.status, head.body, head.headers["content-length"]) == (410, b"", "9")


def test_what_is_refused_never_enters_the_cache_and_hits_are_refused_too(guarded, repository, origin):
    edge = guarded(rule("bad", {"header": {"name": "X-Bad", "exact": "1"}}, {"block": {"status": 200, "body": "refused"}}))
    assert edge.get("/page", X_Bad="1").body == b"refused"
    assert origin.count("/page") == 0
    assert edge.get("/page").body == b"content"
    assert edge.get("/page").is_hit
    assert edge.get("/page", X_Bad="1").body == b"refused"
    assert edge.get("/page").is_hit and origin.count("/page") == 1


def test_rules_come_before_the_method_check(serve, origin):
    edge = serve(acl(rule("trace", {"method": {"exact": "PURGE"}}, {"block": {"status": 418}})), webAclRef="acl")
    assert edge.request("PURGE", "/page").status == 418
    assert edge.request("DELETE", "/page").status == 405


def test_order_count_labels_insertion_and_the_default_action(guarded, origin):
    edge = guarded(
        rule("seen", {"args": {"contains": "x"}}, {"count": {"headers": {"X-Seen": "yes"}}}, labels=["arg:x"]),
        rule("friend", {"header": {"name": "x-friend", "exact": "1"}}, "allow"),
        rule("labelled", {"label": "arg:"}, {"block": {"status": 451}}),
        rule("page", {"path": {"regex": "^/(page|admin)$"}}, {"allow": {"headers": {"X-Page": "1"}}}),
        defaultAction={"block": {"status": 404}})
    answer = edge.get("/page?a=x", X_Friend="1", X_Seen="forged")
    assert (answer.status, answer.headers["x-waf-rules"]) == (200, "seen,friend")
    assert origin.requests[-1].header("X-Seen") == "yes"
    answer = edge.get("/page?a=x")
    assert (answer.status, answer.headers["x-waf-rules"]) == (451, "seen,labelled")
    answer = edge.get("/admin?a=y")
    assert (answer.status, answer.headers["x-waf-rules"]) == (200, "page")
    assert origin.requests[-1].header("X-Page") == "1" and origin.requests[-1].header("X-Seen") is None
    answer = edge.get("/other")
    assert (answer.status, answer.headers["x-waf-rules"]) == (404, "")
    assert samples(edge) == {("seen", "count"): 2, ("friend", "allow"): 1, ("labelled", "block"): 1, ("page", "allow"): 1,
                             ("default", "block"): 1}


def test_scope_is_the_distribution_or_a_behavior(serve, origin):
    for path in ("/a/x", "/b/x", "/c/x"):
        origin.page(path)
    edge = serve(acl(rule("all"), name="acl"), acl(rule("teapot", action={"block": {"status": 418}}), name="other"),
                 webAclRef="acl", cacheBehaviors=[behavior(pathPattern="/a/*", webAclRef="other"),
                                                  behavior(pathPattern="/b/*", webAclRef="none")])
    assert [edge.get(path).status for path in ("/a/x", "/b/x", "/c/x")] == [418, 200, 403]


def test_paths_are_matched_as_they_are_meant(guarded):
    edge = guarded(rule("git", {"path": {"contains": "/.git/"}}), rule("admin", {"path": {"prefix": "/admin", "transform": ["normalize_path"]}}))
    for target in ("/x%3F/.git/config", "/%61dmin", "//admin", "/x/../admin", "/x/%2e%2e/admin", "/.%67it/config"):
        assert edge.get(target).status == 403, target
    assert edge.get("/page").status == 200


# --- Every statement over the wire ---------------------------------------------------------------------------------


FORM = {"Content_Type": "application/x-www-form-urlencoded"}
JSON = {"Content_Type": "application/json"}
STATEMENTS = {
    "method": ({"method": {"exact": "PUT"}}, ("PUT", "/page", b"", {}), ("POST", "/page", b"", {})),
    "uri": ({"uri": {"regex": "%2f"}}, ("GET", "/a%2fb", None, {}), ("GET", "/a/b", None, {})),
    "query": ({"query": {"word": "union", "transform": ["url_decode", "lowercase"]}}, ("GET", "/page?q=%55NION+x", None, {}),
              ("GET", "/page?q=unions", None, {})),
    "arg": ({"arg": {"name": "q", "sqli": True}}, ("GET", "/page?q=1'%20or%20'1'='1", None, {}), ("GET", "/page?p=1'%20or%20'1'='1", None, {})),
    "args": ({"args": {"xss": True}}, ("GET", "/page?x=%3Cscript%3Ealert(1)%3C/script%3E", None, {}), ("GET", "/page?x=script", None, {})),
    "header": ({"header": {"name": "User-Agent", "contains": "sqlmap"}}, ("GET", "/page", None, {"User_Agent": "sqlmap/1"}),
               ("GET", "/page", None, {"User_Agent": "browser"})),
    "headers": ({"headers": {"of": "names", "exact": "x-evil"}}, ("GET", "/page", None, {"X_Evil": "1"}), ("GET", "/page", None, {"X_Good": "x-evil"})),
    "cookie": ({"cookie": {"name": "sid", "size": {"gt": "4"}}}, ("GET", "/page", None, {"Cookie": "a=1; sid=12345"}),
               ("GET", "/page", None, {"Cookie": "a=12345; sid=1"})),
    "body": ({"body": {"contains": "evil"}}, ("POST", "/page", b"an evil body", {}), ("POST", "/page", b"a good body", {})),
    "form": ({"form": {"only": ["name"], "exact": "o'neil"}}, ("POST", "/page", b"a=b&name=o%27neil", FORM), ("POST", "/page", b"a=o%27neil", FORM)),
    "json": ({"json": {"pointers": ["/user/name"], "exact": "root"}}, ("POST", "/page", b'{"user":{"name":"ro\\u006ft"}}', JSON),
             ("POST", "/page", b'{"name":"root"}', JSON)),
    "forwardedIp": ({"forwardedIp": {"in": "198.51.100.0/24"}}, ("GET", "/page", None, {"X_Forwarded_For": "198.51.100.9"}),
                    ("GET", "/page", None, {"X_Forwarded_For": "203.0.113.9"})),
    "injections": ({"xss": {"fields": ["body", "header:referer"]}}, ("GET", "/page", None, {"Referer": "<script>alert(1)</script>"}),
                   ("GET", "/page", None, {"Referer": "http://x.test/"})),
    "all": ({"all": [{"path": {"exact": "/page"}}, {"not": {"query": {"exact": ""}}}]}, ("GET", "/page?a", None, {}), ("GET", "/page", None, {})),
}


def test_every_statement(guarded, origin):
    for target in ("/a/b", "/a%2fb"):
        origin.page(target)
    rules = [rule(name, statement, {"block": {"status": 499}}) for name, (statement, _, _) in STATEMENTS.items()]
    edge = guarded(*rules)
    for name, (_, (method, target, body, headers), _) in STATEMENTS.items():
        answer = edge.request(method, target, body, **headers)
        assert (answer.status, answer.headers["x-waf-rules"]) == (499, name), name
    for name, (_, _, (method, target, body, headers)) in STATEMENTS.items():
        answer = edge.request(method, target, body, **headers)
        assert name not in answer.headers.get("x-waf-rules", ""), name


def test_addresses_from_files_countries_and_networks_owners(serve, origin, repository, tmp_path):
    origin.page("/page")
    database = tmp_path / "geo.mmdb"
    subprocess.run([ROOT / "tests/support/make_mmdb.pl", "--layout", "flat", database, "203.0.113.0/24=DE/64500", "198.51.100.0/24=KP"],
                   check=True)
    (tmp_path / "edge.yaml").write_text(TRUSTED)
    repository.write("ipsets/bad.txt", "# bad\n192.0.2.0/25\n2001:db8::/32 # both\n")
    edge = serve(acl(rule("ip", {"ip": "bad"}, {"block": {"status": 410}}), rule("geo", {"geo": ["KP"]}, {"block": {"status": 411}}),
                     rule("asn", {"asn": [64500]}, {"block": {"status": 412}}), ipSets={"bad": {"file": "ipsets/bad.txt"}}),
                 webAclRef="acl", flags=("--config", tmp_path / "edge.yaml", "--geoip", database))
    for address, status in (("192.0.2.1", 410), ("192.0.2.200", 200), ("2001:db8::1", 410), ("198.51.100.7", 411), ("203.0.113.7", 412)):
        assert edge.get("/page", X_Forwarded_For=address).status == status, address


def test_fingerprints_of_the_tls_handshake(guarded):
    edge = guarded(rule("modern", {"all": [{"ja4": {"regex": "^t13[di][0-9]{4}h2_[0-9a-f]{12}_[0-9a-f]{12}$"}}, {"ja3": {"size": {"eq": "32"}}}]},
                        {"block": {"status": 418}}),
                   rule("old", {"ja4": {"prefix": "t12"}}, {"block": {"status": 419}}))
    assert edge.get("/page").status == 200
    assert curl(f"https://{edge.https}/page").status == 418
    assert curl("--tls-max", "1.2", f"https://{edge.https}/page").status == 419


def test_fingerprints_of_the_quic_handshake(guarded):
    edge = guarded(rule("ja3", {"ja3": {"size": {"eq": "32"}}}, "count"),
                   rule("quic", {"ja4": {"regex": "^q13d[0-9]{4}h3_[0-9a-f]{12}_[0-9a-f]{12}$"}}, {"block": {"status": 418}}),
                   rule("tcp", {"ja4": {"prefix": "t13"}}, {"block": {"status": 419}}),
                   distribution={"httpVersion": "http2and3"})
    assert "[:status: 418]" in gtlsclient(edge)
    again = edge.h3("GET", "/page", sni="shop.test")  # another client, of another library
    assert (again.status, again.headers["x-waf-rules"]) == (418, "ja3,quic")
    assert curl(f"https://{edge.https}/page").status == 419
    assert edge.get("/page").status == 200


# --- Bodies --------------------------------------------------------------------------------------------------------


def test_a_body_is_seen_whole_however_it_arrives(guarded, origin):
    edge = guarded(rule("evil", {"body": {"contains": "evil"}}), body={"inspect": "4KiB"})
    with edge.socket() as client:
        client.sendall(b"POST /page HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for octet in b"xevilx":
            client.sendall(b"1\r\n" + bytes([octet]) + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 403")
    assert origin.count("/page") == 0
    good = bytes(range(256)) * 12
    assert edge.request("POST", "/page", good).status == 200
    assert origin.requests[-1].body == good


def test_a_form_or_json_that_an_origin_may_understand_otherwise_is_seen(guarded, origin):
    edge = guarded(rule("form", {"form": {"only": ["cmd"], "exact": "evil"}}),
                   rule("json", {"json": {"pointers": ["/user"], "exact": "root"}}))
    end = b'\r\n\r\nevil\r\n--b--\r\n'
    form = b'--b\r\nContent-Disposition: form-data; name="cmd"' + end
    for content_type in ("multipart/form-data;charset=utf-8;boundary=b", "multipart/form-data; Boundary=b",
                         'multipart/form-data; boundary="b"; charset=x'):
        assert edge.request("POST", "/page", form, Content_Type=content_type).status == 403, content_type
    for head in (b'--b \r\nContent-Disposition: form-data; name="cmd"', b'--b\r\nContent-Disposition: Form-Data; Name="cmd"',
                 b'--b\r\nContent-Disposition: form-data; x=y; name="cmd"', b'--b\r\nContent-Disposition: form-data; name="cmd"; filename=""'):
        assert edge.request("POST", "/page", head + end, Content_Type="multipart/form-data; boundary=b").status == 403, head
    for rest in (b"1e999}", b'"\\ud800"}', b"NaN}", b"1}x", b"[" * 300):
        assert edge.request("POST", "/page", b'{"user":"ro\\u006ft","a":' + rest, **JSON).status == 403, rest
    assert origin.count("/page") == 0
    assert edge.request("POST", "/page", form.replace(b"evil", b"fine"), Content_Type="multipart/form-data; Boundary=b").status == 200


@pytest.mark.parametrize("oversize,status", [("continue", 200), ("match", 403), ("no_match", 200)])
def test_a_body_longer_than_is_inspected_is_a_decision_and_streams_on(guarded, origin, oversize, status):
    edge = guarded(rule("evil", {"body": {"contains": "evil"}}), body={"inspect": "1KiB", "oversize": oversize})
    body = b"x" * 5000 + b"evil" + b"y" * 300_000
    assert edge.request("POST", "/page", body).status == status
    if status == 200:
        assert origin.requests[-1].body == body
    assert edge.request("POST", "/page", b"x" * 900 + b"evil" + b"y" * 5000).status == (200 if oversize == "no_match" else 403)


def test_a_body_over_http2(guarded, tmp_path, origin):
    edge = guarded(rule("evil", {"form": {"exact": "evil"}}))
    big = tmp_path / "body"
    big.write_bytes(b"a=" + b"x" * 100_000)
    assert curl("--http2", "--data-binary", "a=evil", f"https://{edge.https}/page").status == 403
    assert curl("--http2", "--data-binary", f"@{big}", f"https://{edge.https}/page").status == 200
    assert len(origin.requests[-1].body) == 100_002


def test_only_bodies_that_matter_are_waited_for(guarded, origin):
    """The origin has the request's beginning before its end is sent."""
    edge = guarded(rule("evil", {"all": [{"path": {"exact": "/upload"}}, {"body": {"contains": "evil"}}]}))
    with edge.socket() as client:
        client.sendall(b"POST /page HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nab")
        until(lambda: edge.metric("headgate_origin_requests_total")[""] >= 1, "the origin to be asked")
        client.sendall(b"cd")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_while_its_body_is_held_back(guarded):
    edge = guarded(rule("evil", {"body": {"contains": "evil"}}))
    with edge.socket() as client:
        client.sendall(b"POST /page HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nab")
    until(lambda: edge.metric("headgate_requests_aborted_total")[""] == 1, "the request to end")
    assert edge.get("/page").status == 200


# --- Offline -------------------------------------------------------------------------------------------------------


def test_explain_shows_the_rule_the_field_and_the_transformations(guarded, repository):
    guarded(rule("sneaky", {"path": {"prefix": "/admin", "transform": ["url_decode", "lowercase"]}}),
            rule("body", {"body": {"contains": "evil"}}))
    told = headgate("explain", "GET", "http://shop.test/ADMIN/x", "--repo", repository.path, check=0).stdout
    assert re.search(r'^waf +rule sneaky matches: path after url_decode, lowercase, which is "/admin/x", begins with "/admin" -> block$',
                     told, re.M), told
    assert re.search(r"^answer +403 by the edge, reason waf$", told, re.M), told
    told = headgate("explain", "POST", "http://shop.test/", "--data", "so evil", "--repo", repository.path, check=0).stdout
    assert re.search(r'^waf +acl: blocked by rule body$', told, re.M), told


def test_expect_knows_verdicts_and_refuses_a_commit_that_breaks_them(guarded, repository):
    edge = guarded(rule("admin", {"path": {"prefix": "/admin"}}, {"block": {"headers": {"X-No": "1"}}}))
    case = {"request": {"url": "http://shop.test/admin", "ip": "192.0.2.1"},
            "expect": {"status": 403, "reason": "waf", "rule": "admin", "headers": {"x-no": "1"}}}
    edge.apply(repository, "expect.yaml", resource("Expect", "waf", {"distribution": "shop", "cases": [case]}))
    repository.put("expect.yaml", resource("Expect", "waf", {"distribution": "shop", "cases": [
        case, {"request": {"url": "http://shop.test/page"}, "expect": {"rule": "admin"}}]}))
    status = edge.refuse(repository)
    assert "rule: expected admin, got none" in json.dumps(status)


def test_what_cannot_be_compiled_is_refused_with_its_place(guarded, repository):
    edge = guarded(rule("ok", {"path": {"exact": "/x"}}))
    repository.write("acl2.yaml", "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: two }\nspec:\n  rules:\n"
                     "    - { name: r, when: { query: { regex: a(b } }, action: block }\n")
    assert "acl2.yaml:6:45: error: [HG1412]" in json.dumps(edge.refuse(repository))


def test_a_group_that_lacks_the_rule_is_refused_in_its_line(guarded, repository):
    edge = guarded(rule("ok", {"path": {"exact": "/x"}}))
    repository.write("acl2.yaml", "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: acl }\nspec:\n  rules:\n"
                     "    - { name: ok, when: { path: { exact: /x } }, action: block }\n"
                     "    - { name: crs, managed: { group: owasp-crs }, override: { \"942999\": off } }\n")
    shop = json.loads((repository.path / "shop.yaml").read_text().split("\n---\n")[0])
    repository.put("shop.yaml", shop, cache_policy())
    told = json.dumps(edge.refuse(repository))
    assert "acl2.yaml:7" in told, told
    assert re.search(r"rule crs: managed: [^\"]*override 942999: the group has no such rule", told)


# --- The memory of what is held back -------------------------------------------------------------------------------


def held(edge, octets):
    until(lambda: edge.metric("headgate_waf_held_body_bytes")[""] == octets, f"{octets} octets that are held")


def test_bodies_that_are_held_back_have_a_bound_in_common(guarded, tmp_path):
    (tmp_path / "edge.yaml").write_text("apiVersion: headgate/v1\nkind: Edge\nspec: { limits: { maxHeldBodies: 64KiB } }\n")
    edge = guarded(rule("evil", {"body": {"contains": "evil"}}), body={"inspect": "64KiB"}, flags=("--config", tmp_path / "edge.yaml"))
    with edge.socket() as slow:
        slow.sendall(b"POST /page HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 50001\r\n\r\n" + b"x" * 50_000)
        held(edge, 50_000)
        answer = edge.request("POST", "/page", b"y" * 20_000)
        assert answer.status == 503
        assert answer.headers["proxy-status"].endswith('details="overloaded"')
        assert edge.metric("headgate_limit_exceeded_total")['limit="maxHeldBodies"'] == 1
        assert edge.request("POST", "/page", b"y" * 10_000).status == 200
        slow.sendall(b"x")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        held(edge, 0)
        assert edge.request("POST", "/page", b"y" * 20_000).status == 200
    held(edge, 0)


# --- Many commits --------------------------------------------------------------------------------------------------


def test_a_hundred_commits_under_load_leave_memory_as_it_was(guarded, repository):
    rules = [rule(f"r{i}", {"any": [{"query": {"regex": f"(?i)attack{i}[+]+[a-z]+"}}, {"headers": {"contains": f"evil{i}"}}]}) for i in range(20)]
    edge = guarded(*rules)
    stop, failures = threading.Event(), []

    def load():
        with edge.connect() as client:
            while not stop.is_set():
                if client.get("/page?q=attack3+now").status != 403 or client.get("/page").status != 200:
                    failures.append(1)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(100):
            edge.apply(repository, "acl.yaml", acl(*rules, rule("changing", {"query": {"exact": str(i)}}), name="unused")) \
                if i % 2 else edge.apply(repository, "shop-acl.yaml", acl(rule("swap", {"query": {"contains": f"s{i}"}}), name="second"))
            if i == 30:
                before = memory(edge)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert memory(edge) - before < 24 << 20
