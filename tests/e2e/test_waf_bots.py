# SPDX-License-Identifier: MIT
"""Labels of bots over real HTTP and a real DNS server: who is verified, who lies, and that no request waits for DNS."""
import json
import re
import threading

import pytest

from dns_server import DnsServer, reverse
from harness import behavior, headgate, resource, until
from test_waf import DEBUG, acl, rule

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
RULES = [rule(verdict, {"label": f"bot:{verdict}"}, "count") for verdict in ("verified", "unverified", "pending")]


@pytest.fixture
def dns():
    server = DnsServer()
    yield server
    server.close()


@pytest.fixture
def guarded(serve, origin, dns, tmp_path):
    """An edge that asks `dns`, and whose X-Waf-Rules names the verdict on a request; clients' addresses are X-Forwarded-For."""
    def start(bots, *rules, flags=(), **spec):
        origin.page("/page", body=b"content")
        (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {
            "trustedProxies": ["127.0.0.1"], "resolvers": [dns.address]}}))
        return serve(acl(*(rules or RULES), bots=bots, **spec), webAclRef="acl", default=behavior(allowedMethods=["ALL"]),
                     flags=(*DEBUG, "--config", tmp_path / "edge.yaml", *flags))
    return start


def verdict(edge, address, agent=GOOGLEBOT):
    answer = edge.get("/page", X_Forwarded_For=address, User_Agent=agent)
    assert answer.status == 200
    return answer.headers["x-waf-rules"]


def settled(edge, address, agent=GOOGLEBOT):
    """The verdict when DNS has said."""
    return until(lambda: (lambda found: found if found != "pending" else None)(verdict(edge, address, agent)), f"a verdict on {address}")


def lookups(edge):
    return {re.search('result="(.*)"', labels)[1]: count for labels, count in edge.metric("headgate_waf_bot_lookups_total").items()}


# --- Verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["66.249.66.1", "2001:4860:4801:10::1"])
def test_who_has_a_name_of_the_bot_both_ways_is_verified(guarded, dns, address):
    dns.crawler(address, "crawl-1.googlebot.com")
    edge = guarded(["googlebot"])
    assert verdict(edge, address) == "pending"
    assert settled(edge, address) == "verified"
    assert verdict(edge, address, "Mozilla/5.0 (X11; Linux x86_64)") == ""
    assert lookups(edge) == {"verified": 1, "unverified": 0, "failed": 0, "refused": 0}
    assert edge.metric("headgate_waf_bot_verdicts")[""] == 1


def test_who_has_not_is_unverified(guarded, dns):
    liars = {}

    def liar(number, *names):
        address = f"203.0.113.{number}"
        liars[address] = names
        dns.names(address, *names)
        return address

    liar(1, "host-1.cloud.example")
    liar(2, "crawl.googlebot.com.evil.example")
    liar(3, "evilgooglebot.com")
    dns.addresses("evilgooglebot.com", "203.0.113.3")
    liar(4, "crawl-4.googlebot.com")                          # says its own reverse zone; googlebot.com knows no such name
    dns.addresses(liars[liar(5, "crawl-5.googlebot.com")][0], "66.249.66.5", "2001:db8::5")  # … and has another address
    dns.addresses(liars[liar(6, "crawl-6.googlebot.com")][0], "2001:db8::6")                 # … and only one of IPv6
    liar(7, "crawl\\.googlebot\\.com")                        # one label, with dots in it
    liars["203.0.113.8"] = ()                                 # no name at all
    edge = guarded(["googlebot"])
    for address in liars:
        assert settled(edge, address) == "unverified", address
    assert lookups(edge) == {"verified": 0, "unverified": 8, "failed": 0, "refused": 0}
    asked = {name for name, kind in dns.asked if kind in ("A", "AAAA")}
    assert asked == {"crawl-4.googlebot.com", "crawl-5.googlebot.com", "crawl-6.googlebot.com"}


def test_an_address_with_many_names_is_believed_for_one_and_costs_no_more_than_some(guarded, dns):
    dns.names("66.249.66.1", *(f"host-{i}.a-rather-long-name-for-a-host.example" for i in range(300)), "crawl-1.googlebot.com")
    dns.addresses("crawl-1.googlebot.com", *(f"66.249.66.{i}" for i in range(1, 60)))
    dns.names("203.0.113.1", *(f"crawl-{i}.googlebot.com" for i in range(100, 400)))
    edge = guarded(["googlebot"])
    assert settled(edge, "66.249.66.1") == "verified"
    assert dns.over_tcp >= 1
    assert settled(edge, "203.0.113.1") == "unverified"
    assert len({name for name, kind in dns.asked if kind == "A"}) == 1 + 8


