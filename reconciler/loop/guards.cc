// SPDX-License-Identifier: MIT
// What `kind: Fleet` of the live configuration lets a commit do at once, and when.
#include "reconciler/loop/guards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include "schema/base/cron.h"
#include "schema/codes.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

/// So few are never too many: a site of three names may lose one.
constexpr std::size_t kFewest = 4;

std::set<std::string> hosts_of(const schema::Model& model) {
  std::set<std::string> hosts;
  for (const auto& [name, distribution] : model.distributions)
    if (distribution->enabled)
      hosts.insert(distribution->aliases.begin(), distribution->aliases.end());
  return hosts;
}

std::set<std::pair<std::string, std::string>> behaviors_of(const schema::Model& model) {
  std::set<std::pair<std::string, std::string>> behaviors;
  for (const auto& [name, distribution] : model.distributions)
    for (const schema::CacheBehavior& behavior : distribution->cache_behaviors)
      behaviors.emplace(name, behavior.path_pattern);
  return behaviors;
}

template <class T>
std::size_t missing(const std::set<T>& from, const std::set<T>& in) {
  return static_cast<std::size_t>(
      std::count_if(from.begin(), from.end(), [&](const T& item) { return in.count(item) == 0; }));
}

bool is_too_much(std::size_t part, std::size_t whole, int percent) {
  return part >= kFewest && part * 100 > whole * static_cast<std::size_t>(percent);
}

const schema::Fleet& fleet_of(const schema::Model& model) {
  static const schema::Fleet kDefaults;
  return model.fleet != nullptr ? *model.fleet : kDefaults;
}

/// Whether some message says that `amount` is meant: at least so much.
bool is_meant(const std::vector<CommitMessage>& messages, std::string_view trailer,
              std::size_t amount) {
  return std::any_of(messages.begin(), messages.end(), [&](const CommitMessage& message) {
    const auto value = find_trailer(message.text, trailer);
    std::size_t number = 0;
    if (!value) return false;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    return error == std::errc() && end == value->data() + value->size() && number >= amount;
  });
}

schema::Diagnostic refusal(schema::Code code, std::string message, std::string hint) {
  return {"fleet.yaml",
          0,
          0,
          schema::Diagnostic::Severity::Error,
          static_cast<int>(code),
          std::move(message),
          std::move(hint)};
}

std::optional<schema::Diagnostic> check_pruned(const schema::Model& live, const schema::Model& next,
                                               const std::vector<CommitMessage>& messages) {
  const int percent = fleet_of(live).max_pruned_percent;
  const Pruned gone = pruned(live, next);
  if (!is_too_much(gone.hosts, gone.of_hosts, percent) &&
      !is_too_much(gone.behaviors, gone.of_behaviors, percent))
    return std::nullopt;
  if (is_meant(messages, "Headgate-Prune", gone.all())) return std::nullopt;
  return refusal(schema::Code::TooMuchPruned,
                 fmt::format("{} of {} host names and {} of {} behaviors would go, more than {} %",
                             gone.hosts, gone.of_hosts, gone.behaviors, gone.of_behaviors, percent),
                 fmt::format("if that is meant, say so in a commit's message: Headgate-Prune: {}",
                             gone.all()));
}

/// Of what is cached, in percent, rounded up; what two purges touch counts twice, to 100 % at most.
std::size_t purged_percent(const schema::Model& live, const schema::Model& next,
                           const Estimate& estimate) {
  std::vector<const schema::Invalidation*> asked;
  for (const auto& [id, invalidation] : next.invalidations)
    if (live.invalidations.count(id) == 0) asked.push_back(invalidation.get());
  if (asked.empty()) return 0;
  const std::size_t purges = asked.size();
  std::vector<schema::Invalidation> everything;
  everything.reserve(live.distributions.size());
  for (const auto& [name, distribution] : live.distributions) {
    everything.emplace_back();
    everything.back().distribution = name;
    everything.back().select.paths = {"/*"};
    asked.push_back(&everything.back());
  }
  std::uint64_t touched = 0;
  std::uint64_t cached = 0;
  const auto counts = estimate(asked);
  for (std::size_t i = 0; i < counts.size(); ++i)
    (i < purges ? touched : cached) += counts[i].responses;
  if (touched == 0 || cached == 0) return 0;
  return std::min<std::size_t>(100, (touched * 100 + cached - 1) / cached);
}

std::optional<schema::Diagnostic> check_purged(const schema::Model& live, const schema::Model& next,
                                               const std::vector<CommitMessage>& messages,
                                               const Estimate& estimate) {
  const auto allowed = static_cast<std::size_t>(fleet_of(live).max_purged_percent);
  if (allowed >= 100 || !estimate) return std::nullopt;
  const std::size_t percent = purged_percent(live, next, estimate);
  if (percent <= allowed || is_meant(messages, "Headgate-Purge", percent)) return std::nullopt;
  return refusal(
      schema::Code::TooMuchPurged,
      fmt::format("the invalidations would touch {} % of what is cached here, more than {} %",
                  percent, allowed),
      fmt::format("if that is meant, say so in a commit's message: Headgate-Purge: {}", percent));
}

}  // namespace

Pruned pruned(const schema::Model& live, const schema::Model& next) {
  const auto hosts = hosts_of(live);
  const auto behaviors = behaviors_of(live);
  return {missing(hosts, hosts_of(next)), hosts.size(), missing(behaviors, behaviors_of(next)),
          behaviors.size()};
}

std::vector<schema::Diagnostic> check_guards(const schema::Model& live, const schema::Model& next,
                                             const std::vector<CommitMessage>& messages,
                                             const Estimate& estimate) {
  std::vector<schema::Diagnostic> refusals;
  if (auto refused = check_pruned(live, next, messages)) refusals.push_back(std::move(*refused));
  if (auto refused = check_purged(live, next, messages, estimate))
    refusals.push_back(std::move(*refused));
  return refusals;
}

std::optional<Timestamp> next_window(const schema::Model& live, Timestamp now) {
  std::optional<Timestamp> next;
  for (const schema::ChangeWindow& window : fleet_of(live).change_windows) {
    const auto cron = Cron::parse(window.cron);
    if (!cron) continue;  // validation has the last word on it
    if (cron->latest(now - window.open_for, now)) return std::nullopt;
    if (const auto opens = cron->next(now); opens && (!next || *opens < *next)) next = opens;
  }
  return next;
}

std::optional<std::string> find_trailer(const std::string& message, std::string_view name) {
  std::optional<std::string> value;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        schema::to_lower(line.substr(0, name.size())) != schema::to_lower(std::string(name)))
      continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size() + 1);
    const std::size_t end = line.find_last_not_of(" \t\r");
    value = begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return value;
}

}  // namespace headgate::reconciler
