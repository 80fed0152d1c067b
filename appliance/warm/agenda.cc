// SPDX-License-Identifier: MIT
// What one run still has to ask for, and when it may ask for the next thing.
#include "appliance/warm/agenda.h"

#include <algorithm>

namespace headgate::warm {
namespace {

using std::chrono::seconds;

/// A thread that wakes up late catches up, a little.
constexpr std::chrono::milliseconds kCatchUp{20};
constexpr seconds kLongestPause{60};

bool is_trouble(const Outcome& outcome) {
  return outcome.status == 0 || outcome.status == 429 || outcome.status >= 500;
}

}  // namespace

Agenda::Agenda(int concurrency, int rate)
    : concurrency_(concurrency), interval_(std::chrono::nanoseconds(seconds(1)) / rate) {}

void Agenda::add(Item item) {
  const std::string key = (item.kind == Item::Kind::Object ? "" : "document ") + item.target.host +
                          " " + item.target.path;
  if (known_.count(key) != 0) return;
  if (known_.size() >= kMaxItems || known_bytes_ + key.size() > kMaxTargetBytes) return skip();
  known_bytes_ += key.size();
  known_.insert(key);
  ++progress_.total;
  waiting_.push_back(std::move(item));
}

void Agenda::skip() {
  ++progress_.total;
  ++progress_.skipped;
}

std::optional<Item> Agenda::take(Time now) {
  // After trouble one request shows whether it is over.
  const int at_once = pauses_ > 0 ? 1 : concurrency_;
  if (waiting_.empty() || under_way_ >= at_once || now < next_start_) return std::nullopt;
  next_start_ = std::max(next_start_, now - kCatchUp) + interval_;
  Item item = std::move(waiting_.front());
  waiting_.pop_front();
  ++under_way_;
  ++item.attempts;
  item.began = now;
  return item;
}

std::optional<Time> Agenda::next() const {
  if (waiting_.empty() || under_way_ >= (pauses_ > 0 ? 1 : concurrency_)) return std::nullopt;
  return next_start_;
}

void Agenda::ended(const Item& item, const Outcome& outcome, Time now) {
  --under_way_;
  progress_.bytes += outcome.bytes;
  if (is_trouble(outcome)) return pause(item, now);
  pauses_ = 0;
  if (outcome.status >= 400 || outcome.unusable) {
    ++progress_.failed;
    return;
  }
  ++progress_.done;
  progress_.already_cached += outcome.hit ? 1 : 0;
  progress_.not_stored += outcome.hit || outcome.stored ? 0 : 1;
}

void Agenda::pause(const Item& item, Time now) {
  if (item.attempts < kMaxAttempts && !gave_up_) {
    waiting_.push_back(item);
  } else {
    ++progress_.failed;
  }
  // Those that were under way together have met the same trouble: one pause for all.
  if (pauses_ == 0 || item.began > last_trouble_) {
    const auto length = seconds(1) * (1 << std::min(pauses_, 6));
    ++pauses_;
    next_start_ = now + std::min<seconds>(length, kLongestPause);
    last_trouble_ = now;
  }
  if (pauses_ > kMaxPauses) give_up();
}

void Agenda::give_up() {
  gave_up_ = true;
  progress_.skipped += waiting_.size();
  waiting_.clear();
}

}  // namespace headgate::warm
