// SPDX-License-Identifier: MIT
// Files that age has encrypted: https://age-encryption.org/v1, X25519 recipients, armored or not.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"
#include "schema/model/secret.h"

namespace headgate::snapshot {

/// What age-keygen makes: `AGE-SECRET-KEY-1…`. Wiped when it goes. Threads: immutable.
class AgeIdentity {
 public:
  /// Errors: Blame::Config; they say nothing of what was given.
  static Result<AgeIdentity> parse(std::string_view text);

  AgeIdentity(const AgeIdentity&) = default;
  AgeIdentity& operator=(const AgeIdentity&) = default;
  ~AgeIdentity();

  /// Its public key, `age1…`.
  std::string recipient() const;

  using Octets = std::array<std::uint8_t, 32>;

 private:
  friend class AgeFile;
  AgeIdentity() = default;
  Octets secret_{};
  Octets public_{};
};

/// The identities of a file as age-keygen writes it: one a line, `#` begins a comment. Errors:
/// Blame::Config with the number of the line.
Result<std::vector<AgeIdentity>> parse_age_identities(const schema::Redacted& file);

/// What `file` holds, by the first of `identities` that is one of its recipients. Errors:
/// Blame::Config: it is for others, damaged, or for recipients of another kind only (ssh, scrypt,
/// plugins). Threads: any.
Result<schema::Redacted> age_decrypt(std::string_view file,
                                     const std::vector<AgeIdentity>& identities);

}  // namespace headgate::snapshot
