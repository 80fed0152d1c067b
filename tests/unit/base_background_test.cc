// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <thread>

#include "appliance/base/background.h"

namespace headgate::base {
namespace {

TEST_CASE("a thread that works in the background is scheduled in batches, and the others are not") {
  int policy = -1;
  int nice = -1;
  std::thread([&] {
    work_in_background(7);
    policy = sched_getscheduler(0);
    nice = getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(policy == SCHED_BATCH);
  CHECK(nice == 7);
  CHECK(sched_getscheduler(0) == SCHED_OTHER);
}

TEST_CASE(
    "a thread that answers requests keeps its policy and the nice value it was started with") {
  int policy = -1;
  int nice = -1;
  std::thread([&] {
    setpriority(PRIO_PROCESS, 0, 3);
    work_in_foreground();
    policy = sched_getscheduler(0);
    nice = getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(policy == SCHED_OTHER);
  CHECK(nice == 3);
}

TEST_CASE("a thread that works when nobody else wants to is the idle class's") {
  int policy = -1;
  std::thread([&] {
    work_when_idle();
    policy = sched_getscheduler(0);
  }).join();
  CHECK(policy == SCHED_IDLE);
}

TEST_CASE("a thread that yields often is interrupted where it waits, and no longer afterwards") {
  constexpr int kLongMs = 20'000;
  std::thread([&] {
    {
      const YieldOften often;
      errno = 0;
      CHECK(poll(nullptr, 0, kLongMs) == -1);
      CHECK(errno == EINTR);
    }
    CHECK(poll(nullptr, 0, 5) == 0);
  }).join();
}

}  // namespace
}  // namespace headgate::base
