// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/http/caching.h"

using namespace headgate;
using namespace headgate::http;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

const base::WallTime kNow = parse_http_date("Fri, 20 Nov 2026 10:00:00 GMT").value();
using List = std::vector<Field>;

CacheDirectives parse(const List& fields, int status = 200) {
  return parse_directives(status, fields, kNow);
}
CacheDirectives parse_cc(std::string_view value) { return parse({{"cache-control", value}}); }
std::optional<Duration> lifetime(const List& fields) { return parse(fields).explicit_lifetime; }
std::optional<Duration> lifetime_of(std::string_view cache_control) {
  return parse_cc(cache_control).explicit_lifetime;
}

constexpr TtlPolicy kPlain{.min = Duration(0), .default_ttl = Duration(0), .max = hours(8760)};
constexpr TtlPolicy kDefault{.min = Duration(0), .default_ttl = hours(24), .max = hours(8760)};
constexpr TtlPolicy kMin{.min = seconds(60), .default_ttl = hours(1), .max = hours(24)};

bool storable(const List& fields, const TtlPolicy& policy = kPlain, int status = 200,
              bool authorization = false) {
  return may_store(status, parse(fields, status), fields, policy, authorization);
}
Duration fresh(const List& fields, const TtlPolicy& policy, int status = 200) {
  return freshness_lifetime(parse(fields, status), policy);
}

}  // namespace

TEST_CASE("directives are read in any case, on any line, with or without quotes") {
  CHECK(lifetime_of("max-age=3600") == seconds(3600));
  CHECK(lifetime_of("MaX-AgE=3600") == seconds(3600));
  CHECK(lifetime_of("max-age=\"3600\"") == seconds(3600));
  CHECK(lifetime_of("max-age=003600") == seconds(3600));
  CHECK(lifetime_of("foo, , max-age=3600,") == seconds(3600));
  CHECK(lifetime({{"cache-control", "public"}, {"cache-control", "max-age=3600"}}) ==
        seconds(3600));
  const auto flags = parse_cc("No-Store, NO-CACHE, Private, public, must-revalidate");
  CHECK(flags.no_store);
  CHECK(flags.no_cache);
  CHECK(flags.is_private);
  CHECK(flags.is_public);
  CHECK(flags.must_revalidate);
}

TEST_CASE("a lifetime that cannot be read is stale, not fresh") {
  for (const char* value :
       {"max-age='3600'", "max-age=a3600", "max-age=3600a", "max-age=3600.5", "max-age=-3600",
        "max-age=", "max-age", "max-age= 3600", "max-age=\"3600", "max-age=+3600"}) {
    CAPTURE(value);
    CHECK(lifetime_of(value) == seconds(0));
  }
  CHECK_FALSE(lifetime_of("max-age =3600"));  // another directive's name, by the grammar
}

TEST_CASE("a directive inside another one's quoted argument does not count") {
  CHECK(lifetime_of("extension=\"max-age=3600\", max-age=1") == seconds(1));
  CHECK(lifetime_of("max-age=1, extension=\"max-age=3600\"") == seconds(1));
  CHECK_FALSE(lifetime_of("extension=\"a, max-age=3600, b\""));
  CHECK_FALSE(parse_cc("extension=\"a, no-store\"").no_store);
  CHECK(parse_cc("extension=\"never closed, no-store").no_store);
}

TEST_CASE("of several lifetimes the shortest counts, and s-maxage beats max-age") {
  CHECK(lifetime_of("max-age=1800, max-age=1") == seconds(1));
  CHECK(lifetime({{"cache-control", "max-age=1"}, {"cache-control", "max-age=1800"}}) ==
        seconds(1));
  CHECK(lifetime_of("max-age=10, s-maxage=3600") == seconds(3600));
  CHECK(lifetime_of("s-maxage=0, max-age=3600") == seconds(0));
}

TEST_CASE("a lifetime beyond 2^31 seconds is capped there and does not overflow") {
  const Duration most = seconds(std::int64_t{1} << 31);
  CHECK(lifetime_of("max-age=2147483648") == most);
  CHECK(lifetime_of("max-age=99999999999") == most);
  CHECK(lifetime_of("max-age=99999999999999999999999999999999999999") == most);
}

