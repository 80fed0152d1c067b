// SPDX-License-Identifier: MIT
//   fields := field*
//   field  := known-name | 0 length(varint) name
//             length(varint) value
// `known-name` is an octet, the place in kNames plus one.
#include "appliance/cache/packed/fields.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "appliance/base/varint.h"

namespace headgate::cache {
namespace {

/// Sorted. In no stored form: names may come and go.
constexpr std::array<std::string_view, 74> kNames = {
    "accept-ch",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "cache-tag",
    "cdn-cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "nel",
    "origin-agent-cluster",
    "p3p",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "report-to",
    "reporting-endpoints",
    "repr-digest",
    "retry-after",
    "server",
    "server-timing",
    "set-cookie",
    "sourcemap",
    "strict-transport-security",
    "surrogate-control",
    "surrogate-key",
    "timing-allow-origin",
    "vary",
    "via",
    "x-amz-id-2",
    "x-amz-meta-mtime",
    "x-amz-request-id",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-version-id",
    "x-aspnet-version",
    "x-cache",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-goog-generation",
    "x-goog-hash",
    "x-goog-storage-class",
    "x-permitted-cross-domain-policies",
    "x-powered-by",
    "x-request-id",
    "x-robots-tag",
    "x-runtime",
    "x-xss-protection",
};
static_assert(std::is_sorted(kNames.begin(), kNames.end()) && kNames.size() < 256);

/// Zero when it is none of them.
std::uint8_t number_of(std::string_view name) {
  const auto found = std::lower_bound(kNames.begin(), kNames.end(), name);
  if (found == kNames.end() || *found != name) return 0;
  return static_cast<std::uint8_t>(found - kNames.begin() + 1);
}

char* put_text(char* to, std::string_view text) {
  to = base::put_varint(to, text.size());
  return std::copy(text.begin(), text.end(), to);
}

std::string_view get_text(const char*& from) {
  const auto size = static_cast<std::size_t>(base::get_varint(from));
  const std::string_view text(from, size);
  from += size;
  return text;
}

http::Field get_field(const char*& from) {
  const auto number = static_cast<std::uint8_t>(*from++);
  const std::string_view name = number != 0 ? kNames[number - 1U] : get_text(from);
  return {name, get_text(from)};
}

}  // namespace

std::size_t packed_size(http::Fields fields) {
  std::size_t size = 0;
  for (const http::Field& field : fields) {
    size += 1 + base::varint_size(field.value.size()) + field.value.size();
    if (number_of(field.name) == 0)
      size += base::varint_size(field.name.size()) + field.name.size();
  }
  return size;
}

char* pack(http::Fields fields, char* to) {
  for (const http::Field& field : fields) {
    const std::uint8_t number = number_of(field.name);
    *to++ = static_cast<char>(number);
    if (number == 0) to = put_text(to, field.name);
    to = put_text(to, field.value);
  }
  return to;
}

FieldList::FieldList(std::string_view packed) {
  const char* at = packed.data();
  const char* const end = at + packed.size();
  for (; at != end && size_ < kFew; ++size_) std::construct_at(&few_[size_], get_field(at));
  if (at == end) return;
  std::size_t all = size_;
  for (const char* rest = at; rest != end; ++all) get_field(rest);
  many_ = std::make_unique<http::Field[]>(all);
  std::copy_n(few_, size_, many_.get());
  while (size_ < all) many_[size_++] = get_field(at);
}

}  // namespace headgate::cache
