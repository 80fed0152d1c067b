// SPDX-License-Identifier: MIT
// Whether a commit made requests worse: told from chance, from what was bad before, and from what
// befalls both configurations.
#include <doctest/doctest.h>

#include "reconciler/rollout/judge.h"

using namespace headgate;
using namespace headgate::reconciler;
using observe::Tally;

namespace {

Tally errors(std::uint64_t errors, std::uint64_t requests) {
  Tally tally;
  tally.requests = requests;
  tally.errors = errors;
  return tally;
}

Tally blocks(std::uint64_t blocks, std::uint64_t requests) {
  Tally tally;
  tally.requests = requests;
  tally.blocks = blocks;
  return tally;
}

/// `slow` of them in the bucket of one second, the others in that of 1 ms.
Tally times(std::uint64_t slow, std::uint64_t requests) {
  Tally tally;
  tally.requests = requests;
  tally.first_octet[observe::bucket_of(1'000)] = requests - slow;
  tally.first_octet[observe::bucket_of(1'000'000)] = slow;
  return tally;
}

const schema::RolloutGuard kGuard;

std::optional<Suspicion> suspected(const Tally& before, const Tally& now,
                                   const schema::RolloutGuard& guard = kGuard) {
  return suspect("shop", guard, before, now);
}

Suspicion of_errors() { return *suspected(errors(0, 1000), errors(500, 1000)); }

}  // namespace

TEST_CASE("an interval holds the share and becomes narrow with more requests") {
  CHECK(Share{0, 0}.at_least() == 0);
  CHECK(Share{0, 0}.at_most() == 1);
  CHECK(Share{0, 10}.at_most() == doctest::Approx(9.0 / 19));  // z² / (n + z²)
  CHECK(Share{10, 10}.at_least() == doctest::Approx(10.0 / 19));
  CHECK(Share{50, 100}.at_least() == doctest::Approx(0.3563).epsilon(0.001));
  CHECK(Share{50, 100}.at_most() == doctest::Approx(0.6437).epsilon(0.001));
  CHECK(Share{5000, 10000}.at_most() < 0.52);
}

TEST_CASE("a commit is not judged before enough requests came") {
  CHECK_FALSE(suspected(errors(0, 1000), errors(499, 499)));
  CHECK(suspected(errors(0, 1000), errors(500, 500)));
}

TEST_CASE("more errors than before and than are allowed are suspicious, by more than chance") {
  CHECK_FALSE(suspected(errors(10, 1000), errors(10, 1000)));
  CHECK_FALSE(suspected(errors(0, 1000), errors(11, 1000)));  // 1.1 %: may be 0.5 %
  CHECK(suspected(errors(0, 1000), errors(30, 1000)));
  CHECK_FALSE(suspected(errors(500, 1000), errors(510, 1000)));  // it was bad already
  schema::RolloutGuard lenient;
  lenient.max_error_ratio_increase = 10;
  CHECK_FALSE(suspected(errors(0, 1000), errors(30, 1000), lenient));
}

TEST_CASE("where little is known of before, nothing failed as far as is known") {
  CHECK(suspected(errors(10, 10), errors(1000, 1000)));
  CHECK(suspected(Tally(), errors(1000, 1000)));
}

TEST_CASE("what fails at the origin counts though viewers get something else") {
  Tally now = errors(0, 1000);
  now.origin_errors = 400;
  const auto found = suspected(errors(0, 1000), now);
  REQUIRE(found);
  CHECK(found->signal == Signal::OriginErrors);
  CHECK(describe(*found, found->share) == "shop: 40.0 % of 1000 requests failed at the origin");
}

TEST_CASE("blocks count where the guard says so: a rule is there to block") {
  CHECK_FALSE(suspected(blocks(0, 1000), blocks(900, 1000)));
  schema::RolloutGuard guard;
  guard.max_block_ratio_increase = 5;
  CHECK(suspected(blocks(0, 1000), blocks(900, 1000), guard)->signal == Signal::Blocks);
  CHECK_FALSE(suspected(blocks(0, 1000), blocks(50, 1000), guard));
}

TEST_CASE("the p99 counts where the guard says so, in parts of what it was") {
  CHECK_FALSE(suspected(times(0, 1000), times(900, 1000)));
  schema::RolloutGuard guard;
  guard.max_p99_increase = 100;
  CHECK(suspected(times(0, 1000), times(100, 1000), guard)->signal == Signal::FirstOctet);
  CHECK_FALSE(suspected(times(0, 1000), times(10, 1000), guard));     // 1 % is beyond every p99
  CHECK_FALSE(suspected(times(100, 1000), times(100, 1000), guard));  // it was slow already
  CHECK_FALSE(suspected(times(0, 499), times(900, 1000), guard));     // unknown what it was
  guard.max_p99_increase = 200'000;
  CHECK_FALSE(suspected(times(0, 1000), times(100, 1000), guard));  // 1 ms may become 2 s
}

TEST_CASE("a commit is worse when the configuration before does well at the same time") {
  CHECK(compare(of_errors(), kGuard, errors(10, 10), errors(0, 10)) == Finding::Worse);
  CHECK(compare(of_errors(), kGuard, errors(9, 9), errors(0, 8)) == Finding::Open);
  CHECK(compare(of_errors(), kGuard, errors(0, 0), errors(0, 0)) == Finding::Open);
}

TEST_CASE("an origin that fails for both is not the commit's fault") {
  CHECK(compare(of_errors(), kGuard, errors(10, 10), errors(10, 10)) == Finding::Alike);
  CHECK(compare(of_errors(), kGuard, errors(500, 1000), errors(480, 1000)) == Finding::Alike);
  CHECK(compare(of_errors(), kGuard, errors(900, 1000), errors(100, 1000)) == Finding::Worse);
}

TEST_CASE("what is over is not the commit's fault either") {
  CHECK(compare(of_errors(), kGuard, errors(0, 499), errors(0, 499)) == Finding::Open);
  CHECK(compare(of_errors(), kGuard, errors(0, 500), errors(0, 500)) == Finding::Over);
}
