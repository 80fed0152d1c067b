// SPDX-License-Identifier: MIT
// libh2o as C++ sees it. Only this folder includes it.
#pragma once

extern "C" {
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
}

#include <string_view>

namespace headgate::server {

inline std::string_view view(const h2o_iovec_t& bytes) { return {bytes.base, bytes.len}; }

/// libh2o takes pointers to mutable memory that it does not change.
inline h2o_iovec_t iovec(std::string_view text) {
  return h2o_iovec_init(const_cast<char*>(text.data()), text.size());
}

}  // namespace headgate::server
