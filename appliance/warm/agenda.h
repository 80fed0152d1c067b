// SPDX-License-Identifier: MIT
// What one run still has to ask for, and when it may ask for the next thing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>

#include "appliance/warm/document/target.h"

namespace headgate::warm {

using Time = std::chrono::steady_clock::time_point;

struct Item {
  enum class Kind { Object, Sitemap, Manifest };
  Kind kind = Kind::Object;
  Target target;
  int depth = 0;     ///< how many sitemaps or manifests led here
  int attempts = 0;  ///< that have begun
  Time began{};      ///< the last of them
};

/// What came of one request.
struct Outcome {
  int status = 0;           ///< 0: no whole answer
  bool hit = false;         ///< it was cached already
  bool stored = false;      ///< it has been cached, or renewed
  bool unusable = false;    ///< a sitemap or manifest that cannot be read
  std::uint64_t bytes = 0;  ///< of the body
};

/// Items, each counted once: total = done + failed + skipped + those that are still to come.
struct Progress {
  std::uint64_t total = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;          ///< 4xx and 5xx, no answer, unusable
  std::uint64_t skipped = 0;         ///< too many, of other hosts, or given up
  std::uint64_t already_cached = 0;  ///< of `done`
  std::uint64_t not_stored = 0;      ///< of `done`: what came may not be cached
  std::uint64_t bytes = 0;
};

/// Requests begin evenly spaced. A 5xx, a 429 or no answer is a reason to pause, 1 s at first and
/// twice as long each time up to a minute; after a pause one request goes ahead alone. Each item is
/// tried three times at most. After ten pauses in a row the run is given up: about five minutes.
/// Threads: one at a time.
class Agenda {
 public:
  static constexpr std::uint64_t kMaxItems = 50'000;
  static constexpr std::size_t kMaxTargetBytes = 16 << 20;  ///< of all targets together
  static constexpr int kMaxAttempts = 3;
  static constexpr int kMaxPauses = 10;

  /// `rate`: requests a second.
  Agenda(int concurrency, int rate);

  /// Once for each target; beyond the limits it is skipped.
  void add(Item item);
  /// Counts something that is not asked for.
  void skip();
  /// What may be asked for now; `ended` must follow.
  std::optional<Item> take(Time now);
  /// When `take` can succeed; none: not before something ends.
  std::optional<Time> next() const;
  void ended(const Item& item, const Outcome& outcome, Time now);
  /// Nothing more begins.
  void give_up();

  bool is_over() const { return waiting_.empty() && under_way_ == 0; }
  bool gave_up() const { return gave_up_; }
  bool is_paused(Time now) const { return pauses_ > 0 && now < next_start_; }
  const Progress& progress() const { return progress_; }

 private:
  void pause(const Item& item, Time now);

  const int concurrency_;
  const std::chrono::nanoseconds interval_;
  std::deque<Item> waiting_;
  std::unordered_set<std::string> known_;
  std::size_t known_bytes_ = 0;
  Progress progress_;
  int under_way_ = 0;
  int pauses_ = 0;  ///< in a row
  bool gave_up_ = false;
  Time next_start_{};
  Time last_trouble_{};
};

}  // namespace headgate::warm
