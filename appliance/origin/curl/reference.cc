// SPDX-License-Identifier: MIT
#include "appliance/origin/reference.h"

#include <curl/curl.h>

#include <array>
#include <memory>

namespace headgate::origin {
namespace {

using Url = std::unique_ptr<CURLU, void (*)(CURLU*)>;

std::optional<std::string> part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return std::nullopt;
  const std::unique_ptr<char, void (*)(void*)> owner(text, curl_free);
  return std::string(text);
}

}  // namespace

std::optional<std::string> target_within(const std::string& base, const std::string& reference) {
  const Url from(curl_url(), curl_url_cleanup);
  if (from == nullptr ||
      curl_url_set(from.get(), CURLUPART_URL, base.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK)
    return std::nullopt;
  const Url to(curl_url_dup(from.get()), curl_url_cleanup);
  if (to == nullptr || curl_url_set(to.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  for (const CURLUPart part : std::array{CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT})
    if (part_of(from, part) != part_of(to, part)) return std::nullopt;
  auto target = part_of(to, CURLUPART_PATH);
  if (const auto query = part_of(to, CURLUPART_QUERY); target && query) *target += "?" + *query;
  return target;
}

}  // namespace headgate::origin
