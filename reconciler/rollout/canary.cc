// SPDX-License-Identifier: MIT
// A commit that goes live step by step: when its share grows, when it goes live, and when it does
// not.
#include "reconciler/rollout/canary.h"

#include <fmt/format.h>

#include "schema/text.h"

namespace headgate::reconciler {

void Canary::begin(std::shared_ptr<const snapshot::Snapshot> live,
                   std::shared_ptr<const snapshot::Snapshot> commit, const schema::Rollout& rollout,
                   base::MonoTime now) {
  live_ = std::move(live);
  commit_ = std::move(commit);
  rollout_ = rollout;
  guarded_ = guarded(*live_->configuration, *commit_->configuration);
  live_at_start_ = count_of(count_, *live_);
  commit_at_start_ = count_of(count_, *commit_);
  step_ = 0;
  until_ = now + rollout_.hold;
}

void Canary::go_on(std::size_t step, Duration left, base::MonoTime now) {
  step_ = std::clamp<std::size_t>(step, 1, rollout_.steps.size()) - 1;
  until_ = now + std::clamp<Duration>(left, Duration::zero(), rollout_.hold);
}

Canary::Step Canary::look(base::MonoTime now, bool may_advance) {
  if (!is_running()) return {};
  if (Step step = judge(); step.act != Act::Nothing) return step;
  if (now < until_ || !may_advance) return {};
  if (step_ + 1 == rollout_.steps.size()) return {Act::Promote, ""};
  ++step_;
  until_ = now + rollout_.hold;
  return {Act::Widen, ""};
}

Canary::Step Canary::judge() const {
  const Tallies here = since(count_of(count_, *commit_), commit_at_start_);
  const Tallies there = since(count_of(count_, *live_), live_at_start_);
  for (const Guarded& each : guarded_) {
    const observe::Tally commit = sum_of(here, each.distribution);
    const observe::Tally live = sum_of(there, each.distribution);
    const auto suspicion = suspect(each.distribution, each.guard, live, commit);
    if (!suspicion || compare(*suspicion, each.guard, commit, live) != Finding::Worse) continue;
    const Share before = share_of(*suspicion, live);
    return {Act::Abort,
            fmt::format("{}{}, {:.1f} % of {} under the configuration before",
                        describe(*suspicion, suspicion->share), worst_behaviors(*suspicion, here),
                        before.ratio() * 100, before.of)};
  }
  return {};
}

snapshot::Split split_of(const Canary& canary) {
  const schema::Rollout& rollout = canary.rollout();
  snapshot::Split split;
  split.share = static_cast<std::uint32_t>(canary.share() / 100 * snapshot::Split::kNumbers + 0.5);
  split.by_cookie = rollout.sticky == schema::Rollout::Sticky::Cookie;
  if (rollout.header) {
    split.header = schema::to_lower(rollout.header->name);
    split.value = rollout.header->value;
  }
  split.cookie_seconds = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(rollout.duration()).count());
  return split;
}

}  // namespace headgate::reconciler
