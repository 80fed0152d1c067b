// SPDX-License-Identifier: MIT
#include "appliance/cache/response.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>
#include <vector>

#include "appliance/cache/purge/uri_invalidation.h"
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

std::unique_ptr<char[]> joined(std::initializer_list<std::string_view> texts) {
  std::size_t size = 0;
  for (const std::string_view text : texts) size += text.size();
  std::unique_ptr<char[]> all(new char[size]);
  char* end = all.get();
  for (const std::string_view text : texts) end = std::copy(text.begin(), text.end(), end);
  return all;
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

}  // namespace

StoredResponse::StoredResponse(const Key& key, int status, http::Fields fields,
                               base::Ref<Body> body, Stamp stamp, base::MonoTime requested_at,
                               base::MonoTime received_at, base::WallTime received_wall,
                               Duration initial_age)
    : StoredResponse(key,
                     {.host = key.host.empty() ? 0 : label_hash(key.host),
                      .behavior = label_hash(key.behavior)},
                     status, fields, std::move(body), stamp, requested_at, received_at,
                     received_wall, initial_age) {}

StoredResponse::StoredResponse(const Key& key, Labels labels, int status, http::Fields fields,
                               base::Ref<Body> body, Stamp stamp, base::MonoTime requested_at,
                               base::MonoTime received_at, base::WallTime received_wall,
                               Duration initial_age)
    : status_(status),
      directives_(http::parse_directives(status, fields, received_wall)),
      fields_(fields),
      body_(std::move(body)),
      stamp_(stamp),
      requested_at_(requested_at),
      received_at_(received_at),
      received_wall_(received_wall),
      initial_age_(initial_age),
      key_size_(static_cast<std::uint32_t>(key.text.size())),
      distribution_size_(static_cast<std::uint32_t>(key.distribution.size())),
      path_size_(static_cast<std::uint32_t>(key.path.size())),
      text_(joined({key.text, key.distribution, key.path})),
      uri_(uri_hash(key.distribution, key.path)),
      host_label_(labels.host),
      behavior_label_(labels.behavior),
      tags_(fields),
      validated_epoch_(stamp.epoch) {}

base::Ref<StoredResponse> StoredResponse::with(http::Fields fields, base::Ref<Body> body) const {
  const Key key{.hash = {}, .text = key_text(), .distribution = distribution(), .path = path()};
  return base::Ref<StoredResponse>(
      new StoredResponse(key, {host_label_, behavior_label_}, status_, fields, std::move(body),
                         stamp_, requested_at_, received_at_, received_wall_, initial_age_));
}

base::Ref<StoredResponse> StoredResponse::in_slices(const StoredResponse& response, Sliced sliced) {
  auto whole = response.with(response.fields(), {});
  whole->sliced_ = sliced;
  return whole;
}

base::Ref<StoredResponse> StoredResponse::slice(const StoredResponse& whole, const Key& key,
                                                base::Ref<Body> body, Stamp stamp,
                                                base::MonoTime received_at,
                                                base::WallTime received_wall) {
  std::vector<http::Field> fields(whole.fields().begin(), whole.fields().end());
  std::erase_if(fields, [](const http::Field& field) { return field.name == "vary"; });
  base::Ref<StoredResponse> part(new StoredResponse(
      key, {whole.host_label_, whole.behavior_label_}, whole.status_, fields, std::move(body),
      stamp, received_at, received_at, received_wall, Duration::zero()));
  part->is_slice_ = true;
  return part;
}

bool StoredResponse::has_content_of(const StoredResponse& other) const {
  if (sliced_ || other.sliced_) return sliced_ && other.sliced_ && sliced_->id == other.sliced_->id;
  return body_.get() == other.body_.get();
}

