// SPDX-License-Identifier: MIT
// Challenges: who works passes, nobody else does.
#include <doctest/doctest.h>

#include <string>

#include "appliance/guard/waf/challenge/challenge.h"
#include "schema/text.h"

namespace {

using namespace headgate::guard::waf;
using headgate::base::IpAddress;
using headgate::base::WallTime;

constexpr int kBits = 8;

WallTime at(std::int64_t ms) { return WallTime(std::chrono::milliseconds(1'800'000'000'000 + ms)); }

ChallengeSubject subject(const char* address = "192.0.2.7", std::string_view host = "example.com",
                         std::string_view ja4 = "t13d") {
  return {host, *IpAddress::parse(address), ja4};
}

/// What a browser does.
std::string work(const std::string& challenge, int bits = kBits) {
  for (int nonce = 0;; ++nonce) {
    std::string proof = challenge + "." + std::to_string(nonce);
    const std::string digest = headgate::schema::sha256_hex(proof);
    if (digest.substr(0, static_cast<std::size_t>(bits / 4)) ==
        std::string(static_cast<std::size_t>(bits / 4), '0'))
      return proof;
  }
}

TEST_CASE("a proof is good for the one it was made for, until it ends") {
  const Challenges challenges("0123456789abcdef");
  const std::string proof = work(challenges.issue(subject(), kBits, at(1000)));
  CHECK(challenges.accepts(proof, subject(), kBits, at(999)));
  CHECK_FALSE(challenges.accepts(proof, subject(), kBits, at(1000)));
  CHECK(challenges.accepts(proof, subject("192.0.2.200"), kBits, at(0)));
  CHECK_FALSE(challenges.accepts(proof, subject("192.0.3.7"), kBits, at(0)));
  CHECK_FALSE(challenges.accepts(proof, subject("192.0.2.7", "example.org"), kBits, at(0)));
  CHECK_FALSE(challenges.accepts(proof, subject("192.0.2.7", "example.com", "t12d"), kBits, at(0)));
  CHECK_FALSE(Challenges("another secret").accepts(proof, subject(), kBits, at(0)));
}

TEST_CASE("IPv6 clients are known by their /64") {
  const Challenges challenges("0123456789abcdef");
  const std::string proof = work(challenges.issue(subject("2001:db8::1"), kBits, at(1000)));
  CHECK(challenges.accepts(proof, subject("2001:db8::ffff:1"), kBits, at(0)));
  CHECK_FALSE(challenges.accepts(proof, subject("2001:db8:0:1::1"), kBits, at(0)));
}

TEST_CASE("less work than asked for is not enough, more is") {
  const Challenges challenges("0123456789abcdef");
  const std::string proof = work(challenges.issue(subject(), kBits, at(1000)));
  CHECK(challenges.accepts(proof, subject(), 4, at(0)));
  CHECK_FALSE(challenges.accepts(proof, subject(), kBits + 1, at(0)));
  std::string lied = proof;
  lied.replace(2, 1, "9");  // of the bits: the signature is over another number
  CHECK_FALSE(challenges.accepts(lied, subject(), kBits, at(0)));
}

TEST_CASE("no work, no end and no number is no proof") {
  const Challenges challenges("0123456789abcdef");
  const std::string challenge = challenges.issue(subject(), 20, at(1000));
  for (const char* tail : {"", ".", ".0", ".x", ".000000000000000000000", ".1.1"}) {
    CAPTURE(tail);
    CHECK_FALSE(challenges.accepts(challenge + tail, subject(), 20, at(0)));
  }
  for (const char* text : {"", ".", "1", "1.8", "1.8.ffffffffffffffff.x.1", "2.8.fff.x.1",
                           "1.999.1900000000000.00000000000000000000000000000000.1"}) {
    CAPTURE(text);
    CHECK_FALSE(challenges.accepts(text, subject(), 0, at(0)));
  }
}

TEST_CASE("the page names what its script needs") {
  const std::string page = challenge_page("1.8.abc.def", 8, std::chrono::seconds(90));
  CHECK(page.find(
            R"({"cookie":"headgate-challenge","challenge":"1.8.abc.def","bits":8,"seconds":90})") !=
        std::string::npos);
}

}  // namespace
