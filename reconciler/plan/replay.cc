// SPDX-License-Identifier: MIT
#include "reconciler/plan/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "appliance/snapshot/offline/answer.h"
#include "appliance/snapshot/offline/offline_request.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using snapshot::Decision;

/// Kinds of differences that are kept apart; a redirect's target, say, may be another one for every
/// request.
constexpr std::size_t kMaxChanges = 1000;
constexpr std::size_t kShownChanges = 30;
constexpr const char* kNone = "none";

/// What a configuration makes of one request. Comparable between configurations.
struct Outcome {
  std::string distribution = kNone;
  std::string behavior = kNone;
  std::string answer;  ///< by whom: "origin web", "403 geo", "301 to https://…"
  std::string rule;    ///< of a web ACL that refuses, or "none"
  std::string cache;   ///< "uncached", or the TTL
  std::string key;     ///< canonical; empty: uncached
  snapshot::HeaderMap headers;
};

std::string answer_of(const Decision& decision) {
  switch (decision.action) {
    case Decision::Action::Serve:
      return "origin " + decision.behavior->target->id;
    case Decision::Action::Redirect:
      return fmt::format("{} to {}", decision.status, decision.location);
    case Decision::Action::Deny:
      return fmt::format("{} {}", decision.status, guard::code(decision.reason));
    case Decision::Action::Inspect:
      return "a web ACL that wants the body";  // logs have none
  }
  return {};
}

struct HashOfKey {
  std::size_t operator()(const base::Hash128& hash) const {
    return static_cast<std::size_t>(hash.low);
  }
};

struct SameKey {
  bool operator()(const base::Hash128& a, const base::Hash128& b) const {
    return a.low == b.low && a.high == b.high;
  }
};

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "none";
  return fmt::format("{:.2f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string growth(std::uint64_t before, std::uint64_t after) {
  if (before == 0 || before == after) return "";
  const double ratio = static_cast<double>(after) / static_cast<double>(before);
  return fmt::format(" ({:+.1f} %)", 100.0 * (ratio - 1));
}

Json to_json(const ReplayTotals& totals) {
  return Json{{"cacheable", totals.cacheable},
              {"hits", totals.hits},
              {"originRequests", totals.origin_requests},
              {"originBytes", totals.origin_bytes},
              {"refused", totals.refused}};
}

}  // namespace

/// One configuration, and the cache that it would have.
class Replay::Side {
 public:
  explicit Side(std::shared_ptr<const snapshot::Configuration> configuration)
      : configuration_(std::move(configuration)) {}

  /// Empty: no request can be like that.
  std::optional<Outcome> decide(const RecordedRequest& recorded) {
    auto request = snapshot::OfflineRequest::make(recorded.method, recorded.url, recorded.headers,
                                                  recorded.country, recorded.client,
                                                  configuration_->geo().get());
    if (!request) return std::nullopt;
    if (recorded.time != Timestamp()) request->set_time(recorded.time);
    memory_.release();
    const snapshot::RequestFacts facts = request->facts(&scratch_);
    const Decision decision = snapshot::decide(*configuration_, facts, memory_);
    count(decision, recorded);

    Outcome outcome;
    if (decision.distribution != nullptr) outcome.distribution = decision.distribution->name;
    if (decision.behavior != nullptr) outcome.behavior = decision.behavior->pattern.text();
    outcome.answer = answer_of(decision);
    outcome.rule = snapshot::refusing_rule(decision);
    outcome.cache = "uncached";
    if (decision.uses_cache) {
      outcome.cache = format_duration(ttl(decision));
      outcome.key = decision.key.text;
    }
    outcome.headers = snapshot::answer_headers(decision, facts, memory_);
    return outcome;
  }

  const ReplayTotals& totals() const { return totals_; }

 private:
  static Duration ttl(const Decision& decision) {
    return snapshot::ttl_without_directives(decision.behavior->cache_policy->ttl);
  }

  void count(const Decision& decision, const RecordedRequest& recorded) {
    if (decision.action == Decision::Action::Deny) ++totals_.refused;
    if (decision.action != Decision::Action::Serve) return;
    if (decision.uses_cache) {
      ++totals_.cacheable;
      auto& fresh_until = cached_[decision.key.hash];
      if (fresh_until > recorded.time) {
        ++totals_.hits;
        return;
      }
      fresh_until = recorded.time + ttl(decision);
    }
    ++totals_.origin_requests;
    totals_.origin_bytes += recorded.bytes_sent;
  }

