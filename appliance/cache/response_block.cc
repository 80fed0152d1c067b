// SPDX-License-Identifier: MIT
// How a stored response lies in memory:
//
//   StoredResponse  encodings?  tags  record  key, other texts, fields  (up to a unit) (Body
//   octets)?
//
// The block ends with the response; with the body when that lies in it and is still referred to.
// What it has in common with others in a Store is there (commons.h), and a number here.
#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/cache/response_parts.h"

namespace headgate::cache {
namespace {

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

/// Nothing when path or distribution are not part of the key.
std::optional<Scope> scope_of(const Key& key, std::uint64_t host_label,
                              std::uint64_t behavior_label) {
  const std::size_t path_at = key.text.find(key.path);
  if (path_at == std::string_view::npos) return std::nullopt;
  const std::string_view begin = key.text.substr(0, path_at);
  const std::size_t at = begin.find(key.distribution);
  if (at == std::string_view::npos) return std::nullopt;
  return Scope{.key_begin = begin,
               .distribution = begin.substr(at, key.distribution.size()),
               .host_label = host_label,
               .behavior_label = behavior_label};
}

}  // namespace

/// A key's text, in two pieces. What differs among keys is mostly at the end.
struct StoredResponse::KeyPieces {
  std::string_view begin;
  std::string_view end;

