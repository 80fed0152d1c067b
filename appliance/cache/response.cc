// SPDX-License-Identifier: MIT
// How stored responses are made of each other. See response_block.cc for how they lie in memory.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "appliance/base/assert.h"
#include "appliance/cache/response_parts.h"
#include "appliance/http/vary.h"

namespace headgate::cache {
namespace {

/// Fields of a 304 that speak of the octets it does not carry.
bool describes_octets(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {"content-length", "content-encoding",
                                                      "content-range"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::vector<http::Field> merge(http::Fields old, http::Fields update) {
  const auto stored_tag = http::find(old, "etag");
  const auto updates = [&](const http::Field& field) {
    if (field.name == "age" || describes_octets(field.name)) return false;
    return field.name != "etag" || !stored_tag || *stored_tag == field.value;
  };
  std::vector<http::Field> merged;
  merged.reserve(old.size() + update.size());
  for (const http::Field& field : old) {
    const bool replaced = std::any_of(update.begin(), update.end(), [&](const http::Field& u) {
      return u.name == field.name && updates(u);
    });
    if (!replaced) merged.push_back(field);
  }
  std::copy_if(update.begin(), update.end(), std::back_inserter(merged), updates);
  return merged;
}

/// `fields` without Accept-Encoding in Vary; `text` keeps the new value.
std::vector<http::Field> without_vary_by_encoding(http::Fields fields, std::string& text) {
  const http::Vary vary = http::parse_vary(fields);
  const auto encoding = std::find(vary.names.begin(), vary.names.end(), "accept-encoding");
  std::vector<http::Field> kept(fields.begin(), fields.end());
  if (encoding == vary.names.end()) return kept;
  std::erase_if(kept, [](const http::Field& field) { return field.name == "vary"; });
  for (const std::string& name : vary.names)
    if (name != *encoding) text += (text.empty() ? "" : ", ") + name;
  if (!text.empty()) kept.push_back({"vary", text});
  return kept;
}

/// A larger body is not worth the copy.
constexpr std::uint64_t kLargestInBlock = 32 * 1024;
static_assert(kLargestInBlock < UINT16_MAX);

}  // namespace

base::Ref<StoredResponse> StoredResponse::make(const Key& key, int status, http::Fields fields,
                                               base::Ref<Body> body, Stamp stamp,
                                               base::MonoTime /*requested_at*/,
                                               base::MonoTime received_at,
                                               base::WallTime received_wall, Duration initial_age) {
  Parts parts;
  parts.key = key;
  parts.host_label = key.host.empty() ? 0 : label_hash(key.host);
  parts.behavior_label = label_hash(key.behavior);
  parts.status = status;
  parts.body = std::move(body);
  parts.stamp = stamp;
  parts.received_at = received_at;
  parts.received_wall = received_wall;
  parts.initial_age = initial_age;
  parts.set_fields(fields);
  parts.forget_notes();
  return make(parts);
}

base::Ref<StoredResponse> StoredResponse::in_slices(const StoredResponse& response, Sliced sliced) {
  const FieldList fields = response.fields();
  Parts parts = response.parts();
  parts.fields = fields;
  parts.body.reset();
  parts.encodings.clear();
  parts.sliced = sliced;
  parts.flags = 0;
  parts.forget_notes();
  return make(parts);
}

base::Ref<StoredResponse> StoredResponse::slice(const StoredResponse& whole, const Key& key,
                                                base::Ref<Body> body, Stamp stamp,
                                                base::MonoTime received_at,
                                                base::WallTime received_wall) {
  const FieldList all = whole.fields();
  std::vector<http::Field> fields(all.begin(), all.end());
  std::erase_if(fields, [](const http::Field& field) { return field.name == "vary"; });
  Parts parts;
  parts.key = key;
  parts.host_label = whole.host_label();
  parts.behavior_label = whole.behavior_label();
  parts.status = whole.status_;
  parts.sliced = whole.sliced();
  parts.body = std::move(body);
  parts.stamp = stamp;
  parts.received_at = received_at;
  parts.received_wall = received_wall;
  parts.flags = kSlice;
  parts.set_fields(fields);
  parts.forget_notes();
  return make(parts);
}

bool StoredResponse::has_content_of(const StoredResponse& other) const {
  if (has(kSliced) || other.has(kSliced))
    return has(kSliced) && other.has(kSliced) && sliced()->id == other.sliced()->id;
  if (!body_ || !other.body_) return !body_ && !other.body_;
  return body_->is(*other.body_);
}

base::Ref<StoredResponse> StoredResponse::refreshed(const StoredResponse& old, http::Fields update,
                                                    Stamp stamp, base::MonoTime /*requested_at*/,
                                                    base::MonoTime received_at,
                                                    base::WallTime received_wall,
                                                    Duration initial_age) {
  const FieldList of_old = old.fields();
  std::vector<http::Field> fields = merge(of_old, update);
  std::string vary;
  Parts parts = old.parts();
  const auto claims = static_cast<std::uint8_t>(parts.notes & (kEncodingClaimed | kDiskClaimed));
  parts.stamp = stamp;
  parts.received_at = received_at;
  parts.received_wall = received_wall;
  parts.initial_age = initial_age;
  parts.flags &= kSlice;
  if (!parts.encodings.empty()) fields = without_vary_by_encoding(fields, vary);
  parts.set_fields(fields);
  parts.forget_notes();
  parts.notes = claims;
  return make(parts);
}

base::Ref<StoredResponse> StoredResponse::with_encodings(const StoredResponse& response,
                                                         std::vector<EncodedBody> encodings) {
  HG_ASSERT(encodings.size() <= UINT8_MAX);
  const FieldList all = response.fields();
  std::string vary;
  const std::vector<http::Field> fields = without_vary_by_encoding(all, vary);
  Parts parts = response.parts();
  parts.fields = fields;
  parts.encodings = std::move(encodings);
  parts.flags &= kSlice;
  parts.forget_notes();
  parts.notes = kEncodingClaimed;
  return make(parts);
}

base::Ref<StoredResponse> StoredResponse::restored(Restored from) {
  Parts parts;
  parts.key = from.key;
  parts.host_label = from.key.host.empty() ? 0 : label_hash(from.key.host);
  parts.behavior_label = label_hash(from.key.behavior);
  parts.status = from.status;
  parts.body = std::move(from.body);
  parts.sliced = from.sliced;
  parts.stamp = from.stamp;
  parts.received_at = from.received_at;
  parts.received_wall = from.received_wall;
  parts.initial_age = from.initial_age;
  parts.set_fields(from.fields);
  parts.flags = static_cast<std::uint8_t>(kFromDisk | (from.is_slice ? kSlice : 0));
  parts.notes = static_cast<std::uint8_t>(kDiskClaimed | (from.outdated ? kOutdated : 0) |
                                          (from.encodings.empty() ? 0 : kEncodingClaimed));
  parts.encodings = std::move(from.encodings);
  parts.validated_epoch = from.validated_epoch;
  return make(parts);
}

base::Ref<StoredResponse> StoredResponse::stored_form(const StoredResponse& response,
                                                      const base::Ref<Commons>& commons) {
  const FieldList all = response.fields();
  Parts parts = response.parts();
  std::vector<http::Field> kept;
  const std::vector<std::string> restricted = http::restricted_fields(all);
  if (restricted.empty()) {
    parts.fields = all;
  } else {
    for (const http::Field& field : all)
      if (std::find(restricted.begin(), restricted.end(), field.name) == restricted.end())
        kept.push_back(field);
    parts.fields = kept;
  }
  parts.body_in_block =
      parts.body && parts.encodings.empty() && parts.body->size() <= kLargestInBlock;
  parts.commons = commons;
  return make(parts);
}

}  // namespace headgate::cache
