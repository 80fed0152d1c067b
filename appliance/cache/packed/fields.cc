// SPDX-License-Identifier: MIT
//   fields := line*
//   line   := field | 255 number:u16       of a text that is a field
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
constexpr std::uint8_t kShared = 255;
static_assert(std::is_sorted(kNames.begin(), kNames.end()) && kNames.size() < kShared);

/// Each response has its own value: not worth looking for.
constexpr std::array<std::string_view, 13> kOwn = {
    "age",
    "content-length",
    "content-md5",
    "content-range",
    "date",
    "digest",
    "etag",
    "expires",
    "repr-digest",
    "server-timing",
    "x-amz-request-id",
    "x-request-id",
    "x-runtime",
};
static_assert(std::is_sorted(kOwn.begin(), kOwn.end()));

/// Of what stands for a shared line.
constexpr std::size_t kReferenceBytes = 1 + sizeof(SharedTexts::Number);

/// Zero when it is none of them.
std::uint8_t number_of(std::string_view name) {
  const auto found = std::lower_bound(kNames.begin(), kNames.end(), name);
  if (found == kNames.end() || *found != name) return 0;
  return static_cast<std::uint8_t>(found - kNames.begin() + 1);
}

void put_text(std::string& to, std::string_view text) {
  char size[base::kMaxVarint];
  to.append(size, base::put_varint(size, text.size()));
  to += text;
}

std::string_view get_text(const char*& from) {
  const auto size = static_cast<std::size_t>(base::get_varint(from));
  const std::string_view text(from, size);
  from += size;
  return text;
}

SharedTexts::Number get_number(const char*& from) {
  SharedTexts::Number number = SharedTexts::kNone;
  std::memcpy(&number, from, sizeof number);
  from += sizeof number;
  return number;
}

http::Field get_field(const char*& from, const SharedTexts* texts) {
  const auto number = static_cast<std::uint8_t>(*from++);
  if (number == kShared) {
    const char* shared = texts->text(get_number(from)).data();
    return get_field(shared, nullptr);
  }
  const std::string_view name = number != 0 ? kNames[number - 1U] : get_text(from);
  return {name, get_text(from)};
}

bool may_be_shared(std::string_view name, std::size_t packed_size) {
  return packed_size > kReferenceBytes && !std::binary_search(kOwn.begin(), kOwn.end(), name);
}

}  // namespace

std::string pack(http::Fields fields, SharedTexts* texts) {
  std::string packed;
  std::string line;
  for (const http::Field& field : fields) {
    line.clear();
    const std::uint8_t name = number_of(field.name);
    line += static_cast<char>(name);
    if (name == 0) put_text(line, field.name);
    put_text(line, field.value);
    SharedTexts::Number number = SharedTexts::kNone;
    if (texts != nullptr && may_be_shared(field.name, line.size())) number = texts->take(line);
    if (number == SharedTexts::kNone) {
      packed += line;
      continue;
    }
    packed += static_cast<char>(kShared);
    packed.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return packed;
}

void give_back(std::string_view packed, SharedTexts& texts) {
  const char* at = packed.data();
  const char* const end = at + packed.size();
  while (at != end) {
    if (static_cast<std::uint8_t>(*at) == kShared)
      texts.give_back(get_number(++at));
    else
      get_field(at, nullptr);
  }
}

FieldList::FieldList(std::string_view packed, const SharedTexts* texts) {
  const char* at = packed.data();
  const char* const end = at + packed.size();
  for (; at != end && size_ < kFew; ++size_) std::construct_at(&few_[size_], get_field(at, texts));
  if (at == end) return;
  std::size_t all = size_;
  for (const char* rest = at; rest != end; ++all) get_field(rest, texts);
  many_ = std::make_unique<http::Field[]>(all);
  std::copy_n(few_, size_, many_.get());
  while (size_ < all) many_[size_++] = get_field(at, texts);
}

}  // namespace headgate::cache
