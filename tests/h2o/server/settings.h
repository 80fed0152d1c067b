// SPDX-License-Identifier: MIT
// The test server's settings: fields of h2o_globalconf_t by name.
#pragma once

#include <h2o.h>

#include <array>
#include <string_view>

namespace headgate::h2o_test {

/// Sets the field that `name` means (a dotted path such as "http1.body_timeout") to `value`; false
/// if no build has one. A field that this library lacks (the same server is built without the
/// patches, too) is left out silently.
bool set_field(h2o_globalconf_t& conf, std::string_view name, long value);

/// How often clients have exceeded each limit, by h2o_limit_t; stays zero if this library does not
/// tell.
using LimitCounts = std::array<long, 18>;
/// Counts from here on. Once a process.
const LimitCounts& count_limits(h2o_globalconf_t& conf);

}  // namespace headgate::h2o_test
