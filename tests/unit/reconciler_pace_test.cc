// SPDX-License-Identifier: MIT
// How long the loop waits.
#include <doctest/doctest.h>

#include <set>

#include "reconciler/loop/pace.h"

using namespace headgate;
using namespace headgate::reconciler;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

bool near(Duration wait, Duration expected) {
  return wait >= expected - expected / 10 && wait <= expected + expected / 10;
}

}  // namespace

TEST_CASE("the loop waits for the poll interval, and never for exactly the same time") {
  for (const Duration poll :
       {Duration(milliseconds(1)), Duration(seconds(15)), Duration(std::chrono::hours(24))}) {
    Pace pace(poll, 1);
    std::set<Duration::rep> waits;
    for (int i = 0; i < 100; ++i) {
      const Duration wait = pace.next_wait();
      CHECK(near(wait, poll));
      waits.insert(wait.count());
    }
    if (poll > seconds(1)) CHECK(waits.size() > 50);
  }
}

TEST_CASE("failures are tried again soon, then later and later, and success ends that") {
  Pace pace(seconds(15), 1);
  for (const int expected : {1, 2, 4, 8, 16, 30, 30}) {
    pace.failed();
    CHECK(near(pace.next_wait(), seconds(expected)));
  }
  for (int i = 0; i < 1000; ++i) pace.failed();
  CHECK(near(pace.next_wait(), seconds(30)));
  pace.succeeded();
  CHECK(near(pace.next_wait(), seconds(15)));
}

TEST_CASE("a short poll interval is kept for the first try after a failure, a long one for all") {
  Pace fast(milliseconds(100), 1);
  fast.failed();
  CHECK(near(fast.next_wait(), milliseconds(100)));
  Pace slow(std::chrono::minutes(5), 1);
  for (int i = 0; i < 20; ++i) slow.failed();
  CHECK(near(slow.next_wait(), std::chrono::minutes(5)));
}
