// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "appliance/guard/admission.h"

using namespace headgate;
using namespace headgate::guard;
using namespace std::chrono_literals;

namespace {

constexpr base::MonoTime kStart{1h};

base::IpAddress ip(const std::string& text) { return *base::IpAddress::parse(text); }

schema::EdgeLimits none() {
  schema::EdgeLimits limits;
  limits.max_connections_per_address = 0;
  return limits;
}

base::IpAddress numbered(std::uint32_t number) {
  return base::IpAddress::from_v4(
      {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
       static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

}  // namespace

TEST_CASE("an address has as many connections as it may, and another one after one has ended") {
  auto limits = none();
  limits.max_connections_per_address = 2;
  Admission admission(limits);
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
  CHECK(admission.enter(ip("192.0.2.1"), kStart) == Limit::MaxConnectionsPerAddress);
  CHECK_FALSE(admission.enter(ip("192.0.2.2"), kStart));
  admission.leave(ip("192.0.2.1"));
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
  CHECK(admission.enter(ip("192.0.2.1"), kStart) == Limit::MaxConnectionsPerAddress);
}

TEST_CASE("an address of IPv6 is its /64, and no IPv4 address") {
  auto limits = none();
  limits.max_connections_per_address = 1;
  Admission admission(limits);
  CHECK_FALSE(admission.enter(ip("2001:db8:1:2::1"), kStart));
  CHECK(admission.enter(ip("2001:db8:1:2:3:4:5:6"), kStart) == Limit::MaxConnectionsPerAddress);
  CHECK_FALSE(admission.enter(ip("2001:db8:1:3::1"), kStart));
  CHECK_FALSE(admission.enter(ip("0.0.0.1"), kStart));
  CHECK_FALSE(admission.enter(ip("::1"), kStart));
}

TEST_CASE("who has no IP address is not limited") {
  auto limits = none();
  limits.max_connections_per_address = 1;
  Admission admission(limits);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(admission.enter(base::IpAddress(), kStart));
  admission.leave(base::IpAddress());
  CHECK(admission.size() == 0);
}

TEST_CASE("without limits nothing is counted") {
  Admission admission(none());
  for (int i = 0; i < 10000; ++i) {
    CHECK_FALSE(admission.accept(kStart));
    CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
    CHECK_FALSE(admission.begin_handshake(ip("192.0.2.1"), kStart));
  }
  CHECK(admission.size() == 0);
}

TEST_CASE("a rate is an average over ten seconds") {
  RateMeter meter;
  for (int i = 0; i < 50; ++i) CHECK(meter.take(5, kStart));
  CHECK_FALSE(meter.take(5, kStart));
  CHECK_FALSE(meter.take(5, kStart + 199ms));
  CHECK(meter.take(5, kStart + 200ms));
  CHECK_FALSE(meter.take(5, kStart + 200ms));
  int taken = 0;
  for (auto now = kStart + 1s; now < kStart + 61s; now += 10ms) taken += meter.take(5, now) ? 1 : 0;
  CHECK(taken == 5 * 60 + 3);  // and what had become free since
  CHECK_FALSE(meter.is_empty(kStart + 61s));
  CHECK(meter.is_empty(kStart + 71s));
}

TEST_CASE("rates hold for all together and for each address") {
  auto limits = none();
  limits.accept_rate = 2;
  limits.accept_rate_per_address = 1;
  limits.handshake_rate = 2;
  limits.handshake_rate_per_address = 1;
  Admission admission(limits);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
  CHECK(admission.enter(ip("192.0.2.1"), kStart) == Limit::AcceptRatePerAddress);
  CHECK_FALSE(admission.enter(ip("192.0.2.2"), kStart));
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart + 1s));
  for (int i = 0; i < 20; ++i) CHECK_FALSE(admission.accept(kStart));
  CHECK(admission.accept(kStart) == Limit::AcceptRate);

  for (int i = 0; i < 10; ++i) CHECK_FALSE(admission.begin_handshake(ip("192.0.2.1"), kStart));
  CHECK(admission.begin_handshake(ip("192.0.2.1"), kStart) == Limit::HandshakeRatePerAddress);
  for (int i = 0; i < 9; ++i) CHECK_FALSE(admission.begin_handshake(ip("192.0.2.3"), kStart));
  CHECK(admission.begin_handshake(ip("192.0.2.4"), kStart) == Limit::HandshakeRate);
}

TEST_CASE("a connection that is refused is not counted") {
  auto limits = none();
  limits.max_connections_per_address = 1;
  limits.accept_rate_per_address = 1;
  Admission admission(limits);
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
  for (int i = 0; i < 100; ++i)
    CHECK(admission.enter(ip("192.0.2.1"), kStart) == Limit::MaxConnectionsPerAddress);
  admission.leave(ip("192.0.2.1"));
  CHECK_FALSE(admission.enter(ip("192.0.2.1"), kStart));
}

TEST_CASE("a million addresses do not fill the memory, and none with connections is forgotten") {
  auto limits = none();
  limits.max_connections_per_address = 1;
  limits.accept_rate_per_address = 1000;
  Admission admission(limits);
  for (std::uint32_t i = 0; i < 1000; ++i) CHECK_FALSE(admission.enter(numbered(i), kStart));
  for (std::uint32_t i = 1000; i < 1'000'000; ++i) {
    if (admission.enter(numbered(i), kStart)) FAIL("refused");
    admission.leave(numbered(i));
  }
  CHECK(admission.size() <= Admission::kMaxAddresses + 1000);
  for (std::uint32_t i = 0; i < 1000; ++i)
    CHECK(admission.enter(numbered(i), kStart) == Limit::MaxConnectionsPerAddress);

  // Later, when their rates do not matter any more, others take their place: so many that some
  // come to every shard, since a shard is only swept when someone comes to it.
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    if (admission.enter(numbered(0x0a000000 + i % 1000), kStart + 1h)) FAIL("refused");
    admission.leave(numbered(0x0a000000 + i % 1000));
  }
  CHECK(admission.size() < 2200);
}

TEST_CASE("every limit has the name of a field") {
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(Limit::kCount); ++i)
    names.insert(name(static_cast<Limit>(i)));
  CHECK(names.size() == static_cast<std::size_t>(Limit::kCount));
  CHECK(names.count("") == 0);
}
