// SPDX-License-Identifier: MIT
#include "appliance/compress/eligibility.h"

#include <algorithm>
#include <array>

namespace headgate::compress {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), http::to_lower);
  return out;
}

bool forbids_transformation(http::Fields response) {
  for (const auto& field : response) {
    if (field.name != "cache-control") continue;
    std::string_view rest = field.value;
    for (std::string_view member; http::next_list_member(rest, member);)
      if (http::equals_ignoring_case(http::trim(member.substr(0, member.find('='))),
                                     "no-transform"))
        return true;
  }
  return false;
}

std::vector<std::string> cloudfront_types() {
  std::vector<std::string> types = {"image/svg+xml", "vnd.apple.mpegurl"};
  for (const char* name : {"dash+xml",
                           "eot",
                           "font",
                           "font-sfnt",
                           "javascript",
                           "json",
                           "opentype",
                           "otf",
                           "pkcs7-mime",
                           "protobuf",
                           "rss+xml",
                           "truetype",
                           "ttf",
                           "vnd.apple.mpegurl",
                           "vnd.mapbox-vector-tile",
                           "vnd.ms-fontobject",
                           "xhtml+xml",
                           "xml",
                           "x-font-opentype",
                           "x-font-truetype",
                           "x-font-ttf",
                           "x-httpd-cgi",
                           "x-javascript",
                           "x-mpegurl",
                           "x-opentype",
                           "x-otf",
                           "x-perl",
                           "x-ttf"})
    types.push_back(std::string("application/") + name);
  for (const char* name : {"eot", "opentype", "otf", "ttf"})
    types.push_back(std::string("font/") + name);
  for (const char* name :
       {"css", "csv", "html", "javascript", "js", "plain", "richtext", "tab-separated-values",
        "xml", "x-component", "x-java-source", "x-script"})
    types.push_back(std::string("text/") + name);
  return types;
}

}  // namespace

TypeSet::TypeSet(const std::vector<std::string>& types) {
  for (const std::string& type : types) {
    std::string name = lower(type);
    if (name.ends_with("/*")) {
      name.pop_back();
      families_.push_back(std::move(name));
    } else {
      exact_.push_back(std::move(name));
    }
  }
  std::sort(exact_.begin(), exact_.end());
  std::sort(families_.begin(), families_.end());
}

const TypeSet& TypeSet::cloudfront() {
  static const TypeSet types(cloudfront_types());
  return types;
}

bool TypeSet::contains(std::string_view content_type) const {
  const std::string_view name = http::trim(content_type.substr(0, content_type.find(';')));
  std::array<char, 128> buffer;  // no type that anybody lists is longer: RFC 6838 section 4.2
  if (name.size() > buffer.size()) return false;
  std::transform(name.begin(), name.end(), buffer.begin(), http::to_lower);
  const std::string_view wanted(buffer.data(), name.size());
  if (std::binary_search(exact_.begin(), exact_.end(), wanted)) return true;
  const std::size_t slash = wanted.find('/');
  return slash != std::string_view::npos &&
         std::binary_search(families_.begin(), families_.end(), wanted.substr(0, slash + 1));
}

bool is_encoded(http::Fields response) {
  return std::any_of(response.begin(), response.end(), [](const http::Field& field) {
    return field.name == "content-encoding" && !http::equals_ignoring_case(field.value, "identity");
  });
}

bool eligible(int status, http::Fields response, std::optional<std::uint64_t> length,
              const TypeSet& types) {
  if (status != 200 && status != 403 && status != 404) return false;
  if (!length || *length < kLeastLength || *length > kMostLength) return false;
  const auto type = http::find(response, "content-type");
  return type && types.contains(*type) && !is_encoded(response) &&
         !forbids_transformation(response);
}

}  // namespace headgate::compress
