// SPDX-License-Identifier: MIT
#include "appliance/base/timer_heap.h"

#include <algorithm>
#include <utility>

namespace headgate::base {

Timer::~Timer() {
  cancel();
  if (heap_.running_ == this) heap_.running_ = nullptr;
}

void Timer::schedule_at(MonoTime deadline) {
  cancel();
  deadline_ = deadline;
  heap_.insert(*this);
}

void Timer::schedule_after(Duration delay) { schedule_at(heap_.now() + delay); }

void Timer::cancel() {
  if (pending()) heap_.remove(*this);
}

Duration TimerHeap::wait_at_most(Duration limit) const {
  if (heap_.empty()) return limit;
  return std::clamp(heap_.front()->deadline_ - now(), Duration::zero(), limit);
}

bool TimerHeap::run_expired(MonoTime now) {
  now_ = now;
  while (!heap_.empty() && heap_.front()->deadline_ <= now) {
    Timer& timer = *heap_.front();
    remove(timer);
    timer.index_ = due_.size();
    timer.is_due_ = true;
    due_.push_back(&timer);
  }
  bool any = false;
  for (std::size_t i = 0; i < due_.size(); ++i) {
    if (due_[i] == nullptr) continue;
    any = true;
    running_ = due_[i];
    remove(*running_);
    // Held here while it runs: a call-back that destroys its own timer must keep its captures.
    UniqueFunction<void()> on_expiry = std::move(running_->on_expiry_);
    on_expiry();
    if (running_ != nullptr) running_->on_expiry_ = std::move(on_expiry);
  }
  running_ = nullptr;
  due_.clear();
  return any;
}

void TimerHeap::insert(Timer& timer) {
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  sift_up(timer.index_);
}

void TimerHeap::remove(Timer& timer) {
  const std::size_t hole = std::exchange(timer.index_, Timer::kNone);
  if (std::exchange(timer.is_due_, false)) {
    due_[hole] = nullptr;
    return;
  }
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(hole, last);
  sift_up(hole);
  sift_down(last->index_);
}

void TimerHeap::sift_up(std::size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ <= timer->deadline_) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, timer);
}

void TimerHeap::sift_down(std::size_t index) {
  Timer* timer = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_) ++child;
    if (timer->deadline_ <= heap_[child]->deadline_) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, timer);
}

void TimerHeap::place(std::size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

}  // namespace headgate::base
