// SPDX-License-Identifier: MIT
// Whether a commit made requests worse: numbers in, a finding out.
#include "reconciler/rollout/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace headgate::reconciler {
namespace {

using observe::Tally;

/// Standard errors: one look in a thousand is wrong, and looks are many.
constexpr double kErrors = 3;
/// Beyond the p99 lies one request in a hundred.
constexpr double kBeyondP99 = 0.01;

struct Interval {
  double low = 0;
  double high = 1;
};

Interval wilson(const Share& share) {
  if (share.of == 0) return {};
  constexpr double kSquare = kErrors * kErrors;
  const auto n = static_cast<double>(share.of);
  const double p = share.ratio();
  const double center = (p + kSquare / (2 * n)) / (1 + kSquare / n);
  const double half =
      kErrors / (1 + kSquare / n) * std::sqrt(p * (1 - p) / n + kSquare / (4 * n * n));
  return {std::max(0.0, center - half), std::min(1.0, center + half)};
}

/// The bucket that 99 of 100 requests are in or below.
std::size_t p99_bucket(const Tally& tally) {
  std::uint64_t below = 0;
  std::size_t bucket = 0;
  for (; bucket + 1 < observe::kBuckets; ++bucket) {
    below += tally.first_octet[bucket];
    if (below * 100 >= tally.requests * 99) break;
  }
  return bucket;
}

/// The bucket whose end is so much later; the last one when that is beyond all ends.
std::size_t later_bucket(std::size_t bucket, double percent) {
  if (bucket >= observe::kBucketsUs.size()) return bucket;
  const double end = static_cast<double>(observe::kBucketsUs[bucket]) * (1 + percent / 100);
  while (bucket < observe::kBucketsUs.size() &&
         static_cast<double>(observe::kBucketsUs[bucket]) < end)
    ++bucket;
  return bucket;
}

Suspicion of_ratio(Signal signal, double allowed_percent, const Tally& before, bool enough_before) {
  Suspicion out;
  out.signal = signal;
  out.allowance = allowed_percent / 100;
  out.limit = out.allowance + (enough_before ? share_of(out, before).ratio() : 0);
  return out;
}

std::string_view words(Signal signal) {
  switch (signal) {
    case Signal::Errors:
      return "ended as 5xx";
    case Signal::OriginErrors:
      return "failed at the origin";
    case Signal::Blocks:
      return "were refused";
    case Signal::FirstOctet:
      break;
  }
  return "were slower than 99 of 100 may be";
}

}  // namespace

double Share::ratio() const {
  return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
}
double Share::at_least() const { return wilson(*this).low; }
double Share::at_most() const { return wilson(*this).high; }

Share share_of(const Suspicion& suspicion, const Tally& tally) {
  Share share{0, tally.requests};
  switch (suspicion.signal) {
    case Signal::Errors:
      share.part = tally.errors;
      break;
    case Signal::OriginErrors:
      share.part = tally.origin_errors;
      break;
    case Signal::Blocks:
      share.part = tally.blocks;
      break;
    case Signal::FirstOctet:
      for (std::size_t i = suspicion.bucket + 1; i < observe::kBuckets; ++i)
        share.part += tally.first_octet[i];
      break;
  }
  return share;
}

std::optional<Suspicion> suspect(const std::string& distribution, const schema::RolloutGuard& guard,
                                 const Tally& before, const Tally& now) {
  if (now.requests < guard.min_requests) return std::nullopt;
  const bool enough_before = before.requests >= guard.min_requests;
  std::vector<Suspicion> asked = {
      of_ratio(Signal::Errors, guard.max_error_ratio_increase, before, enough_before),
      of_ratio(Signal::OriginErrors, guard.max_error_ratio_increase, before, enough_before)};
  if (guard.max_block_ratio_increase)
    asked.push_back(
        of_ratio(Signal::Blocks, *guard.max_block_ratio_increase, before, enough_before));
  if (guard.max_p99_increase && enough_before) {
    Suspicion slow;
    slow.signal = Signal::FirstOctet;
    slow.bucket = later_bucket(p99_bucket(before), *guard.max_p99_increase);
    slow.limit = kBeyondP99;
    asked.push_back(slow);
  }
  for (Suspicion& suspicion : asked) {
    suspicion.distribution = distribution;
    suspicion.share = share_of(suspicion, now);
    if (suspicion.share.at_least() > suspicion.limit) return suspicion;
  }
  return std::nullopt;
}

Finding compare(const Suspicion& suspicion, const schema::RolloutGuard& guard, const Tally& live,
                const Tally& other) {
  const Share here = share_of(suspicion, live);
  const Share there = share_of(suspicion, other);
  if (here.at_least() > std::max(suspicion.limit, there.at_most() + suspicion.allowance))
    return Finding::Worse;
  if (there.at_least() > suspicion.limit) return Finding::Alike;
  if (here.of >= guard.min_requests && here.at_least() <= suspicion.limit) return Finding::Over;
  return Finding::Open;
}

std::string describe(const Suspicion& suspicion, const Share& share) {
  return fmt::format("{}: {:.1f} % of {} requests {}", suspicion.distribution, share.ratio() * 100,
                     share.of, words(suspicion.signal));
}

}  // namespace headgate::reconciler
