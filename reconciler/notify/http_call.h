// SPDX-License-Identifier: MIT
// One POST of JSON to somebody who is told something.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/result.h"
#include "schema/model/secret.h"

namespace headgate::reconciler {

struct HttpCall {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::pair<std::string, schema::Redacted> secret_header;  ///< its name is empty: none
  std::string body;                                        ///< JSON
};

/// The status of the answer, whatever it is. Certificates are verified against the system's;
/// redirects are not followed; it takes 30 s at most, and ends soon after `cancelled` says so.
/// Errors: Blame::Self, without an answer; no secret is in the text. Threads: any.
Result<int> perform(const HttpCall& call, const std::function<bool()>& cancelled);

}  // namespace headgate::reconciler