TEST_CASE("Expires counts from Date, and only without max-age") {
  const Field date{"date", "Fri, 20 Nov 2026 10:00:00 GMT"};
  const Field expires{"expires", "Fri, 20 Nov 2026 11:00:00 GMT"};
  CHECK(lifetime({date, expires}) == hours(1));
  CHECK(lifetime({{"date", "Fri, 20 Nov 2026 09:00:00 GMT"}, expires}) == hours(2));
  CHECK(lifetime({expires}) == hours(1));  // Date absent: counts from receipt
  CHECK(lifetime({{"date", "today"}, expires}) == hours(1));
  CHECK(lifetime({date, expires, {"cache-control", "max-age=5"}}) == seconds(5));
  CHECK(lifetime({date, {"expires", "Fri, 20 Nov 2026 09:00:00 GMT"}}) == seconds(0));
  CHECK(parse({expires}).has_cache_control_or_expires);
  CHECK_FALSE(parse({date}).has_cache_control_or_expires);
}

TEST_CASE("an Expires that is no date, or several of them, has already expired") {
  CHECK(lifetime({{"expires", "0"}}) == seconds(0));
  CHECK(lifetime({{"expires", "Fri, 20 Nov 2026 11:00:00 UTC"}}) == seconds(0));
  CHECK(lifetime({{"expires", "Fri, 20 Nov 2026 11:00:00 GMT"},
                  {"expires", "Fri, 20 Nov 2026 11:00:00 GMT"}}) == seconds(0));
}

TEST_CASE("no-cache and private with field names limit fields, not the response") {
  const auto named = parse_cc("no-cache=\"Set-Cookie, X-A\", private=\"x-b\", max-age=9");
  CHECK_FALSE(named.no_cache);
  CHECK_FALSE(named.is_private);
  CHECK(restricted_fields(
            List{{"cache-control", "no-cache=\"Set-Cookie, X-A\", private=\"x-b\", max-age=9"}}) ==
        std::vector<std::string>{"set-cookie", "x-a", "x-b"});
  CHECK(parse_cc("no-cache=\"a\", no-cache").no_cache);
  CHECK(parse_cc("private=\"\"").is_private);
  CHECK(parse_cc("private=\"a b\"").is_private);
  CHECK(restricted_fields(List{{"cache-control", "no-cache, private=\"\""}}).empty());
}

TEST_CASE("the windows for stale responses are read, invalid ones ignored") {
  const auto both = parse_cc("max-age=1, stale-while-revalidate=30, stale-if-error=60");
  CHECK(both.stale_while_revalidate == seconds(30));
  CHECK(both.stale_if_error == seconds(60));
  CHECK_FALSE(parse_cc("stale-if-error=x, stale-while-revalidate").stale_if_error);
  CHECK(parse_cc("stale-if-error=0").stale_if_error == seconds(0));
}

TEST_CASE("s-maxage and proxy-revalidate forbid stale serving as must-revalidate does") {
  CHECK(parse_cc("s-maxage=1").must_revalidate);
  CHECK(parse_cc("proxy-revalidate").must_revalidate);
  CHECK_FALSE(parse_cc("max-age=1").must_revalidate);
}

TEST_CASE("a valid CDN-Cache-Control replaces Cache-Control and Expires, either way") {
  const auto with = [](std::string_view targeted) {
    return List{{"cdn-cache-control", targeted},
                {"cache-control", "no-store, max-age=7"},
                {"expires", "Fri, 20 Nov 2026 11:00:00 GMT"}};
  };
  CHECK(lifetime(with("max-age=10000")) == seconds(10000));
  CHECK_FALSE(parse(with("max-age=10000")).no_store);
  CHECK(parse({{"cdn-cache-control", "private"}, {"cache-control", "max-age=9"}}).is_private);
  CHECK_FALSE(lifetime({{"cdn-cache-control", "no-cache"}, {"cache-control", "max-age=9"}}));
  CHECK_FALSE(lifetime(with("foobar")));
  CHECK(lifetime(with("foobar, max-age=3600;x=\"y\"")) == seconds(3600));
  CHECK(lifetime(with("max-age=99999999999")) == seconds(std::int64_t{1} << 31));
  CHECK(lifetime(with("max-age=-1")) == seconds(0));
  CHECK(lifetime(with("no-store=?0, max-age=5")) == seconds(5));
  CHECK_FALSE(parse(with("no-store=?0, max-age=5")).no_store);
}

