// SPDX-License-Identifier: MIT
#include "appliance/cache/tier/stored_form.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

namespace headgate::cache {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint8_t kVersion = 1;
enum class Form : std::uint8_t { Response = 1, Variants = 2 };
constexpr std::uint8_t kOutdated = 1;
constexpr std::uint8_t kSlice = 2;
constexpr std::uint8_t kSliced = 4;

/// What has a fixed size; without holes, so that no octet is left to chance.
struct Head {
  std::uint64_t epoch = 0;
  std::uint64_t validated_epoch = 0;
  std::uint64_t generation = 0;
  std::uint64_t changes = 0;
  std::int64_t received_mono = 0;
  std::int64_t received_wall = 0;
  std::int64_t initial_age = 0;
  std::uint64_t sliced_id = 0;
  std::uint64_t sliced_length = 0;
  std::uint32_t run = 0;
  std::uint16_t status = 0;
  std::uint8_t flags = 0;
  std::uint8_t codings = 0;
  std::uint32_t fields = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(Head) == 88 && std::has_unique_object_representations_v<Head>);

class Writer {
 public:
  explicit Writer(Form form) {
    put(kVersion);
    put(form);
  }
  template <class T>
  void put(const T& value) {
    static_assert(std::has_unique_object_representations_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  void body(const Body& body) {
    put(static_cast<std::uint32_t>(body.size()));
    body.append_to(out_);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

/// After an error everything is empty.
class Reader {
 public:
  Reader(std::string_view octets, Form form) : rest_(octets) {
    if (get<std::uint8_t>() != kVersion || get<Form>() != form) broken_ = true;
  }
  template <class T>
  T get() {
    T value{};
    if (const std::string_view octets = take(sizeof value); !octets.empty())
      std::memcpy(static_cast<void*>(&value), octets.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(get<std::uint32_t>()); }
  bool is_whole() const { return !broken_ && rest_.empty(); }
  bool is_broken() const { return broken_; }

 private:
  std::string_view take(std::size_t size) {
    if (broken_ || size > rest_.size()) {
      broken_ = true;
      return {};
    }
    const std::string_view octets = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return octets;
  }

  std::string_view rest_;
  bool broken_ = false;
};

Head head_of(const StoredResponse& response, std::uint32_t run) {
  Head head;
  head.epoch = response.stamp().epoch;
  head.validated_epoch = response.validated_epoch();
  head.generation = response.stamp().generation;
  head.changes = response.stamp().changes;
  head.received_mono = response.received_at().time_since_epoch().count();
  head.received_wall = response.received_wall().time_since_epoch().count();
  head.initial_age = response.current_age(response.received_at()).count();
  head.run = run;
  head.status = static_cast<std::uint16_t>(response.status());
  head.flags = static_cast<std::uint8_t>((response.outdated() ? kOutdated : 0) |
                                         (response.is_slice() ? kSlice : 0) |
                                         (response.sliced() ? kSliced : 0));
  if (const auto whole = response.is_slice() ? response.slice_of() : response.sliced()) {
    head.sliced_id = whole->id;
    head.sliced_length = whole->length;
  }
  head.fields = static_cast<std::uint32_t>(response.fields().size());
  return head;
}

/// When it came, by the clock of this run.
std::optional<base::MonoTime> received_at(const Head& head, const RunClock& now) {
  if (head.run == now.run) return base::MonoTime(Duration(head.received_mono));
  const Duration resident = now.wall - base::WallTime(Duration(head.received_wall));
  if (resident < Duration::zero()) return std::nullopt;
  return now.mono - resident;
}

}  // namespace

std::string encode_response(const StoredResponse& response, std::string_view behavior,
                            std::uint32_t run) {
  Head head = head_of(response, run);
  std::uint64_t content = response.body() ? response.body()->size() : 0;
  for (const EncodedBody& encoding : response.encodings())
    if (encoding.body->storable()) {
      ++head.codings;
      content += encoding.body->size();
    }
  Writer writer(Form::Response);
  writer.reserve(response.head_size_bytes() + content + sizeof head);
  writer.put(head);
  writer.text(response.distribution());
  writer.text(response.path());
  writer.text(behavior);
  for (const http::Field& field : response.fields()) {
    writer.text(field.name);
    writer.text(field.value);
  }
  for (const EncodedBody& encoding : response.encodings()) {
    if (!encoding.body->storable()) continue;
    writer.put(encoding.coding);
    writer.body(*encoding.body);
  }
  if (response.body()) writer.body(*response.body());
  return writer.take();
}

base::Ref<StoredResponse> decode_response(std::string_view value, const Key& key,
                                          const RunClock& now) {
  Reader reader(value, Form::Response);
  const auto head = reader.get<Head>();
  const auto since = received_at(head, now);
  if (reader.is_broken() || !since) return {};
  StoredResponse::Restored parts;
  parts.key = key;
  parts.key.distribution = reader.text();
  parts.key.path = reader.text();
  parts.key.behavior = reader.text();
  std::vector<http::Field> fields;
  for (std::uint32_t i = 0; i < head.fields && !reader.is_broken(); ++i) {
    const std::string_view name = reader.text();
    fields.push_back({name, reader.text()});
  }
  for (std::uint8_t i = 0; i < head.codings && !reader.is_broken(); ++i) {
    const auto coding = reader.get<http::Coding>();
    if (coding >= http::Coding::Identity) return {};
    parts.encodings.push_back({coding, Body::of(reader.text())});
  }
  const bool in_slices = (head.flags & kSliced) != 0;
  // A slice that an older release has stored does not say of how much it is one.
  if (in_slices || head.sliced_length != 0)
    parts.sliced = Sliced{.id = head.sliced_id, .length = head.sliced_length};
  if (!in_slices) parts.body = Body::of(reader.text());
  if (!reader.is_whole()) return {};
  parts.status = head.status;
  parts.fields = fields;
  parts.stamp = {.epoch = head.epoch, .generation = head.generation, .changes = head.changes};
  parts.validated_epoch = head.validated_epoch;
  parts.received_at = *since;
  parts.received_wall = base::WallTime(Duration(head.received_wall));
  parts.initial_age = Duration(head.initial_age);
  parts.is_slice = (head.flags & kSlice) != 0;
  parts.outdated = (head.flags & kOutdated) != 0;
  return StoredResponse::restored(std::move(parts));
}

std::optional<StoredUri> decode_uri(std::string_view value) {
  Reader reader(value, Form::Response);
  static_cast<void>(reader.get<Head>());
  StoredUri uri;
  uri.distribution = reader.text();
  uri.path = reader.text();
  if (reader.is_broken()) return std::nullopt;
  return uri;
}

std::string encode_variants(const std::vector<std::string>& names) {
  Writer writer(Form::Variants);
  writer.put(static_cast<std::uint32_t>(names.size()));
  for (const std::string& name : names) writer.text(name);
  return writer.take();
}

std::optional<std::vector<std::string>> decode_variants(std::string_view value) {
  Reader reader(value, Form::Variants);
  std::vector<std::string> names;
  const auto count = reader.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !reader.is_broken(); ++i)
    names.emplace_back(reader.text());
  if (!reader.is_whole()) return std::nullopt;
  return names;
}

}  // namespace headgate::cache
