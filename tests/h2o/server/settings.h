// SPDX-License-Identifier: MIT
// The test server's settings: fields of h2o_globalconf_t by name.
#pragma once

#include <h2o.h>

#include <string_view>

namespace headgate::h2o_test {

/// Sets the field that `name` means (a dotted path such as "http1.body_timeout") to `value`; false
/// if no build has one. A field that this library lacks (the same server is built without the
/// patches, too) is left out silently.
bool set_field(h2o_globalconf_t& conf, std::string_view name, long value);

}  // namespace headgate::h2o_test
