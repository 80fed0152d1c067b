// SPDX-License-Identifier: MIT
// Timers of arbitrary length for one loop: h2o's own have one fixed duration a list.
#pragma once

#include <cstddef>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/base/unique_function.h"

namespace headgate::base {

class TimerHeap;

/// One pending call-back at most; cancelled by its destructor. Not movable: the heap points at it.
/// Threads: the loop's only.
class Timer {
 public:
  Timer(TimerHeap& heap, UniqueFunction<void()> on_expiry)
      : heap_(heap), on_expiry_(std::move(on_expiry)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Replaces an earlier deadline.
  void schedule_at(MonoTime deadline);
  void schedule_after(Duration delay);
  void cancel();
  bool pending() const { return index_ != kNone; }

 private:
  friend class TimerHeap;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  TimerHeap& heap_;
  UniqueFunction<void()> on_expiry_;
  MonoTime deadline_{};
  std::size_t index_ = kNone;  ///< in the heap, or in what is due while `is_due_`
  bool is_due_ = false;
};

/// A binary min-heap of Timers. The loop asks for the next deadline before it waits and calls
/// `run_expired` after. Threads: one.
class TimerHeap {
 public:
  /// Tells the time of the loop's current iteration, for loops that read their clock once an
  /// iteration.
  using Clock = MonoTime (*)(void* context);
  TimerHeap() = default;
  TimerHeap(Clock clock, void* context) : clock_(clock), context_(context) {}

  MonoTime now() const { return clock_ == nullptr ? now_ : clock_(context_); }
  /// How long the loop may wait, at most `limit`.
  Duration wait_at_most(Duration limit) const;
  /// Calls back, earliest first, every timer whose deadline is not after `now`; says whether there
  /// was any. A call-back may schedule, cancel and destroy any timer, its own included; what it
  /// schedules runs in a later call, however soon it is due. Without a Clock `now` also becomes the
  /// heap's. Not to be called from a call-back.
  bool run_expired(MonoTime now);

 private:
  friend class Timer;
  void insert(Timer& timer);
  void remove(Timer& timer);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void place(std::size_t index, Timer* timer);

  std::vector<Timer*> heap_;
  std::vector<Timer*> due_;   ///< of the run_expired under way; null once called or cancelled
  Timer* running_ = nullptr;  ///< null again when its call-back has destroyed it
  MonoTime now_ = mono_now();
  Clock clock_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace headgate::base
