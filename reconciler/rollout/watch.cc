// SPDX-License-Identifier: MIT
// The guard window of a commit: watches its requests, compares when they seem worse, and says what
// is to be done.
#include "reconciler/rollout/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headgate::reconciler {

std::shared_ptr<const snapshot::Snapshot> Watch::good_for(
    const snapshot::Configuration& next) const {
  const auto& good = is_suspected() ? good_ : live_;
  if (good == nullptr || guarded(*good->configuration, next).empty()) return nullptr;
  return good;
}

void Watch::serves(std::shared_ptr<const snapshot::Snapshot> live, bool judged,
                   base::MonoTime now) {
  auto good = judged ? good_for(*live->configuration) : nullptr;
  if (good != nullptr && good == live_) before_ = since(count_of(count_, *live_), live_at_start_);
  end();
  live_ = std::move(live);
  good_ = std::move(good);
  live_at_start_ = count_of(count_, *live_);
  open_windows(now);
}

void Watch::go_on(std::shared_ptr<const snapshot::Snapshot> live,
                  std::shared_ptr<const snapshot::Snapshot> good, bool suspected,
                  const TimeLeft& left, base::MonoTime now) {
  end();
  live_ = std::move(live);
  good_ = std::move(good);
  before_.clear();
  live_at_start_ = count_of(count_, *live_);
  open_windows(now);
  for (Window& each : windows_)
    if (const auto found = left.find(each.guarded.distribution); found != left.end())
      each.until = std::min(each.until, now + found->second);
  if (!is_watching()) return;
  was_suspected_ = suspected;
  set_until(now);
}

TimeLeft Watch::left(base::MonoTime now) const {
  TimeLeft left;
  for (const Window& each : windows_) {
    const bool is_suspect = suspicion_ && suspicion_->distribution == each.guarded.distribution;
    const base::MonoTime until = is_suspect ? std::max(until_, each.until) : each.until;
    left[each.guarded.distribution] = std::max<Duration>(Duration::zero(), until - now);
  }
  return left;
}

void Watch::open_windows(base::MonoTime now) {
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
  end();
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
  was_suspected_ = false;
  live_at_start_ = count_of(count_, *live_);
  set_until(now);
  return step;
}

}  // namespace headgate::reconciler
