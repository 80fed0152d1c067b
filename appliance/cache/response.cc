// SPDX-License-Identifier: MIT
#include "appliance/cache/response.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "appliance/base/assert.h"
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

/// Where a Body may begin.
constexpr std::size_t kUnit = 8;
constexpr std::size_t up_to_unit(std::size_t bytes) { return (bytes + kUnit - 1) & ~(kUnit - 1); }

/// As malloc rounds, its own word included.
std::size_t allocated(std::size_t bytes) {
  return std::max<std::size_t>(32, (bytes + 8 + 15) & ~std::size_t{15});
}

/// What the wall clock was ahead of the other one when the process began.
Duration wall_ahead() {
  static const Duration ahead =
      base::wall_now().time_since_epoch() - base::mono_now().time_since_epoch();
  return ahead;
}

/// Unsigned, as nothing is known of the operands.
std::int64_t drift_of(base::WallTime wall, base::MonoTime mono) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(wall.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(mono.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(wall_ahead().count()));
}

base::WallTime wall_of(std::int64_t drift, base::MonoTime mono) {
  return base::WallTime(Duration(static_cast<std::int64_t>(
      static_cast<std::uint64_t>(mono.time_since_epoch().count()) +
      static_cast<std::uint64_t>(wall_ahead().count()) + static_cast<std::uint64_t>(drift))));
}

/// Texts as they lie in the block: one that is part of the key is there already.
class Texts {
 public:
  explicit Texts(std::string_view key) : key_(key), size_(key.size()) {}

  std::uint64_t place_of(std::string_view text) {
    if (const std::size_t at = key_.find(text); at != std::string_view::npos) return at;
    others_[count_++] = text;
    return std::exchange(size_, size_ + text.size());
  }
  std::size_t size() const { return size_; }
  char* put(char* to) const {
    to = std::copy(key_.begin(), key_.end(), to);
    for (std::size_t i = 0; i < count_; ++i)
      to = std::copy(others_[i].begin(), others_[i].end(), to);
    return to;
  }

 private:
  const std::string_view key_;
  std::array<std::string_view, 2> others_;
  std::size_t count_ = 0;
  std::size_t size_;
};

}  // namespace

/// What a response is made of. Views are valid for the call that gets them.
struct StoredResponse::Parts {
  Key key;  ///< but for host and behavior
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
  int status = 0;
  http::Fields fields;
  http::CacheDirectives directives;
  base::Ref<Body> body;
  std::vector<EncodedBody> encodings;
  std::optional<Sliced> sliced;
  Stamp stamp;
  base::MonoTime received_at;
  base::WallTime received_wall;
  Duration initial_age = Duration::zero();
  std::uint8_t flags = 0;  ///< kFromDisk, kSlice
  std::uint8_t notes = 0;
  std::uint32_t counted_epochs = 0;
  std::uint64_t validated_epoch = 0;
  bool body_in_block = false;

  void set_fields(http::Fields all) {
    fields = all;
    directives = http::parse_directives(status, all, received_wall);
  }
  /// As one that was just fetched.
  void forget_notes() {
    notes = 0;
    counted_epochs = 0;
    validated_epoch = stamp.epoch;
  }
};

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

