// SPDX-License-Identifier: MIT
// The CORS part of a response headers policy: CloudFront's CorsConfig, the Fetch standard's fields.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/http/field.h"
#include "schema/model/policy.h"

namespace headgate::snapshot {

/// Threads: immutable.
class Cors {
 public:
  static std::optional<Cors> compile(const schema::ResponseHeadersPolicy& source);

  /// The lines to add; when `applies` is set, the origin's lines of these names are dropped.
  struct Outcome {
    bool applies = false;
    std::array<http::Field, 7> lines{};
    std::size_t count = 0;
  };
  /// Nothing for a request without Origin, for an origin that is not allowed, and, without
  /// originOverride, when the response has CORS fields of its own. Methods, headers and max-age go
  /// with preflights only.
  Outcome evaluate(http::Fields request, http::Fields stored) const;

  /// Access-Control-* response fields.
  static bool owns(std::string_view name) { return name.starts_with("access-control-"); }

 private:
  bool allows(std::string_view origin) const;

  bool any_origin_ = false;
  std::vector<std::string> origins_;  ///< with '*' wildcards, lower case
  std::string methods_;
  std::string headers_;  ///< "*": those the preflight asks for
  std::string expose_;
  std::string max_age_;
  bool credentials_ = false;
  bool override_ = true;
};

}  // namespace headgate::snapshot