  const std::shared_ptr<const snapshot::Configuration> configuration_;
  std::pmr::monotonic_buffer_resource memory_;
  guard::waf::Scratch scratch_;
  std::unordered_map<base::Hash128, Timestamp, HashOfKey, SameKey> cached_;
  ReplayTotals totals_;
};

Replay::Replay(std::shared_ptr<const snapshot::Configuration> before,
               std::shared_ptr<const snapshot::Configuration> after)
    : before_(std::make_unique<Side>(std::move(before))),
      after_(std::make_unique<Side>(std::move(after))) {}

Replay::~Replay() = default;

void Replay::add(const RecordedRequest& request) {
  ++report_.requests;
  const auto before = before_->decide(request);
  const auto after = after_->decide(request);
  if (!before || !after) {
    ++report_.unusable;
    return;
  }
  bool changed = false;
  const auto compare = [&](std::string what, const std::string& was, const std::string& is) {
    if (was == is) return;
    changed = true;
    auto found = changes_.find({what, was, is});
    if (found == changes_.end() && changes_.size() >= kMaxChanges)
      found = changes_.try_emplace({what, "various", "various"}).first;
    if (found == changes_.end()) found = changes_.try_emplace({what, was, is}).first;
    ReplayChange& change = found->second;
    if (change.count++ == 0) {
      std::tie(change.what, change.before, change.after) = found->first;
      change.example = request.method + " " + request.url;
    }
  };
  compare("distribution", before->distribution, after->distribution);
  compare("behavior", before->behavior, after->behavior);
  compare("answer", before->answer, after->answer);
  compare("rule", before->rule, after->rule);
  compare("ttl", before->cache, after->cache);
  // Which of them, an example shows.
  if (!before->key.empty() && !after->key.empty())
    compare("cache key", "one", before->key == after->key ? "one" : "another");
  for (const auto& [name, value] : before->headers) {
    const auto now = after->headers.find(name);
    compare("header " + name, value, now == after->headers.end() ? kNone : now->second);
  }
  for (const auto& [name, value] : after->headers)
    if (before->headers.count(name) == 0) compare("header " + name, kNone, value);
  if (changed) ++report_.changed;
}

ReplayReport Replay::report() const {
  ReplayReport report = report_;
  for (const auto& [values, change] : changes_) report.changes.push_back(change);
  std::stable_sort(report.changes.begin(), report.changes.end(),
                   [](const ReplayChange& a, const ReplayChange& b) { return a.count > b.count; });
  report.before = before_->totals();
  report.after = after_->totals();
  return report;
}

Json to_json(const ReplayReport& report) {
  Json json{{"requests", report.requests},
            {"unusable", report.unusable},
            {"changed", report.changed},
            {"changes", Json::array()}};
  for (const ReplayChange& change : report.changes)
    json["changes"].push_back(Json{{"what", change.what},
                                   {"before", change.before},
                                   {"after", change.after},
                                   {"count", change.count},
                                   {"example", change.example}});
  json["before"] = to_json(report.before);
  json["after"] = to_json(report.after);
  return json;
}

std::string to_text(const ReplayReport& report) {
  const auto clean = [](const std::string& text) { return schema::escape_control(text); };
  std::string out = fmt::format("Replay of {} requests: {} would be decided in another way\n",
                                report.requests, report.changed);
  for (std::size_t i = 0; i < std::min(report.changes.size(), kShownChanges); ++i) {
    const ReplayChange& change = report.changes[i];
    out += fmt::format("  {:>8}  {}: {} → {}\n            {}\n", change.count, clean(change.what),
                       clean(change.before), clean(change.after), clean(change.example));
  }
  if (report.changes.size() > kShownChanges)
    out += fmt::format("  … and {} more kinds; --json has all\n",
                       report.changes.size() - kShownChanges);
  if (report.unusable > 0)
    out += fmt::format("  {} are not like any request that can come\n", report.unusable);
  const ReplayTotals& before = report.before;
  const ReplayTotals& after = report.after;
  out += fmt::format("  hit ratio           {} → {}\n", share(before.hits, before.cacheable),
                     share(after.hits, after.cacheable));
  out += fmt::format("  requests to origins {} → {}{}\n", before.origin_requests,
                     after.origin_requests, growth(before.origin_requests, after.origin_requests));
  out +=
      fmt::format("  bytes from origins  {} → {}{}\n", format_size(before.origin_bytes),
                  format_size(after.origin_bytes), growth(before.origin_bytes, after.origin_bytes));
  out += fmt::format("  refused             {} → {}\n", before.refused, after.refused);
  return out;
}

}  // namespace headgate::reconciler
