// SPDX-License-Identifier: MIT
// Which viewers get a commit that goes live step by step.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "appliance/snapshot/split.h"

using namespace headgate;
using namespace headgate::snapshot;
using base::IpAddress;

namespace {

IpAddress address(unsigned number) {
  return IpAddress::from_v4({10, static_cast<std::uint8_t>(number >> 16),
                             static_cast<std::uint8_t>(number >> 8),
                             static_cast<std::uint8_t>(number)});
}

bool is_in(const Split& split, const IpAddress& client) {
  return choose(split, {}, client, 0).is_in;
}

Choice with_cookie(const Split& split, const std::string& cookie, std::uint32_t random = 0) {
  const std::array fields = {http::Field{"cookie", cookie}};
  return choose(split, fields, {}, random);
}

Split by_cookie(std::uint32_t share) {
  Split split;
  split.by_cookie = true;
  split.share = share;
  split.generation = 7;
  split.cookie_seconds = 240;
  return split;
}

}  // namespace

TEST_CASE("as many addresses as the share says are in, and others of another commit") {
  Split split;
  split.generation = 7;
  for (const std::uint32_t share : {0U, 100U, 2000U, 5000U, 10'000U}) {
    split.share = share;
    int count = 0;
    for (unsigned i = 0; i < 20'000; ++i) count += is_in(split, address(i)) ? 1 : 0;
    const double expected = 2.0 * share;
    const double spread = 4 * std::sqrt(expected * (1 - share / 10'000.0));
    CHECK(std::abs(count - expected) <= spread);
  }
  split.share = 5000;
  Split next = split;
  next.generation = 8;
  int both = 0;
  for (unsigned i = 0; i < 20'000; ++i)
    both += is_in(split, address(i)) && is_in(next, address(i)) ? 1 : 0;
  CHECK(std::abs(both - 5000) < 250);
}

TEST_CASE("who is in stays in when the share grows") {
  Split small;
  small.share = 1000;
  Split large = small;
  large.share = 3000;
  for (unsigned i = 0; i < 2000; ++i)
    if (is_in(small, address(i))) CHECK(is_in(large, address(i)));
}

TEST_CASE("a viewer without a cookie gets a number, and one with it keeps it") {
  const Choice fresh = with_cookie(by_cookie(2000), "a=b", 1999);
  CHECK(fresh.is_in);
  CHECK(fresh.assigned == 1999);
  CHECK_FALSE(with_cookie(by_cookie(2000), "a=b", 2000).is_in);
  CHECK(with_cookie(by_cookie(2000), "a=b", 12'345).assigned == 2345);
  const Choice known = with_cookie(by_cookie(2000), "a=b; Headgate-Rollout=7-1999", 5000);
  CHECK(known.is_in);
  CHECK_FALSE(known.assigned);
  CHECK_FALSE(with_cookie(by_cookie(2000), "Headgate-Rollout=7-2000", 0).is_in);
}

TEST_CASE("a number of another commit, or that the edge has not made, is none") {
  for (const char* value : {"6-1", "7-10000", "7-", "-1", "7", "", "7-1x", "7-4294967297", "x-1",
                            "18446744073709551616-1"})
    CHECK_MESSAGE(
        with_cookie(by_cookie(1), fmt::format("Headgate-Rollout={}", value), 9999).assigned == 9999,
        value);
  CHECK_FALSE(with_cookie(by_cookie(1), "Headgate-Rollout=x; Headgate-Rollout=7-1").assigned);
}

TEST_CASE("the cookie lasts as long as the steps") {
  CHECK(set_cookie(by_cookie(1), 42, true) ==
        "Headgate-Rollout=7-42; Path=/; Max-Age=240; HttpOnly; SameSite=Lax; Secure");
  CHECK(set_cookie(by_cookie(1), 42, false) ==
        "Headgate-Rollout=7-42; Path=/; Max-Age=240; HttpOnly; SameSite=Lax");
}

TEST_CASE("who sends the testers' header is in, by its exact value") {
  Split split = by_cookie(0);
  split.header = "x-canary";
  split.value = "yes";
  const std::array right = {http::Field{"x-canary", "yes"}};
  const std::array wrong = {http::Field{"x-canary", "Yes"}};
  CHECK(choose(split, right, {}, 0).is_in);
  CHECK_FALSE(choose(split, right, {}, 0).assigned);
  CHECK_FALSE(choose(split, wrong, {}, 0).is_in);
  CHECK_FALSE(choose(split, {}, {}, 0).is_in);
}