TEST_CASE("a CDN-Cache-Control that is no valid dictionary is as if it were not there") {
  for (const char* invalid :
       {"max-age=10000, &&&&&", "max-age=\"10000\"", "max-age =100", "max-age= 100", "MaX-aGe=3600",
        "", "max-age=10000,", "max-age=1.0", "no-store=1", "max-age", "private=3"}) {
    CAPTURE(invalid);
    const List fields = {{"cdn-cache-control", invalid}, {"cache-control", "no-store, max-age=7"}};
    CHECK(parse(fields).no_store);
    CHECK(lifetime(fields) == seconds(7));
  }
}

TEST_CASE(
    "a tenth of the time since Last-Modified is the heuristic, for the codes that allow one") {
  const List fields = {{"date", "Fri, 20 Nov 2026 10:00:00 GMT"},
                       {"last-modified", "Tue, 10 Nov 2026 10:00:00 GMT"}};
  for (const int status : {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}) {
    CAPTURE(status);
    CHECK(parse(fields, status).heuristic_lifetime == hours(24));
  }
  for (const int status : {201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 299, 599}) {
    CAPTURE(status);
    CHECK_FALSE(parse(fields, status).heuristic_lifetime);
    CHECK_FALSE(parse(fields, status).heuristics_allowed);
  }
  List with_public = fields;
  with_public.push_back({"cache-control", "public"});
  CHECK(parse(with_public, 500).heuristic_lifetime == hours(24));
  CHECK_FALSE(parse({{"last-modified", "Sat, 21 Nov 2026 10:00:00 GMT"}}).heuristic_lifetime);
}

TEST_CASE("under a policy of zeros the cache stores what RFC 9111 says") {
  CHECK(storable({{"cache-control", "max-age=1"}}));
  CHECK(storable({{"cache-control", "no-cache"}}));  // stored, and validated each time
  CHECK_FALSE(storable({{"cache-control", "no-store, max-age=1"}}));
  CHECK_FALSE(storable({{"cache-control", "private, max-age=1"}}));
  CHECK_FALSE(storable({{"cache-control", "max-age=1"}, {"vary", "accept, *"}}));
  for (const int status : {200, 299, 400, 404, 499, 500, 503, 599}) {
    CAPTURE(status);
    CHECK(storable({{"cache-control", "max-age=1"}}, kPlain, status));
  }
  for (const int status : {100, 103, 206, 304, 416, 428, 429, 431, 511}) {
    CAPTURE(status);
    CHECK_FALSE(storable({{"cache-control", "max-age=1"}}, kPlain, status));
  }
  CHECK_FALSE(storable({}, kPlain, 500));
  CHECK(storable({{"cache-control", "public"}}, kPlain, 500));
}

TEST_CASE("must-understand lifts no-store for known codes and forbids unknown ones") {
  const List fields = {{"cache-control", "must-understand, no-store, max-age=5"}};
  CHECK(storable(fields, kPlain, 200));
  CHECK(fresh(fields, kPlain, 200) == seconds(5));
  CHECK_FALSE(storable(fields, kPlain, 299));
  CHECK_FALSE(storable({{"cache-control", "must-understand, max-age=5"}}, kPlain, 599));
}

TEST_CASE("a request with Authorization needs public, s-maxage or must-revalidate") {
  const auto with = [](std::string_view value) {
    return storable({{"cache-control", value}}, kPlain, 200, true);
  };
  CHECK_FALSE(with("max-age=1"));
  CHECK_FALSE(with("max-age=1, proxy-revalidate"));
  CHECK(with("max-age=1, public"));
  CHECK(with("s-maxage=1"));
  CHECK(with("max-age=1, must-revalidate"));
}