def test_a_delegated_reverse_zone(guarded, dns):
    """RFC 2317: the PTR record is behind a CNAME."""
    dns.alias(reverse("66.249.66.1"), "1.0-63.66.249.66.in-addr.arpa")
    dns.pointers("1.0-63.66.249.66.in-addr.arpa", "crawl-1.googlebot.com")
    dns.addresses("crawl-1.googlebot.com", "66.249.66.1")
    edge = guarded(["googlebot"])
    assert settled(edge, "66.249.66.1") == "verified"


def test_published_ranges_decide_without_dns(guarded, dns, repository):
    repository.write("bots/googlebot.json", json.dumps({"creationTime": "2026-11-20T00:00:00.000000", "prefixes": [
        {"ipv6Prefix": "2001:4860:4801:10::/64"}, {"ipv4Prefix": "66.249.64.0/27"}]}))
    edge = guarded([{"name": "googlebot", "ranges": {"file": "bots/googlebot.json"}},
                    {"name": "partner", "userAgent": "PartnerFetch", "ranges": ["192.0.2.0/24"]}])
    assert verdict(edge, "66.249.64.5") == "verified"
    assert verdict(edge, "2001:4860:4801:10::5") == "verified"
    assert verdict(edge, "192.0.2.5", "partnerfetch/1") == "verified"
    assert verdict(edge, "192.0.3.5", "partnerfetch/1") == "unverified"
    assert dns.asked == []
    assert settled(edge, "66.249.65.5") == "unverified"
    assert dns.count(reverse("66.249.65.5"), "PTR") == 1


def test_each_bot_has_its_own_label_and_rules_act_on_it(guarded, dns):
    dns.crawler("157.55.39.1", "msnbot-157-55-39-1.search.msn.com")
    edge = guarded(["googlebot", "bingbot"],
                   rule("bing", {"label": "bot:verified:bingbot"}, {"allow": {"headers": {"X-Bot": "bing"}}}),
                   rule("liar", {"label": "bot:unverified:googlebot"}, {"block": {"status": 418}}),
                   rule("early", {"label": "bot:pending:"}, {"block": {"status": 503, "headers": {"Retry-After": "5"}}}))
    get = lambda agent: edge.get("/page", X_Forwarded_For="157.55.39.1", User_Agent=agent)  # noqa: E731
    assert get("bingbot/2.0").status == 503
    assert until(lambda: (lambda a: a if a.status != 503 else None)(get("BingBot/2.0")), "a verdict").headers["x-waf-rules"] == "bing"
    assert until(lambda: (lambda a: a if a.status != 503 else None)(get("Googlebot/2.1")), "a verdict").status == 418
    assert get("a browser").status == 200


# --- Time ----------------------------------------------------------------------------------------------------------


def test_nobody_waits_for_dns_which_is_asked_once_by_all_workers(guarded, dns):
    dns.crawler("66.249.66.1", "crawl-1.googlebot.com")
    dns.hold()
    edge = guarded(["googlebot"], flags=("--threads", "4"))
    barrier, found, lock = threading.Barrier(8), [], threading.Lock()

    def client():
        barrier.wait()
        for _ in range(10):  # each on a connection, and so on a worker, of its own
            mine = verdict(edge, "66.249.66.1")
            with lock:
                found.append(mine)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["pending"] * 80
    dns.wait_for(reverse("66.249.66.1"), "PTR")
    dns.release()
    assert settled(edge, "66.249.66.1") == "verified"
    assert lookups(edge)["verified"] == 1
    assert dns.count("crawl-1.googlebot.com", "A") == 1


def test_verdicts_outlive_commits(guarded, dns, repository):
    dns.crawler("66.249.66.1", "crawl-1.googlebot.com")
    edge = guarded(["googlebot"])
    assert settled(edge, "66.249.66.1") == "verified"
    text = (repository.path / "shop.yaml").read_text()
    repository.write("shop.yaml", text.replace('"googlebot"', '"bingbot",\n"googlebot"'))
    edge.apply(repository)
    assert verdict(edge, "66.249.66.1", "bingbot/2.0") != ""
    assert verdict(edge, "66.249.66.1") == "verified"
    assert lookups(edge)["verified"] == 1


