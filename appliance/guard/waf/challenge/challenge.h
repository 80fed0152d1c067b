// SPDX-License-Identifier: MIT
// Proof of work: a browser pays with some computing for a signed cookie, and nothing is kept here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/ip_address.h"
#include "appliance/base/time.h"

namespace headgate::guard::waf {

/// The cookie that carries a proof.
inline constexpr std::string_view kChallengeCookie = "headgate-challenge";

/// Whom a challenge is for. A proof is worth nothing to anybody else.
struct ChallengeSubject {
  std::string_view host;   ///< lower case, without port
  base::IpAddress client;  ///< its network counts: /24 of IPv4, /64 of IPv6
  std::string_view ja4;    ///< of full handshakes (Fingerprint::full_ja4); empty without TLS
};

/// A challenge is `1.BITS.EXPIRY.MAC`: how many leading zero bits the work has, when the proof ends
/// (milliseconds since 1970 in hex), and HMAC-SHA-256 over both and the subject, cut to 128 bits.
/// A proof is the challenge, '.', and a text of up to 20 digits so that the SHA-256 of all of it
/// begins with BITS zero bits.
/// Threads: immutable.
class Challenges {
 public:
  /// `secret`: whoever knows it makes challenges that are believed here.
  explicit Challenges(std::string secret) : secret_(std::move(secret)) {}

  std::string issue(const ChallengeSubject& subject, int bits, base::WallTime expires_at) const;

  /// Whether `proof` is one for `subject`, of at least `bits`, that has not ended.
  bool accepts(std::string_view proof, const ChallengeSubject& subject, int bits,
               base::WallTime now) const;

 private:
  std::string mac(const ChallengeSubject& subject, std::string_view bits,
                  std::string_view expiry) const;
  std::string secret_;
};

/// The page that does the work for `challenge`, sets the cookie and loads again what was asked for.
std::string challenge_page(std::string_view challenge, int bits, Duration immunity);

/// 32 random octets. Aborts when the system has none.
std::string random_secret();

}  // namespace headgate::guard::waf
