// SPDX-License-Identifier: MIT
// A request that nobody sent: from a URL and some fields to the facts that `decide` takes.
#pragma once

#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "appliance/snapshot/decide.h"
#include "schema/base/result.h"

namespace headgate::snapshot {

/// Owns what `facts()` points at.
class OfflineRequest {
 public:
  /// `country` (two letters, or empty) goes before a look-up of `ip` in `geo`; both may be empty.
  /// Errors: Blame::Config for a URL that is not absolute http or https, for an `ip` that is none,
  /// and for fields that no request can have.
  static Result<OfflineRequest> make(
      const std::string& method, const std::string& url,
      const std::vector<std::pair<std::string, std::string>>& headers, const std::string& country,
      const std::string& ip, const guard::GeoDatabase* geo);
  /// The content of the request; of none it has no body.
  void set_body(std::string body) { body_ = std::move(body); }
  /// When it comes; without, now.
  void set_time(std::optional<base::WallTime> at) { at_ = at; }
  /// `scratch`, for web ACLs, may be null: then none is asked.
  RequestFacts facts(guard::waf::Scratch* scratch = nullptr) const;

 private:
  std::string method_;
  bool https_ = false;
  std::string authority_;
  std::string target_;
  http::FieldBlock fields_;
  std::string body_;
  std::optional<base::WallTime> at_;
  base::IpAddress client_;
  guard::Country country_;
};

}  // namespace headgate::snapshot
