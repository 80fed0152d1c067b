// SPDX-License-Identifier: MIT
// Which responses are worth encoding, and may be: CloudFront's rules (features.md R082).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/field.h"

namespace headgate::compress {

inline constexpr std::uint64_t kLeastLength = 1'000;
inline constexpr std::uint64_t kMostLength = 10'000'000;

/// A set of media types. Parameters and letter case of a Content-Type do not matter; "text/*"
/// stands for every subtype.
class TypeSet {
 public:
  TypeSet() = default;
  explicit TypeSet(const std::vector<std::string>& types);
  /// The 46 types that CloudFront compresses.
  static const TypeSet& cloudfront();

  bool contains(std::string_view content_type) const;
  bool empty() const { return exact_.empty() && families_.empty(); }

 private:
  std::vector<std::string> exact_;     ///< lower case, sorted
  std::vector<std::string> families_;  ///< "text/", lower case, sorted
};

/// Whether a response may be encoded by the edge: status 200, 403 or 404; a known length in
/// [1,000, 10,000,000]; a type of `types`; not encoded by the origin; no Cache-Control:
/// no-transform (RFC 9111 section 5.2.2.6).
bool eligible(int status, http::Fields response, std::optional<std::uint64_t> length,
              const TypeSet& types);

/// Whether the origin has encoded it: a Content-Encoding other than identity.
bool is_encoded(http::Fields response);

}  // namespace headgate::compress
