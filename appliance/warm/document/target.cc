// SPDX-License-Identifier: MIT
// From what a sitemap or playlist refers to, to what a request asks for.
#include "appliance/warm/document/target.h"

#include <curl/curl.h>

#include <memory>

namespace headgate::warm {
namespace {

constexpr std::size_t kMaxReference = 4000;

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

std::string part(const Url& url, CURLUPart what) {
  char* text = nullptr;
  if (curl_url_get(url.get(), what, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

std::string host_field(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::optional<Target> resolve(const Target& base, std::string_view reference) {
  if (reference.empty() || reference.size() > kMaxReference) return std::nullopt;
  const Url url(curl_url());
  if (url == nullptr) return std::nullopt;
  const std::string from = "https://" + host_field(base.host) + base.path;
  const unsigned flags = CURLU_URLENCODE;
  if (curl_url_set(url.get(), CURLUPART_URL, from.c_str(), flags) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, std::string(reference).c_str(), flags) != CURLUE_OK)
    return std::nullopt;
  const std::string scheme = part(url, CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  Target target{part(url, CURLUPART_HOST), part(url, CURLUPART_PATH)};
  if (const std::string query = part(url, CURLUPART_QUERY); !query.empty())
    target.path += "?" + query;
  if (target.host.size() > 2 && target.host.front() == '[')
    target.host = target.host.substr(1, target.host.size() - 2);
  for (char& c : target.host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  // What libcurl lets pass may still not break a request line.
  for (const char c : target.path)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F)
      return std::nullopt;
  if (target.host.empty() || !target.path.starts_with('/')) return std::nullopt;
  return target;
}

}  // namespace headgate::warm