base::Ref<StoredResponse> StoredResponse::make(const Parts& parts) {
  const TagSet tags(parts.fields);
  Texts texts(parts.key.text);
  HeadRecord record;
  record.sizes.key = parts.key.text.size();
  record.distribution_at = texts.place_of(parts.key.distribution);
  record.distribution_size = parts.key.distribution.size();
  record.path_at = texts.place_of(parts.key.path);
  record.path_size = parts.key.path.size();
  record.sizes.texts = texts.size();
  record.sizes.fields = packed_size(parts.fields);
  record.directives = parts.directives;
  record.changes = parts.stamp.changes;
  record.epoch = parts.stamp.epoch;
  record.generation = parts.stamp.generation;
  record.initial_age = parts.initial_age;
  record.wall_drift = drift_of(parts.received_wall, parts.received_at);
  record.host_label = parts.host_label;
  record.behavior_label = parts.behavior_label;
  if (parts.sliced) {
    record.is_sliced = true;
    record.sliced_id = parts.sliced->id;
    record.sliced_length = parts.sliced->length;
  }
  char packed[kMaxHeadRecord];
  const auto record_size = static_cast<std::size_t>(put_record(record, packed) - packed);

  const std::size_t encodings = parts.encodings.size() * sizeof(EncodedBody);
  const std::size_t head = sizeof(StoredResponse) + encodings + tags.stored_bytes() + record_size +
                           texts.size() + record.sizes.fields;
  const std::size_t body_at = up_to_unit(head);
  const bool in_block = parts.body_in_block && body_at / kUnit <= UINT16_MAX;
  auto* block = static_cast<char*>(::operator new(
      in_block ? body_at + sizeof(Body) + static_cast<std::size_t>(parts.body->size()) : head));
  auto* response = new (block) StoredResponse(parts);
  std::uninitialized_copy(parts.encodings.begin(), parts.encodings.end(),
                          reinterpret_cast<EncodedBody*>(response + 1));
  char* at = tags.store(block + sizeof(StoredResponse) + encodings);
  response->tags_ = tags.stored_count();
  at = std::copy_n(packed, record_size, at);
  response->record_size_ = static_cast<std::uint8_t>(record_size);
  pack(parts.fields, texts.put(at));
  if (in_block) {
    response->flags_ |= kBodyInBlock;
    response->body_ = base::Ref<Body>(new (block + body_at) Body(
        Body::InBlock(), *parts.body, static_cast<std::uint16_t>(body_at / kUnit)));
  }
  return base::Ref<StoredResponse>(response);
}

StoredResponse::StoredResponse(const Parts& parts)
    : status_(static_cast<std::uint16_t>(parts.status)),
      flags_(static_cast<std::uint8_t>(parts.flags | (parts.sliced ? kSliced : 0))),
      notes_(parts.notes),
      encodings_(static_cast<std::uint8_t>(parts.encodings.size())),
      tags_(0),
      record_size_(0),
      counted_epochs_(parts.counted_epochs),
      validated_epoch_(parts.validated_epoch),
      born_at_(parts.received_at - parts.initial_age),
      body_(parts.body) {}

StoredResponse::~StoredResponse() {
  if (account_) account_->remove(block_bytes());
  const std::span<const EncodedBody> all = encodings();
  std::destroy(all.begin(), all.end());
}

void StoredResponse::end_of_life() const {
  auto* self = const_cast<StoredResponse*>(this);
  if (has(kBodyInBlock)) return self->body_.release()->unref();  // end_block_of, now or later
  self->~StoredResponse();
  ::operator delete(static_cast<void*>(self));
}

void StoredResponse::end_block_of(const Body& body) {
  auto* owner = const_cast<StoredResponse*>(reinterpret_cast<const StoredResponse*>(body.block()));
  owner->~StoredResponse();  // which still looks at how large the body is
  body.~Body();
  ::operator delete(static_cast<void*>(owner));
}

std::uint64_t StoredResponse::block_bytes_of(const Body& body) {
  return reinterpret_cast<const StoredResponse*>(body.block())->block_bytes();
}

