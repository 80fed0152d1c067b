// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/origin/latch.h"

namespace headgate::origin {
namespace {

constexpr auto kSecond = std::chrono::seconds(1);

base::MonoTime at(std::chrono::milliseconds time) { return base::MonoTime() + time; }

TEST_CASE("an origin is sick after as many failures in a row as were allowed") {
  Latch latch({.failures = 3, .within = 10 * kSecond, .probe_every = 2 * kSecond});
  latch.failed(at(kSecond));
  latch.failed(at(kSecond));
  CHECK_FALSE(latch.is_sick());
  latch.failed(at(kSecond));
  CHECK(latch.is_sick());
}

TEST_CASE("a success between them begins the count again") {
  Latch latch({.failures = 2, .within = 10 * kSecond, .probe_every = 2 * kSecond});
  latch.failed(at(kSecond));
  latch.succeeded();
  latch.failed(at(kSecond));
  CHECK_FALSE(latch.is_sick());
}

TEST_CASE("failures that lie further apart than the window do not add up") {
  Latch latch({.failures = 2, .within = 10 * kSecond, .probe_every = 2 * kSecond});
  latch.failed(at(kSecond));
  latch.failed(at(12 * kSecond));
  CHECK_FALSE(latch.is_sick());
  latch.failed(at(13 * kSecond));
  CHECK(latch.is_sick());
}

TEST_CASE("one probe an interval is due while sick, and one success makes well") {
  Latch latch({.failures = 1, .within = 10 * kSecond, .probe_every = 2 * kSecond});
  CHECK_FALSE(latch.take_probe(at(kSecond)));
  latch.failed(at(kSecond));
  CHECK_FALSE(latch.take_probe(at(2 * kSecond)));
  CHECK(latch.take_probe(at(3 * kSecond)));
  CHECK_FALSE(latch.take_probe(at(4 * kSecond)));
  CHECK(latch.take_probe(at(5 * kSecond)));
  latch.succeeded();
  CHECK_FALSE(latch.is_sick());
  CHECK_FALSE(latch.take_probe(at(9 * kSecond)));
}

TEST_CASE("no failures allowed means that nothing is ever sick") {
  Latch latch({.failures = 0});
  for (int i = 0; i < 100; ++i) latch.failed(at(kSecond));
  CHECK_FALSE(latch.is_sick());
}

}  // namespace
}  // namespace headgate::origin