  bool operator==(const KeyPieces& other) const {
    if (begin.size() > other.begin.size()) return other == *this;
    const std::size_t more = other.begin.size() - begin.size();
    return end.size() == more + other.end.size() && end.substr(more) == other.end &&
           end.substr(0, more) == other.begin.substr(begin.size()) &&
           begin == other.begin.substr(0, begin.size());
  }
};

base::Ref<StoredResponse> StoredResponse::make(const Parts& parts) {
  SharedTexts* shared = parts.commons ? &parts.commons->texts : nullptr;
  const TagSet tags(parts.fields);
  const std::string fields = pack(parts.fields, shared);
  HeadRecord record;
  std::string_view key = parts.key.text;
  if (shared != nullptr)
    if (const auto scope = scope_of(parts.key, parts.host_label, parts.behavior_label)) {
      record.texts.key.scope = shared->take(pack(*scope));
      if (record.texts.key.scope != SharedTexts::kNone) key.remove_prefix(scope->key_begin.size());
    }
  Texts texts(key);
  if (record.texts.key.scope == SharedTexts::kNone) {
    record.distribution_at = texts.place_of(parts.key.distribution);
    record.distribution_size = parts.key.distribution.size();
    record.path_at = texts.place_of(parts.key.path);
    record.host_label = parts.host_label;
    record.behavior_label = parts.behavior_label;
  }
  record.path_size = parts.key.path.size();
  record.texts.key.size = key.size();
  record.texts.all = texts.size();
  record.texts.fields = fields.size();
  record.directives = parts.directives;
  record.changes = parts.stamp.changes;
  record.epoch = parts.stamp.epoch;
  record.generation = parts.stamp.generation;
  record.initial_age = parts.initial_age;
  record.wall_drift = drift_of(parts.received_wall, parts.received_at);
  if (parts.sliced) {
    record.is_sliced = true;
    record.sliced_id = parts.sliced->id;
    record.sliced_length = parts.sliced->length;
  }
  char packed[kMaxHeadRecord];
  const auto record_size = static_cast<std::size_t>(put_record(record, packed) - packed);

  const std::size_t encodings = parts.encodings.size() * sizeof(EncodedBody);
  const std::size_t head = sizeof(StoredResponse) + encodings + tags.stored_bytes() + record_size +
                           texts.size() + fields.size();
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
  std::copy(fields.begin(), fields.end(), texts.put(at));
  if (in_block) {
    response->flags_ |= kBodyInBlock;
    response->body_ = base::Ref<Body>(new (block + body_at) Body(
        Body::InBlock(), *parts.body, static_cast<std::uint16_t>(body_at / kUnit)));
  }
  return base::Ref<StoredResponse>(response);
}

StoredResponse::StoredResponse(const Parts& parts)
    : status_(static_cast<std::uint16_t>(parts.status)),
      flags_(static_cast<std::uint8_t>(
          parts.flags | (parts.sliced && (parts.flags & kSlice) == 0 ? kSliced : 0))),
      notes_(parts.notes),
      encodings_(static_cast<std::uint8_t>(parts.encodings.size())),
      tags_(0),
      record_size_(0),
      counted_epochs_(parts.counted_epochs),
      validated_epoch_(parts.validated_epoch),
      born_at_(parts.received_at - parts.initial_age),
      body_(parts.body),
      commons_(parts.commons) {}

StoredResponse::~StoredResponse() {
  if (has(kCounted)) commons_->account->remove(block_bytes());
  if (commons_) give_back_texts();
  const std::span<const EncodedBody> all = encodings();
  std::destroy(all.begin(), all.end());
}

void StoredResponse::give_back_texts() {
  const RecordTexts sizes = get_texts(record_begin());
  give_back({texts() + sizes.all, sizes.fields}, commons_->texts);
  if (sizes.key.scope != SharedTexts::kNone) commons_->texts.give_back(sizes.key.scope);
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
  const std::string key = key_text();
  Parts parts;
  parts.key_octets.assign(key.begin(), key.end());
  parts.key = {.hash = {},
               .text = {parts.key_octets.data(), parts.key_octets.size()},
               .distribution = distribution(),
               .path = path()};
  parts.host_label = host_label();
  parts.behavior_label = behavior_label();
  parts.status = status_;
  parts.directives = kept.directives;
  parts.body = body_;
  parts.encodings.assign(encodings().begin(), encodings().end());
  parts.sliced = kept_sliced();
  parts.stamp = stamp();
  parts.received_at = received_at();
  parts.received_wall = received_wall();
  parts.initial_age = kept.initial_age;
  parts.flags = static_cast<std::uint8_t>(flags_ & (kFromDisk | kSlice));
  parts.notes = notes_.load();
  parts.counted_epochs = counted_epochs_.load(std::memory_order_relaxed);
  parts.validated_epoch = validated_epoch();
  parts.commons = commons_;
  return parts;
}

FieldList StoredResponse::fields() const {
  const RecordTexts sizes = get_texts(record_begin());
  return FieldList({texts() + sizes.all, sizes.fields}, commons_ ? &commons_->texts : nullptr);
}

std::optional<Sliced> StoredResponse::sliced() const {
  return has(kSliced) ? kept_sliced() : std::nullopt;
}

std::optional<Sliced> StoredResponse::slice_of() const {
  return has(kSlice) ? kept_sliced() : std::nullopt;
}

std::optional<Sliced> StoredResponse::kept_sliced() const {
  const HeadRecord kept = record();
  if (!kept.is_sliced) return std::nullopt;
  return Sliced{.id = kept.sliced_id, .length = kept.sliced_length};
}

Stamp StoredResponse::stamp() const {
  const HeadRecord kept = record();
  return {.epoch = kept.epoch, .generation = kept.generation, .changes = kept.changes};
}

Scope StoredResponse::scope(SharedTexts::Number number) const {
  return unpack_scope(commons_->texts.text(number));
}

StoredResponse::KeyPieces StoredResponse::key_pieces() const {
  const char* at = record_begin();
  const RecordKey key = take_key(at);
  KeyPieces pieces{.begin = {}, .end = {texts(), key.size}};
  if (key.scope != SharedTexts::kNone)
    pieces.begin = unpack_key_begin(commons_->texts.text(key.scope));
  return pieces;
}

bool StoredResponse::has_key(std::string_view text) const {
  const KeyPieces own = key_pieces();
  return own.begin.size() + own.end.size() == text.size() && text.ends_with(own.end) &&
         text.starts_with(own.begin);
}

bool StoredResponse::has_key_of(const StoredResponse& other) const {
  return key_pieces() == other.key_pieces();
}

std::string StoredResponse::key_text() const {
  const KeyPieces pieces = key_pieces();
  return std::string(pieces.begin).append(pieces.end);
}

std::string_view StoredResponse::distribution() const {
  const HeadRecord kept = record();
  if (kept.texts.key.scope != SharedTexts::kNone) return scope(kept.texts.key.scope).distribution;
  return {texts() + kept.distribution_at, static_cast<std::size_t>(kept.distribution_size)};
}

std::string_view StoredResponse::path() const {
  const HeadRecord kept = record();
  return {texts() + kept.path_at, static_cast<std::size_t>(kept.path_size)};
}

std::uint64_t StoredResponse::host_label() const {
  const HeadRecord kept = record();
  return kept.texts.key.scope != SharedTexts::kNone ? scope(kept.texts.key.scope).host_label
                                                    : kept.host_label;
}

std::uint64_t StoredResponse::behavior_label() const {
  const HeadRecord kept = record();
  return kept.texts.key.scope != SharedTexts::kNone ? scope(kept.texts.key.scope).behavior_label
                                                    : kept.behavior_label;
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
  const RecordTexts sizes = get_texts(record_begin());
  const char* end = texts() + sizes.all + sizes.fields;
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

void StoredResponse::count_memory() {
  HG_ASSERT(commons_ && !has(kCounted));
  flags_ |= kCounted;
  commons_->account->add(block_bytes());
  if (body_) body_->charge_to(commons_->account);
  // What still grows is counted when the response is replaced by one that has it whole.
  for (const EncodedBody& encoding : encodings())
    if (encoding.body->complete()) encoding.body->charge_to(commons_->account);
}

}  // namespace headgate::cache