def test_dns_that_is_broken_is_no_verdict(guarded, dns):
    dns.crawler("66.249.66.1", "crawl-1.googlebot.com")
    dns.crawler("66.249.66.2", "crawl-2.googlebot.com")
    dns.crawler("66.249.66.3", "crawl-3.googlebot.com")
    dns.break_down(reverse("66.249.66.1"))
    dns.break_down("crawl-2.googlebot.com")
    edge = guarded(["googlebot"])
    for address in ("66.249.66.1", "66.249.66.2"):
        assert verdict(edge, address) == "pending"
    until(lambda: lookups(edge)["failed"] == 2, "two failures")
    dns.mend()
    for address in ("66.249.66.1", "66.249.66.2"):
        assert verdict(edge, address) == "pending"  # DNS has a pause after a failure
    assert settled(edge, "66.249.66.3") == "verified"
    assert lookups(edge) == {"verified": 1, "unverified": 0, "failed": 2, "refused": 0}


def test_a_reverse_zone_that_never_answers_costs_nobody_else_and_ends(guarded, dns):
    dns.crawler("66.249.66.1", "crawl-1.googlebot.com")
    dns.silence("113.0.203.in-addr.arpa")
    edge = guarded(["googlebot"])

    def ask_about_many():
        with edge.connect() as client:
            return {client.get("/page", X_Forwarded_For=f"203.0.113.{i}", User_Agent=GOOGLEBOT).headers["x-waf-rules"] for i in range(100)}

    assert ask_about_many() == {"pending"}
    until(lambda: lookups(edge)["refused"] or not ask_about_many(), "a look-up to be refused")  # only so many of a network wait
    assert settled(edge, "66.249.66.1") == "verified"
    until(lambda: lookups(edge)["failed"] >= 1, "a look-up to give up")


def test_an_edge_ends_while_dns_is_silent(guarded, dns):
    dns.silence("arpa")
    edge = guarded(["googlebot"])
    assert verdict(edge, "203.0.113.1") == "pending"
    dns.wait_for(reverse("203.0.113.1"), "PTR")
    edge.stop()
    assert "headgate run ended" not in edge.output.text()


# --- Offline -------------------------------------------------------------------------------------------------------


def test_explain_goes_by_ranges_and_says_what_dns_would_be_asked(guarded, repository):
    guarded([{"name": "googlebot", "ranges": ["66.249.64.0/27"]}])

    def explain(address):
        return headgate("explain", "GET", "http://shop.test/", "-H", f"User-Agent: {GOOGLEBOT}", "--ip", address, "--repo", repository.path,
                        check=0).stdout

    told = explain("66.249.64.5")
    assert re.search(r"^waf +User-Agent says bot googlebot: 66\.249\.64\.5 is in its ranges -> label bot:verified:googlebot$", told, re.M), told
    assert re.search(r"^waf +rule verified matches: label bot:verified -> count$", told, re.M), told
    told = explain("192.0.2.1")
    assert "a running edge asks DNS whether 192.0.2.1 has a name in google.com or googlebot.com -> label bot:pending:googlebot" in told, told


def test_expect_asks_nobody_on_a_running_edge_either(guarded, dns, repository):
    dns.crawler("66.249.66.1", "crawl-1.googlebot.com")
    edge = guarded(["googlebot"], rule("verified", {"label": "bot:verified:"}, {"block": {"status": 418}}),
                   rule("pending", {"label": "bot:pending:"}, {"block": {"status": 419}}))
    edge.get("/page", X_Forwarded_For="66.249.66.1", User_Agent=GOOGLEBOT)
    until(lambda: lookups(edge)["verified"] == 1, "the verdict")

    def case(address):
        return {"request": {"url": "http://shop.test/", "ip": address, "headers": {"User-Agent": GOOGLEBOT}}, "expect": {"rule": "pending"}}

    edge.apply(repository, "expect.yaml", resource("Expect", "bots", {"distribution": "shop",
                                                                       "cases": [case("66.249.66.1"), case("66.249.66.2")]}))
    assert dns.count(reverse("66.249.66.2"), "PTR") == 0
    assert edge.metric("headgate_waf_bot_verdicts")[""] == 1


def test_a_label_that_no_bot_gives_is_refused_with_its_place(guarded, repository):
    edge = guarded(["googlebot"])
    repository.put("acl2.yaml", acl(rule("typo", {"label": "bot:verified:gogglebot"}), name="two", bots=["googlebot"]))
    status = json.dumps(edge.refuse(repository))
    assert "[HG1316] no rule sets the label" in status and "bot:verified:googlebot" in status
