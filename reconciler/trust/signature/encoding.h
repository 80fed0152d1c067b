// SPDX-License-Identifier: MIT
// What keys and signatures are packed in: armor, and the fields of the SSH protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// The octets between `-----BEGIN label-----` and `-----END label-----`. OpenPGP's headers and
/// checksum (RFC 4880 section 6.2) are passed over: what is inside is signed or listed itself.
/// `rest`, unless null, gets what follows. Errors: Blame::Config.
Result<std::string> decode_armor(std::string_view text, std::string_view label,
                                 std::string_view* rest = nullptr);

/// Takes fields (RFC 4251 section 5) off the front of octets. After one that is not there, nothing
/// is.
class SshReader {
 public:
  explicit SshReader(std::string_view octets) : rest_(octets) {}
  std::uint32_t number();
  std::string_view text();
  /// An mpint that is not negative, without leading zeros.
  std::string_view natural();
  bool skip(std::string_view expected);
  /// Whether every field was there, and nothing is left.
  bool done() const { return good_ && rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// A string field.
std::string ssh_text(std::string_view octets);

}  // namespace headgate::reconciler