TEST_CASE("Set-Cookie is stored only when the origin itself gives a lifetime or says public") {
  const Field cookie{"set-cookie", "session=1"};
  CHECK_FALSE(storable({cookie}, kDefault));
  CHECK_FALSE(storable({cookie, {"cache-control", "no-cache"}}, kDefault));
  CHECK(storable({cookie, {"cache-control", "max-age=1"}}, kDefault));
  CHECK(storable({cookie, {"cache-control", "public"}}, kDefault));
}

TEST_CASE("CloudFront's table: without explicit freshness the default counts, else the heuristic") {
  const Field old{"last-modified", "Tue, 10 Nov 2026 10:00:00 GMT"};
  CHECK(fresh({old}, kDefault) == hours(24));
  CHECK(fresh({old, {"cache-control", "public"}}, kDefault) == hours(24));
  CHECK(fresh({old}, kPlain) == hours(24));
  CHECK(fresh({}, kPlain) == seconds(0));
  CHECK(fresh({}, kDefault, 500) == seconds(0));
}

TEST_CASE("CloudFront's table: minimum and maximum bound what the origin says") {
  CHECK(fresh({{"cache-control", "max-age=5"}}, kDefault) == seconds(5));
  CHECK(fresh({{"cache-control", "max-age=5"}}, kMin) == seconds(60));
  CHECK(fresh({{"cache-control", "max-age=500"}}, kMin) == seconds(500));
  CHECK(fresh({{"cache-control", "max-age=999999"}}, kMin) == hours(24));
  CHECK(fresh({{"cache-control", "s-maxage=999999"}}, kMin) == hours(24));
  CHECK(fresh({}, kMin) == hours(1));
}

TEST_CASE("CloudFront's table: a minimum above zero overrides no-store, no-cache and private") {
  for (const char* value : {"no-store", "no-cache", "private", "private, max-age=9999"}) {
    CAPTURE(value);
    CHECK(storable({{"cache-control", value}}, kMin));
    CHECK(fresh({{"cache-control", value}}, kMin) == seconds(60));
    CHECK(fresh({{"cache-control", value}}, kPlain) == seconds(0));
  }
}

TEST_CASE("errorCachingMinTTL, a minimum for one status, makes that status storable for so long") {
  CHECK(storable({}, kMin, 500));
  CHECK(storable({{"cache-control", "no-store"}}, kMin, 500));
  CHECK_FALSE(storable({}, kDefault, 500));
}

TEST_CASE("a maximum of zero is no caching, as CachingDisabled wants it") {
  constexpr TtlPolicy kDisabled{};
  CHECK_FALSE(storable({{"cache-control", "max-age=3600"}}, kDisabled));
  CHECK(fresh({{"cache-control", "max-age=3600"}}, kDisabled) == seconds(0));
  CHECK(fresh({{"last-modified", "Tue, 10 Nov 2026 10:00:00 GMT"}}, kDisabled) == seconds(0));
}

TEST_CASE("age at receipt is the larger of Age with the delay and what Date tells") {
  const auto age = [](const List& fields) { return initial_age(fields, kNow, seconds(2)); };
  CHECK(age({}) == seconds(2));
  CHECK(age({{"age", "30"}}) == seconds(32));
  CHECK(age({{"age", "30"}, {"date", "Fri, 20 Nov 2026 09:00:00 GMT"}}) == hours(1));
  CHECK(age({{"age", "30"}, {"date", "Fri, 20 Nov 2026 11:00:00 GMT"}}) == seconds(32));
  CHECK(age({{"age", "7200, 0"}}) == seconds(7202));
  CHECK(age({{"age", "0,7200"}}) == seconds(2));
  CHECK(age({{"age", "7200"}, {"age", "0"}}) == seconds(7202));
  for (const char* invalid : {"abc", "-7200", "7200.0", "1e3", "\"7200\"", ""}) {
    CAPTURE(invalid);
    CHECK(age({{"age", invalid}}) == seconds(2));
  }
  CHECK(age({{"age", "99999999999999999999999999"}}) == seconds((std::int64_t{1} << 31) + 2));
}
