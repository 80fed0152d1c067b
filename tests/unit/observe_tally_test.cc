// SPDX-License-Identifier: MIT
// Requests by generation: what counts as what, and that lanes are apart.
#include <doctest/doctest.h>

#include "appliance/observe/metrics.h"

using namespace headgate;
using namespace headgate::observe;
using guard::Reason;

namespace {

struct Fixture {
  Metrics metrics;
  WorkerMetrics& worker = metrics.add_worker();
  std::uint32_t slot = metrics.slot("shop", "*");

  /// Of one request, in a lane that has no other.
  Tally tally_of(RequestRecord record) {
    Metrics fresh;
    record.metric_slot = fresh.slot("shop", "*");
    fresh.add_worker().record(record);
    const auto tallies = fresh.tallies(record.lane);
    return tallies.empty() ? Tally() : tallies.front().tally;
  }
};

RequestRecord answered(int status, Reason reason = Reason::None, int origin_status = 0) {
  RequestRecord record;
  record.status = status;
  record.reason = reason;
  record.origin_status = origin_status;
  return record;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "an error is a 5xx that nobody asked for") {
  CHECK(tally_of(answered(200)).errors == 0);
  CHECK(tally_of(answered(404)).errors == 0);
  CHECK(tally_of(answered(500, Reason::None, 500)).errors == 1);
  CHECK(tally_of(answered(502, Reason::OriginFailure)).errors == 1);
  CHECK(tally_of(answered(503, Reason::Overloaded)).errors == 1);
  CHECK(tally_of(answered(503, Reason::DistributionDisabled)).errors == 0);
  CHECK(tally_of(answered(503, Reason::Waf)).errors == 0);
}

TEST_CASE_FIXTURE(Fixture, "what failed at the origin does, whatever the viewer got") {
  CHECK(tally_of(answered(200, Reason::None, 503)).origin_errors == 1);
  CHECK(tally_of(answered(200, Reason::OriginFailure)).origin_errors == 1);
  CHECK(tally_of(answered(404, Reason::None, 404)).origin_errors == 0);
}

TEST_CASE_FIXTURE(Fixture, "a block is what geo restrictions, web ACLs and rates refuse") {
  for (const Reason reason : {Reason::Geo, Reason::Waf, Reason::RateLimit, Reason::Challenge})
    CHECK(tally_of(answered(403, reason)).blocks == 1);
  CHECK(tally_of(answered(403, Reason::HttpsOnly)).blocks == 0);
}

TEST_CASE_FIXTURE(Fixture, "who left without an answer tells nothing") {
  CHECK(tally_of(answered(0)).requests == 0);
}

TEST_CASE_FIXTURE(Fixture, "lanes and workers are apart, and a sum is of all workers") {
  RequestRecord record = answered(200);
  record.metric_slot = slot;
  record.lane = 1;
  record.time_to_first_byte_us = 2'000;
  worker.record(record);
  metrics.add_worker().record(record);
  record.lane = 2;
  worker.record(record);
  const auto tallies = metrics.tallies(1);
  REQUIRE(tallies.size() == 1);
  CHECK(tallies[0].distribution == "shop");
  CHECK(tallies[0].behavior == "*");
  CHECK(tallies[0].tally.requests == 2);
  CHECK(tallies[0].tally.first_octet[bucket_of(2'000)] == 2);
  CHECK(metrics.tallies(2)[0].tally.requests == 1);
  CHECK(metrics.tallies(3).empty());
  Tally difference = tallies[0].tally;
  difference -= metrics.tallies(2)[0].tally;
  CHECK(difference.requests == 1);
  CHECK(difference.first_octet[bucket_of(2'000)] == 1);
}

TEST_CASE_FIXTURE(Fixture, "what belongs to no distribution is not compared") {
  worker.record(answered(421, Reason::UnknownHost));
  CHECK(metrics.tallies(0).empty());
}
