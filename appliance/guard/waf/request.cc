// SPDX-License-Identifier: MIT
// Takes a request target apart.
#include "appliance/guard/waf/request.h"

namespace headgate::guard::waf {

TargetParts split_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  if (!target.empty() && target.front() != '/') {
    // Absolute form: only "scheme://authority" goes; "host:port" and "*" stay as they are.
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos && target.find_first_of("/?") > scheme) {
      const std::size_t end = target.find_first_of("/?", scheme + 3);
      target = end == std::string_view::npos ? std::string_view("/") : target.substr(end);
    }
  }
  const std::size_t question = target.find('?');
  TargetParts parts;
  parts.path = target.substr(0, question);
  if (question != std::string_view::npos) parts.query = target.substr(question + 1);
  return parts;
}

}  // namespace headgate::guard::waf