StoredResponse::Parts StoredResponse::parts() const {
  const HeadRecord kept = record();
  Parts parts;
  parts.key = {.hash = {}, .text = key_text(), .distribution = distribution(), .path = path()};
  parts.host_label = kept.host_label;
  parts.behavior_label = kept.behavior_label;
  parts.status = status_;
  parts.directives = kept.directives;
  parts.body = body_;
  parts.encodings.assign(encodings().begin(), encodings().end());
  parts.sliced = sliced();
  parts.stamp = stamp();
  parts.received_at = received_at();
  parts.received_wall = received_wall();
  parts.initial_age = kept.initial_age;
  parts.flags = static_cast<std::uint8_t>(flags_ & (kFromDisk | kSlice));
  parts.notes = notes_.load();
  parts.counted_epochs = counted_epochs_.load(std::memory_order_relaxed);
  parts.validated_epoch = validated_epoch();
  return parts;
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
  const HeadRecord of_whole = whole.record();
  Parts parts;
  parts.key = key;
  parts.host_label = of_whole.host_label;
  parts.behavior_label = of_whole.behavior_label;
  parts.status = whole.status_;
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
  parts.flags = 0;
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
  parts.flags = 0;
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

base::Ref<StoredResponse> StoredResponse::stored_form(const StoredResponse& response) {
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
  return make(parts);
}

FieldList StoredResponse::fields() const {
  const RecordSizes sizes = get_sizes(record_begin());
  return FieldList({texts() + sizes.texts, sizes.fields});
}

std::optional<Sliced> StoredResponse::sliced() const {
  if (!has(kSliced)) return std::nullopt;
  const HeadRecord kept = record();
  return Sliced{.id = kept.sliced_id, .length = kept.sliced_length};
}

Stamp StoredResponse::stamp() const {
  const HeadRecord kept = record();
  return {.epoch = kept.epoch, .generation = kept.generation, .changes = kept.changes};
}

std::string_view StoredResponse::distribution() const {
  const HeadRecord kept = record();
  return {texts() + kept.distribution_at, static_cast<std::size_t>(kept.distribution_size)};
}

std::string_view StoredResponse::path() const {
  const HeadRecord kept = record();
  return {texts() + kept.path_at, static_cast<std::size_t>(kept.path_size)};
}

bool StoredResponse::is_changed(const UriInvalidations& changes) const {
  const std::uint64_t since = get_changes(record_begin());
  return changes.count() > since && changes.covers(uri(), since);
}

base::WallTime StoredResponse::received_wall() const {
  return wall_of(record().wall_drift, received_at());
}

TagSet StoredResponse::tags() const { return TagSet::stored(tags_begin(), tags_); }

std::size_t StoredResponse::block_bytes() const {
  const RecordSizes sizes = get_sizes(record_begin());
  const char* end = texts() + sizes.texts + sizes.fields;
  const auto head = static_cast<std::size_t>(end - reinterpret_cast<const char*>(this));
  if (!has(kBodyInBlock)) return allocated(head);
  const std::size_t body_at = up_to_unit(head);
  const auto* body = reinterpret_cast<const Body*>(reinterpret_cast<const char*>(this) + body_at);
  return allocated(body_at + sizeof(Body) + body->octets_in_block().size());
}

std::uint64_t StoredResponse::raise_counted_epoch(std::uint64_t epoch) const {
  const std::uint64_t own = stamp().epoch;
  const auto to = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(epoch > own ? epoch - own : 0, UINT32_MAX));
  std::uint32_t counted = counted_epochs_.load(std::memory_order_relaxed);
  while (counted < to &&
         !counted_epochs_.compare_exchange_weak(counted, to, std::memory_order_relaxed)) {
  }
  return own + counted;
}

void StoredResponse::inherit_notes(const StoredResponse& other) const {
  if (other.outdated()) set_outdated();
  raise_counted_epoch(other.raise_counted_epoch(0));
}

std::size_t StoredResponse::head_size_bytes() const {
  return block_bytes() - (has(kBodyInBlock) ? sizeof(Body) + body_->size() : 0);
}

std::uint64_t StoredResponse::memory_bytes() const {
  std::uint64_t bytes = block_bytes();
  if (body_ && !has(kBodyInBlock)) bytes += body_->memory_bytes();
  for (const EncodedBody& encoding : encodings())
    if (encoding.body->complete()) bytes += encoding.body->memory_bytes();
  return bytes;
}

void StoredResponse::charge_to(const base::Ref<MemoryAccount>& account) {
  HG_ASSERT(!account_);
  account->add(block_bytes());
  account_ = account;
  if (body_) body_->charge_to(account);
  // What still grows is counted when the response is replaced by one that has it whole.
  for (const EncodedBody& encoding : encodings())
    if (encoding.body->complete()) encoding.body->charge_to(account);
}

}  // namespace headgate::cache
