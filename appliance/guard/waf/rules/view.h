// SPDX-License-Identifier: MIT
// A request as the rules of a web ACL see it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "appliance/base/ip_address.h"
#include "appliance/base/time.h"
#include "appliance/guard/geo.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {

/// Views outlive the inspection.
struct View {
  std::string_view method;
  std::string_view target;      ///< path and query as sent
  std::string_view path;        ///< canonical: see http/path.h
  std::string_view query;       ///< as sent, without '?'
  std::string_view protocol;    ///< "HTTP/1.1"
  std::string_view request_id;  ///< of the log; may be empty
  std::string_view host;        ///< lower case, without port
  std::string_view authority;
  http::Fields fields;  ///< names in lower case, without Host
  base::IpAddress client;
  bool offline = false;  ///< explain, Expect: requests are not counted, DNS is not asked
  Country country;
  std::uint32_t asn = 0;  ///< 0: unknown
  std::string_view ja3;   ///< empty without TLS
  std::string_view ja4;
  std::string_view full_ja4;  ///< as if no session were resumed
  base::MonoTime now;
  base::WallTime wall_now;

  enum class Body {
    None,
    Pending,    ///< there is one; nothing of it is here
    Whole,      ///< `body` is all of it
    Beginning,  ///< `body` is as far as it is inspected, and it goes on
  };
  Body body_state = Body::None;
  std::string_view body;
  std::optional<std::uint64_t> body_length;  ///< as announced
};

}  // namespace headgate::guard::waf
