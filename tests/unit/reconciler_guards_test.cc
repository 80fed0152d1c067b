// SPDX-License-Identifier: MIT
// What a Fleet lets a commit do at once, and when: counted, meant, and by the rules that are live.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "reconciler/loop/guards.h"
#include "schema/codes.h"

using namespace headgate;
using namespace headgate::reconciler;
using schema::Code;

namespace {

std::shared_ptr<schema::Distribution> distribution(const std::string& name, std::size_t hosts,
                                                   std::size_t behaviors) {
  auto made = std::make_shared<schema::Distribution>();
  made->name = name;
  for (std::size_t i = 0; i < hosts; ++i)
    made->aliases.push_back(fmt::format("{}{}.test", name, i));
  for (std::size_t i = 0; i < behaviors; ++i) {
    made->cache_behaviors.emplace_back();
    made->cache_behaviors.back().path_pattern = fmt::format("/{}/*", i);
  }
  return made;
}

schema::Model model(std::size_t hosts, std::size_t behaviors) {
  schema::Model made;
  made.distributions["shop"] = distribution("shop", hosts, behaviors);
  return made;
}

schema::Model with_fleet(schema::Model made, const schema::Fleet& fleet) {
  made.fleet = std::make_shared<const schema::Fleet>(fleet);
  return made;
}

bool refuses(const schema::Model& live, const schema::Model& next, Code code,
             const std::vector<std::string>& texts = {}, const Estimate& estimate = nullptr) {
  std::vector<CommitMessage> messages;
  for (const std::string& text : texts) messages.push_back({"", text});
  const auto refusals = check_guards(live, next, messages, estimate);
  for (const auto& each : refusals) CHECK(each.code == static_cast<int>(code));
  return !refusals.empty();
}

schema::Model with_purges(schema::Model made, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    auto purge = std::make_shared<schema::Invalidation>();
    purge->name = name;
    made.invalidations[name] = purge;
  }
  return made;
}

Timestamp at(const char* time) { return *parse_timestamp(time); }

}  // namespace

TEST_CASE("a commit takes away three in ten host names or behaviors, and no more") {
  CHECK_FALSE(refuses(model(20, 0), model(14, 0), Code::TooMuchPruned));
  CHECK(refuses(model(20, 0), model(13, 0), Code::TooMuchPruned));
  CHECK_FALSE(refuses(model(0, 20), model(0, 14), Code::TooMuchPruned));
  CHECK(refuses(model(0, 20), model(0, 13), Code::TooMuchPruned));
  CHECK_FALSE(refuses(model(3, 3), model(0, 0), Code::TooMuchPruned));  // so few are never too many
  CHECK(refuses(model(4, 0), model(0, 0), Code::TooMuchPruned));
}

TEST_CASE("a host name that another distribution takes over has not gone; one that is off has") {
  schema::Model next;
  next.distributions["blog"] = distribution("shop", 20, 0);
  CHECK_FALSE(refuses(model(20, 0), next, Code::TooMuchPruned));
  auto off = distribution("shop", 20, 0);
  off->enabled = false;
  next.distributions["blog"] = off;
  CHECK(refuses(model(20, 0), next, Code::TooMuchPruned));
  CHECK(pruned(model(20, 4), next).behaviors == 4);
}

TEST_CASE("what is meant is said in a message, with how much") {
  const auto refused = [](const std::string& message) {
    return refuses(model(20, 10), model(10, 5), Code::TooMuchPruned, {"Subject\n", message});
  };
  CHECK_FALSE(refused("Subject\n\nHeadgate-Prune: 15\n"));
  CHECK_FALSE(refused("Subject\n\nheadgate-prune:   16 \r\n"));
  CHECK(refused("Subject\n\nHeadgate-Prune: 14\n"));
  CHECK(refused("Subject\n\nHeadgate-Prune: all\n"));
  CHECK(refused("Subject\n\nHeadgate-Prune: 15x\n"));
  CHECK(refused("Subject\n\nHeadgate-Prune:\n"));
  CHECK(refused("Subject\n\nNot-Headgate-Prune: 15\n"));
  const auto said = check_guards(model(20, 10), model(10, 5), {}, nullptr);
  REQUIRE(said.size() == 1);
  CHECK(said[0].message == "10 of 20 host names and 5 of 10 behaviors would go, more than 30 %");
  CHECK(said[0].hint.ends_with("Headgate-Prune: 15"));
}

TEST_CASE("the guards that count are those that are live") {
  schema::Fleet strict;
  strict.max_pruned_percent = 10;
  schema::Fleet loose;
  loose.max_pruned_percent = 100;
  CHECK(refuses(with_fleet(model(40, 0), strict), with_fleet(model(35, 0), loose),
                Code::TooMuchPruned));
  CHECK_FALSE(refuses(with_fleet(model(40, 0), loose), with_fleet(model(0, 0), strict),
                      Code::TooMuchPruned));
}

TEST_CASE("purges touch no more of what is cached than the guard lets") {
  schema::Fleet fleet;
  fleet.max_purged_percent = 50;
  const schema::Model live = with_purges(with_fleet(model(1, 0), fleet), {"old"});
  const Estimate estimate = [](const std::vector<const schema::Invalidation*>& asked) {
    std::vector<cache::Selected> counts;
    for (const schema::Invalidation* each : asked) {
      CHECK(each->name != "old");  // has been live
      counts.push_back({each->name.empty() ? 100U : 30U, 0});
    }
    return counts;
  };
  CHECK_FALSE(refuses(live, with_purges(live, {"a"}), Code::TooMuchPurged, {}, estimate));
  CHECK(refuses(live, with_purges(live, {"a", "b"}), Code::TooMuchPurged, {}, estimate));
  CHECK_FALSE(refuses(live, with_purges(live, {"a", "b"}), Code::TooMuchPurged,
                      {"x\n\nHeadgate-Purge: 60\n"}, estimate));
  CHECK(refuses(live, with_purges(live, {"a", "b"}), Code::TooMuchPurged,
                {"x\n\nHeadgate-Purge: 59\n"}, estimate));
  CHECK_FALSE(refuses(model(1, 0), with_purges(model(1, 0), {"a", "b"}), Code::TooMuchPurged, {},
                      estimate));  // off unless a Fleet says so
}

TEST_CASE("a window is open from its tick on, for as long as it says") {
  schema::Fleet fleet;
  fleet.change_windows = {{"0 8 * * mon-thu", std::chrono::hours(9)}};
  const schema::Model live = with_fleet(model(1, 0), fleet);
  CHECK_FALSE(next_window(model(1, 0), at("2026-11-21T03:00:00Z")));
  CHECK(next_window(live, at("2026-11-19T07:59:59Z")) == at("2026-11-19T08:00:00Z"));  // a Thursday
  CHECK_FALSE(next_window(live, at("2026-11-19T08:00:00Z")));
  CHECK_FALSE(next_window(live, at("2026-11-19T16:59:59Z")));
  CHECK(next_window(live, at("2026-11-19T17:00:00Z")) == at("2026-11-23T08:00:00Z"));
  fleet.change_windows.push_back({"0 20 * * *", std::chrono::hours(1)});
  CHECK(next_window(with_fleet(model(1, 0), fleet), at("2026-11-19T17:00:00Z")) ==
        at("2026-11-19T20:00:00Z"));
}
