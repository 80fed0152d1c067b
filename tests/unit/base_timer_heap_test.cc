// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "appliance/base/timer_heap.h"

using headgate::Duration;
using headgate::base::MonoTime;
using headgate::base::Timer;
using headgate::base::TimerHeap;

TEST_CASE("timers expire earliest first and not before their time") {
  TimerHeap heap;
  std::string order;
  Timer a(heap, [&order] { order += 'a'; });
  Timer b(heap, [&order] { order += 'b'; });
  Timer c(heap, [&order] { order += 'c'; });
  const MonoTime start = heap.now();
  a.schedule_after(Duration(30));
  b.schedule_after(Duration(10));
  c.schedule_after(Duration(20));
  heap.run_expired(start + Duration(9));
  CHECK(order.empty());
  heap.run_expired(start + Duration(20));
  CHECK(order == "bc");
  CHECK(a.pending());
  CHECK_FALSE(b.pending());
  heap.run_expired(start + Duration(1000));
  CHECK(order == "bca");
}

TEST_CASE("a loop waits until the next deadline and never longer than its limit") {
  TimerHeap heap;
  CHECK(heap.wait_at_most(Duration(500)) == Duration(500));
  Timer timer(heap, [] {});
  timer.schedule_after(Duration(200));
  CHECK(heap.wait_at_most(Duration(500)) == Duration(200));
  CHECK(heap.wait_at_most(Duration(50)) == Duration(50));
  timer.schedule_after(Duration(-5));
  CHECK(heap.wait_at_most(Duration(500)) == Duration(0));
}

TEST_CASE("scheduling again replaces the deadline, cancelling and destroying drop it") {
  TimerHeap heap;
  int calls = 0;
  const MonoTime start = heap.now();
  Timer moved(heap, [&calls] { ++calls; });
  moved.schedule_after(Duration(10));
  moved.schedule_after(Duration(100));
  Timer cancelled(heap, [&calls] { calls += 100; });
  cancelled.schedule_after(Duration(10));
  cancelled.cancel();
  {
    Timer gone(heap, [&calls] { calls += 100; }), also(heap, [] {});
    gone.schedule_after(Duration(10));
  }
  heap.run_expired(start + Duration(50));
  CHECK(calls == 0);
  heap.run_expired(start + Duration(100));
  CHECK(calls == 1);
}

TEST_CASE("a call-back that is due again at once runs in the next round, so a loop cannot starve") {
  TimerHeap heap;
  int calls = 0;
  Timer* self = nullptr;
  Timer timer(heap, [&] {
    ++calls;
    self->schedule_after(Duration(0));
  });
  self = &timer;
  timer.schedule_after(Duration(0));
  heap.run_expired(heap.now());
  CHECK(calls == 1);
  CHECK(heap.wait_at_most(Duration(100)) == Duration(0));
  heap.run_expired(heap.now());
  CHECK(calls == 2);
}

TEST_CASE("a call-back may cancel, move and destroy timers that are due in the same round") {
  TimerHeap heap;
  std::string order;
  const MonoTime start = heap.now();
  auto destroyed = std::make_unique<Timer>(heap, [&order] { order += "destroyed "; });
  Timer cancelled(heap, [&order] { order += "cancelled "; });
  Timer moved(heap, [&order] { order += "moved "; });
  Timer first(heap, [&] {
    order += "first ";
    destroyed.reset();
    cancelled.cancel();
    moved.schedule_after(Duration(100));
  });
  first.schedule_after(Duration(1));
  destroyed->schedule_after(Duration(2));
  cancelled.schedule_after(Duration(2));
  moved.schedule_after(Duration(2));
  heap.run_expired(start + Duration(5));
  CHECK(order == "first ");
  CHECK(moved.pending());
  CHECK_FALSE(cancelled.pending());
  heap.run_expired(start + Duration(200));
  CHECK(order == "first moved ");
}

TEST_CASE("a call-back that destroys its own timer keeps what it has captured") {
  TimerHeap heap;
  std::string result;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(heap, [&result, &timer, text = std::string(100, 'x')] {
    timer.reset();
    result = text;  // read after the timer's end
  });
  timer->schedule_after(Duration(0));
  heap.run_expired(heap.now());
  CHECK(result == std::string(100, 'x'));
}

TEST_CASE("whatever is scheduled, moved and cancelled, exactly the due timers run") {
  std::mt19937 random(7);
  TimerHeap heap;
  struct Model {
    std::unique_ptr<Timer> timer;
    bool pending = false;
    MonoTime deadline{};
    int calls = 0;
  };
  std::vector<Model> models(60);
  for (Model& model : models)
    model.timer = std::make_unique<Timer>(heap, [&model] { ++model.calls; });
  MonoTime now = heap.now();
  for (int step = 0; step < 20'000; ++step) {
    Model& model = models[random() % models.size()];
    switch (random() % 4) {
      case 0:
      case 1:
        model.deadline = now + Duration(static_cast<int>(random() % 100));
        model.timer->schedule_at(model.deadline);
        model.pending = true;
        break;
      case 2:
        model.timer->cancel();
        model.pending = false;
        break;
      default:
        now += Duration(static_cast<int>(random() % 10));
        for (Model& m : models) m.calls = 0;
        heap.run_expired(now);
        for (Model& m : models) {
          const bool due = m.pending && m.deadline <= now;
          REQUIRE(m.calls == (due ? 1 : 0));
          if (due) m.pending = false;
          REQUIRE(m.timer->pending() == m.pending);
        }
    }
    Duration next(1000);
    for (const Model& m : models)
      if (m.pending) next = std::min(next, std::max(Duration(0), m.deadline - now));
    REQUIRE(heap.wait_at_most(Duration(1000)) == next);
  }
}
