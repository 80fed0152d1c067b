// SPDX-License-Identifier: MIT
// The edge's own cookies tell viewers apart: neither a key nor an origin has them.
#include <doctest/doctest.h>

#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/request/normalize.h"
#include "appliance/snapshot/request/origin_request.h"
#include "appliance/snapshot/request/own_cookies.h"
#include "tests/support/compiled_fixture.h"

using namespace headgate;
using test::Decided;
using test::Headers;

namespace {

constexpr const char* kOwn = "Headgate-Rollout=7-42; headgate-challenge=1.8.a.b.1";

/// `cached` and `forwarded` are YAML: a policy for cookies each.
std::string shop(const std::string& cached, const std::string& forwarded = "") {
  return R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.example.com]
  origins: [{ id: pages, domainName: pages.internal }]
  defaultCacheBehavior: { targetOriginId: pages, viewerProtocolPolicy: allow-all, cachePolicy: p)" +
         std::string(forwarded.empty() ? "" : ", originRequestPolicy: o") + R"( }
---
apiVersion: headgate/v1
kind: CachePolicy
metadata: { name: p }
spec: { parametersInCacheKeyAndForwardedToOrigin: { cookies: )" +
         cached + " } }\n" +
         (forwarded.empty() ? ""
                            : "---\napiVersion: headgate/v1\nkind: OriginRequestPolicy\n"
                              "metadata: { name: o }\nspec: { cookies: " +
                                  forwarded + " }\n");
}

struct Answer {
  std::string key;
  std::string sent;  ///< Cookie of the request to the origin
  std::string vary;  ///< what `Vary: Cookie` sees
};

std::string cookie_of(http::Fields fields) {
  return std::string(http::find(fields, "cookie").value_or("none"));
}

Answer ask(const std::string& yaml, const std::string& cookies) {
  Decided decided(test::compile(yaml), "GET", "http://shop.example.com/",
                  cookies.empty() ? Headers() : Headers{{"Cookie", cookies}});
  const auto draft = snapshot::draft_origin_request(decided.decision, decided.facts, false, nullptr,
                                                    decided.memory);
  const auto request = snapshot::address(draft, decided.decision.behavior->target->members.front());
  return {std::string(decided.decision.key.text), cookie_of(request.fields.fields()),
          cookie_of(snapshot::selecting_fields(decided.decision, decided.facts, decided.memory))};
}

}  // namespace

TEST_CASE("with all cookies of viewers in the key, the edge's own are in none") {
  const std::string own = kOwn;
  for (const std::string& yaml :
       {shop("{ behavior: all }"), shop("{ behavior: allExcept, items: [x] }"),
        shop("{ behavior: whitelist, items: [a, b, Headgate-Rollout, headgate-challenge] }"),
        shop("{ behavior: whitelist, items: [a] }", "{ behavior: all }"),
        shop("{ behavior: whitelist, items: [a] }", "{ behavior: allExcept, items: [c] }"),
        shop("{ behavior: none }", "{ behavior: all }")}) {
    CAPTURE(yaml);
    const Answer plain = ask(yaml, "a=1; b=2");
    CHECK(plain.sent == "a=1; b=2");
    CHECK(plain.vary == "a=1; b=2");
    for (const std::string& cookies :
         {own + "; a=1; b=2", "a=1; b=2; " + own, std::string("a=1; Headgate-Rollout=7-1; b=2")}) {
      CAPTURE(cookies);
      const Answer with = ask(yaml, cookies);
      CHECK(with.key == plain.key);
      CHECK(with.sent == plain.sent);
      CHECK(with.vary == plain.vary);
    }
    const Answer alone = ask(yaml, own);
    CHECK(alone.key == ask(yaml, "").key);
    CHECK(alone.sent == "none");
    CHECK(alone.vary == "none");
  }
}

TEST_CASE("cookies that are only called alike are the viewer's") {
  const std::string alike = "headgate-rollout=1; Headgate-Rollout2=2; x=headgate-challenge";
  CHECK(ask(shop("{ behavior: all }"), alike).sent == alike);
}
