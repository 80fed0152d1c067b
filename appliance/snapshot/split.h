// SPDX-License-Identifier: MIT
// Which viewers get a commit that goes live step by step, while the others get what was before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "appliance/base/ip_address.h"
#include "appliance/http/field.h"

namespace headgate::snapshot {

/// Every viewer has a number, the same in every step, so whoever gets the commit keeps it. Threads:
/// immutable.
struct Split {
  static constexpr std::uint32_t kNumbers = 10'000;
  /// Carries the number of a viewer, where viewers are told apart by it: `GENERATION-NUMBER`.
  static constexpr std::string_view kCookie = "Headgate-Rollout";

  std::uint32_t share = 0;  ///< of kNumbers: viewers with a smaller number get the commit
  bool by_cookie = false;   ///< false: by the client's address
  std::string header;       ///< lower case; who sends it with `value` gets the commit; empty: none
  std::string value;
  std::uint64_t generation = 0;  ///< of the commit: viewers are numbered anew for each
  std::uint32_t cookie_seconds = 0;
};

struct Choice {
  bool is_in = false;                     ///< gets the commit
  bool by_header = false;                 ///< because the request asks for it
  std::optional<std::uint32_t> assigned;  ///< the viewer's new number, which a cookie is to keep
};

/// `random` numbers a viewer who brings no cookie. Threads: pure.
Choice choose(const Split& split, http::Fields fields, const base::IpAddress& client,
              std::uint32_t random);

/// The value of Set-Cookie that keeps a number.
std::string set_cookie(const Split& split, std::uint32_t number, bool https);

}  // namespace headgate::snapshot
