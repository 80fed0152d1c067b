// SPDX-License-Identifier: MIT
// The guard window of a commit: watches its requests, compares when they seem worse, and says what
// is to be done.
#include "reconciler/rollout/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headgate::reconciler {
void Watch::serves(std::shared_ptr<const snapshot::Snapshot> live, bool judged,
                   base::MonoTime now) {
  const std::shared_ptr<const snapshot::Snapshot> replaced = std::exchange(live_, std::move(live));
  const bool suspected = suspicion_.has_value();
  suspicion_.reset();
  if (!judged || replaced == nullptr) {
    good_.reset();
  } else if (!suspected) {
    before_ = since(count_of(count_, *replaced), live_at_start_);
    good_ = replaced;
  }
  live_at_start_ = count_of(count_, *live_);
  windows_.clear();
  if (good_ != nullptr)
    for (Guarded& each : guarded(*good_->configuration, *live_->configuration)) {
      const base::MonoTime until = now + each.guard.window;
      windows_.push_back({std::move(each), until});
    }
  if (windows_.empty()) good_.reset();
  if (good_ != nullptr) set_until(now);
}

void Watch::set_until(base::MonoTime now) {
  until_ = now;
  for (const Window& each : windows_) until_ = std::max(until_, each.until);
}

Watch::Step Watch::look(base::MonoTime now) {
  if (!is_watching()) return {};
  return is_comparing() ? compare_both(now) : look_for_suspicion(now);
}

Watch::Step Watch::look_for_suspicion(base::MonoTime now) {
  const Tallies tallies = since(count_of(count_, *live_), live_at_start_);
  for (const auto& [each, until] : windows_) {
    if (now >= until) continue;
    suspicion_ = suspect(each.distribution, each.guard, sum_of(before_, each.distribution),
                         sum_of(tallies, each.distribution));
    if (!suspicion_) continue;
    suspecting_ = each.guard;
    live_at_start_ = count_of(count_, *live_);
    other_at_start_ = count_of(count_, *good_);
    // As long as a window, however late in it the suspicion came.
    until_ = std::max(until_, now + each.guard.window);
    return {Act::Compare, describe(*suspicion_, suspicion_->share)};
  }
  if (now < until_) return {};
  good_.reset();
  return {Act::End, ""};
}

Watch::Step Watch::compare_both(base::MonoTime now) {
  const Tallies here = since(count_of(count_, *live_), live_at_start_);
  const Tallies there = since(count_of(count_, *good_), other_at_start_);
  const observe::Tally live = sum_of(here, suspicion_->distribution);
  const observe::Tally other = sum_of(there, suspicion_->distribution);
  switch (compare(*suspicion_, suspecting_, live, other)) {
    case Finding::Worse: {
      const Share before = share_of(*suspicion_, other);
      return {Act::RollBack,
              fmt::format("{}{}, {:.1f} % of {} under the configuration before",
                          describe(*suspicion_, share_of(*suspicion_, live)),
                          worst_behaviors(*suspicion_, here), before.ratio() * 100, before.of)};
    }
    case Finding::Alike:
      return clear("it is the same under the configuration before", now);
    case Finding::Over:
      return clear("it is over", now);
    case Finding::Open:
      break;
  }
  if (now < until_) return {};
  return clear("too few requests came to tell", now);
}

/// What was counted until now says nothing about the commit any more.
Watch::Step Watch::clear(const std::string& why, base::MonoTime now) {
  Step step{Act::Clear, suspicion_->distribution + ": " + why};
  suspicion_.reset();
  live_at_start_ = count_of(count_, *live_);
  set_until(now);
  return step;
}

}  // namespace headgate::reconciler
