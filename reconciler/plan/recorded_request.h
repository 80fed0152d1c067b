// SPDX-License-Identifier: MIT
// Requests that an edge has seen, from its access log: ours, or CloudFront's.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/base/result.h"
#include "schema/base/units.h"

namespace headgate::reconciler {

struct RecordedRequest {
  Timestamp time{};
  std::string method;
  std::string url;  ///< absolute
  std::vector<std::pair<std::string, std::string>> headers;
  std::string client;            ///< IP address; may be empty
  std::string country;           ///< ISO 3166-1 alpha-2; may be empty
  std::uint64_t bytes_sent = 0;  ///< to the viewer
};

/// What was in a log beside requests.
struct LogReport {
  std::uint64_t skipped = 0;  ///< lines that are no requests
  std::uint64_t first = 0;    ///< the number of the first of them, from 1
  std::string first_problem;  ///< with it
};

/// Reads a log by lines: JSON objects as `--access-log` writes them (appliance/observe/README.md),
/// or CloudFront's standard log (W3C extended, with its `#Fields:` line; 33 fields), told by each
/// line. `take` gets one request after the other. Lines longer than 256 KiB are no requests.
LogReport read_requests(std::istream& log, const std::function<void(const RecordedRequest&)>& take);

}  // namespace headgate::reconciler
