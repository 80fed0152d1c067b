// SPDX-License-Identifier: MIT
#include "appliance/cache/simulate/miss_curve.h"

namespace headgate::cache {
namespace {

/// So that a hit seldom pays for being recorded, however few objects there are.
constexpr std::uint64_t kFirstOneIn = 16;
/// Beyond this the copies would be smaller than what they hold.
constexpr std::uint64_t kMostOneIn = std::uint64_t{1} << 20;

std::uint64_t part(std::uint64_t capacity_bytes, double scale, std::uint64_t one_in) {
  return static_cast<std::uint64_t>(static_cast<double>(capacity_bytes) * scale /
                                    static_cast<double>(one_in));
}

}  // namespace

MissCurve::MissCurve(Policy::Kind policy, std::uint64_t capacity_bytes, std::size_t max_entries)
    : capacity_bytes_(capacity_bytes),
      max_entries_(max_entries),
      limit_(UINT64_MAX / kFirstOneIn),
      one_in_(kFirstOneIn) {
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    Simulation::Options options;
    options.policy = policy;
    options.capacity_bytes = part(capacity_bytes, MissCurveStats::kScales[i], one_in_);
    options.max_ghosts = static_cast<std::uint32_t>(max_entries);
    copies_[i] = std::make_unique<Simulation>(options);
  }
}

MissCurve::~MissCurve() = default;

void MissCurve::work() {
  const base::MutexLock lock(mutex_);
  SampleRing::Sample sample;
  // What comes meanwhile is for the next time: this ends.
  for (std::size_t i = 0; i < SampleRing::kSlots && ring_.pop(sample); ++i) look_at(sample);
  const std::uint64_t lost = lost_.load(std::memory_order_relaxed);
  if (lost != lost_before_) halve();
  lost_before_ = lost;
}

void MissCurve::look_at(const SampleRing::Sample& sample) {
  if (!takes(sample.id)) return;  // of before the limit fell
  ++stats_.sampled;
  stats_.requests += one_in_;
  stats_.bytes += one_in_ * sample.bytes;
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    if (copies_[i]->use(sample.id, sample.bytes, sample.object_bytes)) continue;
    stats_.misses[i] += one_in_;
    stats_.missed_bytes[i] += one_in_ * sample.bytes;
  }
  if (copies_.back()->entries() > max_entries_) halve();
}

void MissCurve::halve() {
  if (one_in_ >= kMostOneIn) return;
  one_in_ *= 2;
  const std::uint64_t limit = UINT64_MAX / one_in_;
  limit_.store(limit, std::memory_order_relaxed);
  for (std::size_t i = 0; i < copies_.size(); ++i)
    copies_[i]->narrow(limit, part(capacity_bytes_, MissCurveStats::kScales[i], one_in_));
}

MissCurveStats MissCurve::stats() const {
  const base::MutexLock lock(mutex_);
  MissCurveStats stats = stats_;
  stats.sampled_one_in = one_in_;
  stats.lost = lost_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace headgate::cache