base::Ref<StoredResponse> StoredResponse::refreshed(const StoredResponse& old, http::Fields update,
                                                    Stamp stamp, base::MonoTime requested_at,
                                                    base::MonoTime received_at,
                                                    base::WallTime received_wall,
                                                    Duration initial_age) {
  const Key key{
      .hash = {}, .text = old.key_text(), .distribution = old.distribution(), .path = old.path()};
  base::Ref<StoredResponse> now(new StoredResponse(
      key, {old.host_label_, old.behavior_label_}, old.status_, merge(old.fields(), update),
      old.body_, stamp, requested_at, received_at, received_wall, initial_age));
  now->sliced_ = old.sliced_;
  if (!old.encodings_.empty())
    now = with_encodings(*now, old.encodings_);
  else
    now->encoding_claimed_.store(old.encoding_claimed_.load());
  now->disk_claimed_.store(old.disk_claimed_.load());
  return now;
}

base::Ref<StoredResponse> StoredResponse::with_encodings(const StoredResponse& response,
                                                         std::vector<EncodedBody> encodings) {
  std::string vary;
  auto encoded = response.with(without_vary_by_encoding(response.fields(), vary), response.body_);
  encoded->encodings_ = std::move(encodings);
  encoded->encoding_claimed_.store(true);
  return encoded;
}

base::Ref<StoredResponse> StoredResponse::restored(Restored parts) {
  auto response = base::make_ref<StoredResponse>(
      parts.key, parts.status, parts.fields, std::move(parts.body), parts.stamp, parts.received_at,
      parts.received_at, parts.received_wall, parts.initial_age);
  response->sliced_ = parts.sliced;
  response->is_slice_ = parts.is_slice;
  response->came_from_disk_ = true;
  response->disk_claimed_.store(true);
  response->outdated_.store(parts.outdated);
  response->set_validated_epoch(parts.validated_epoch);
  if (parts.encodings.empty()) return response;
  response->encodings_ = std::move(parts.encodings);
  response->encoding_claimed_.store(true);
  return response;
}

base::Ref<StoredResponse> StoredResponse::storable_part(const base::Ref<StoredResponse>& response) {
  const std::vector<std::string> restricted = http::restricted_fields(response->fields());
  if (restricted.empty()) return response;
  std::vector<http::Field> kept;
  for (const http::Field& field : response->fields())
    if (std::find(restricted.begin(), restricted.end(), field.name) == restricted.end())
      kept.push_back(field);
  auto part = response->with(kept, response->body_);
  part->sliced_ = response->sliced_;
  part->encodings_ = response->encodings_;
  part->encoding_claimed_.store(response->encoding_claimed_.load());
  return part;
}

std::uint64_t StoredResponse::raise_counted_epoch(std::uint64_t epoch) const {
  std::uint64_t counted = counted_epoch_.load(std::memory_order_relaxed);
  while (counted < epoch &&
         !counted_epoch_.compare_exchange_weak(counted, epoch, std::memory_order_relaxed)) {
  }
  return counted;
}

void StoredResponse::inherit_notes(const StoredResponse& other) const {
  if (other.outdated()) set_outdated();
  raise_counted_epoch(other.counted_epoch_.load(std::memory_order_relaxed));
}

std::size_t StoredResponse::head_size_bytes() const {
  return sizeof(StoredResponse) + encodings_.capacity() * sizeof(EncodedBody) +
         fields_.size_bytes() + key_size_ + distribution_size_ + path_size_ + tags_.memory_bytes();
}

std::uint64_t StoredResponse::memory_bytes() const {
  std::uint64_t bytes = head_size_bytes() + (body_ ? body_->memory_bytes() : 0);
  for (const EncodedBody& encoding : encodings_)
    if (encoding.body->complete()) bytes += encoding.body->memory_bytes();
  return bytes;
}

void StoredResponse::charge_to(const base::Ref<MemoryAccount>& account) const {
  charge_.set(account, head_size_bytes());
  if (body_) body_->charge_to(account);
  // What still grows is counted when the response is replaced by one that has it whole.
  for (const EncodedBody& encoding : encodings_)
    if (encoding.body->complete()) encoding.body->charge_to(account);
}

}  // namespace headgate::cache
