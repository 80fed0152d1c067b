// SPDX-License-Identifier: MIT
// A response of an origin as the cache keeps it: immutable, shared by every worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/base/ref.h"
#include "appliance/base/time.h"
#include "appliance/cache/body.h"
#include "appliance/cache/commons.h"
#include "appliance/cache/packed/fields.h"
#include "appliance/cache/packed/head_record.h"
#include "appliance/cache/packed/scope.h"
#include "appliance/cache/purge/tags.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/store/place.h"
#include "appliance/http/accept_encoding.h"
#include "appliance/http/caching.h"
#include "appliance/http/field.h"

namespace headgate::cache {

/// Under what a fetch was begun: those of the Snapshot that it pinned, never those of the time of
/// storing (config.md section 3).
struct Stamp {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  std::uint64_t changes = 0;  ///< UriInvalidations::count()
};

/// Names a stored response: `text` is the canonical key (always compared; the hash alone is never
/// trusted); the rest is what invalidations select by: `path` with the query that is in the key,
/// `host` as the viewer sent it (lower case, without port; empty when the key has none, so that
/// hosts share the response), the path pattern of the `behavior`.
struct Key {
  base::Hash128 hash;
  std::string_view text;
  std::string_view distribution;
  std::string_view path;
  std::string_view host = {};
  std::string_view behavior = {};
};

/// A stored response's content in a content coding that the edge has made of it.
struct EncodedBody {
  http::Coding coding = http::Coding::Identity;
  base::Ref<Body> body;
};

/// The content of a response that is too large to be stored in one piece: in slices, each a stored
/// response of its own. `id` is random, so that those of two versions never meet.
struct Sliced {
  std::uint64_t id = 0;
  std::uint64_t length = 0;  ///< octets of the whole content
};

/// One block of memory: the object, then `encodings`, tags, what is kept of the fetch, key and
/// fields; after these the body, in what `stored_form` makes. Nothing else is allocated for a
/// small response, and 10 million of them are the measure of what is packed how
/// (`ninja memory_bench`).
///
/// Threads: immutable after construction but for its bodies' growth, what purges note, the claims,
/// and its place in a Store, which is that one's alone.
class StoredResponse final : private StorePlace, public base::RefCounted<StoredResponse> {
 public:
  /// `fields` are end-to-end: hop-by-hop ones, those that Connection names and Age are already
  /// gone.
  static base::Ref<StoredResponse> make(const Key& key, int status, http::Fields fields,
                                        base::Ref<Body> body, Stamp stamp,
                                        base::MonoTime requested_at, base::MonoTime received_at,
                                        base::WallTime received_wall, Duration initial_age);
  /// The same response with its content in slices, instead of a body.
  static base::Ref<StoredResponse> in_slices(const StoredResponse& response, Sliced sliced);
  /// One slice of `whole`, which is `in_slices`: purges select it as they select `whole`. Without
  /// Vary: its key names one version of one variant.
  static base::Ref<StoredResponse> slice(const StoredResponse& whole, const Key& key,
                                         base::Ref<Body> body, Stamp stamp,
                                         base::MonoTime received_at, base::WallTime received_wall);
  /// The same response after a 304: fields of `update` replace those of `old` (RFC 9111
  /// section 3.2) but for those that describe the stored octets: Content-Length, Content-Encoding,
  /// Content-Range, an ETag of another representation. The body is shared.
  static base::Ref<StoredResponse> refreshed(const StoredResponse& old, http::Fields update,
                                             Stamp stamp, base::MonoTime requested_at,
                                             base::MonoTime received_at,
                                             base::WallTime received_wall, Duration initial_age);

  /// What was stored before, perhaps by another process.
  struct Restored {
    Key key;
    int status = 0;
    http::Fields fields;
    base::Ref<Body> body;
    std::vector<EncodedBody> encodings;
    std::optional<Sliced> sliced;
    Stamp stamp;
    std::uint64_t validated_epoch = 0;
    base::MonoTime received_at;
    base::WallTime received_wall;
    Duration initial_age = Duration::zero();
    bool is_slice = false;
    bool outdated = false;
  };
  static base::Ref<StoredResponse> restored(Restored parts);

  /// A copy for a Store, without the fields that its no-cache="…" and private="…" name (RFC 9111
  /// sections 5.2.2.4, 5.2.2.7). A small body, which must be storable, is copied into the
  /// response's own block; as content it is the same (Body::is). `commons`: of that Store; what is
  /// made of the copy shares them, too.
  static base::Ref<StoredResponse> stored_form(const StoredResponse& response,
                                               const base::Ref<Commons>& commons);

  /// The same response with `encodings` beside its body. It varies by Accept-Encoding no more: any
  /// request may have it, the edge chooses the form. They are found, purged, refreshed and evicted
  /// with it.
  static base::Ref<StoredResponse> with_encodings(const StoredResponse& response,
                                                  std::vector<EncodedBody> encodings);

  int status() const { return status_; }
  /// Unpacked for each call.
  FieldList fields() const;
  /// Null counts as empty, but for a response in slices.
  const base::Ref<Body>& body() const { return body_; }
  std::optional<Sliced> sliced() const;
  /// A part of another response: that one counts, not this.
  bool is_slice() const { return has(kSlice); }
  /// That response's; nothing for what is no slice, or was stored before this was known.
  std::optional<Sliced> slice_of() const;
  /// Whether `other` is this response as it was before a 304, or after it.
  bool has_content_of(const StoredResponse& other) const;
  /// May still grow, or have failed.
  std::span<const EncodedBody> encodings() const { return {encodings_begin(), encodings_}; }
  /// Whether the caller is the first who thinks of encoding it. One that has had encodings made,
  /// useful or not, was thought of.
  bool claim_encoding() const { return !note(kEncodingClaimed); }
  void release_encoding() const { notes_.fetch_and(static_cast<std::uint8_t>(~kEncodingClaimed)); }
  /// Whether it was read from the disk.
  bool came_from_disk() const { return has(kFromDisk); }
  /// Whether the caller is the first who thinks of writing it there. What came from there was
  /// thought of, and so was what differs from such by a 304 only.
  bool claim_disk() const { return !disk_claimed() && !note(kDiskClaimed); }
  bool disk_claimed() const { return noted(kDiskClaimed); }
  void release_disk() const { notes_.fetch_and(static_cast<std::uint8_t>(~kDiskClaimed)); }
  http::CacheDirectives directives() const { return get_directives(record_begin()); }
  Stamp stamp() const;
  bool has_key(std::string_view text) const;
  /// Of a response in the same Store.
  bool has_key_of(const StoredResponse& other) const;
  std::string key_text() const;
  std::string_view distribution() const;
  std::string_view path() const;
  std::uint64_t uri() const { return uri_hash(distribution(), path()); }
  /// Whether an unsafe method has changed its URI since its fetch began.
  bool is_changed(const UriInvalidations& changes) const;
  base::MonoTime received_at() const { return born_at_ + record().initial_age; }
  /// When it came, or was last confirmed.
  base::WallTime received_wall() const;
  TagSet tags() const;
  /// label_hash of the key's host (0: none) and behavior.
  std::uint64_t host_label() const;
  std::uint64_t behavior_label() const;

  /// RFC 9111 section 4.2.3.
  Duration current_age(base::MonoTime now) const { return now - born_at_; }
  /// Octets of memory without the body, as allocated.
  std::size_t head_size_bytes() const;
  /// Of head, body and the encodings that are complete.
  std::uint64_t memory_bytes() const;
  /// Counts that memory among the pinned of its Store for as long as it lives. Once, before others
  /// have it.
  void count_memory();

  /// The highest epoch against which this response is known to be valid; a cache of the purge
  /// look-up.
  std::uint64_t validated_epoch() const { return validated_epoch_.load(std::memory_order_relaxed); }
  void set_validated_epoch(std::uint64_t epoch) const {
    validated_epoch_.store(epoch, std::memory_order_relaxed);
  }
  /// A soft purge has hit it whose rule is gone: it must be revalidated, whatever rules say.
  bool outdated() const { return noted(kOutdated); }
  void set_outdated() const { note(kOutdated); }
  /// Up to which epoch rules have counted it; returns what that was before.
  std::uint64_t raise_counted_epoch(std::uint64_t epoch) const;
  /// What purges have noted on `other`, of which this is a copy with the same stamp.
  void inherit_notes(const StoredResponse& other) const;

  /// For RefCounted.
  void end_of_life() const;

 private:
  friend class Body;
  friend class Shard;
  struct Parts;
  struct KeyPieces;
  enum Flag : std::uint8_t {
    kFromDisk = 1,
    kSlice = 2,
    kSliced = 4,
    kBodyInBlock = 8,
    kCounted = 16
  };
  enum Note : std::uint8_t { kOutdated = 1, kEncodingClaimed = 2, kDiskClaimed = 4 };

  explicit StoredResponse(const Parts& parts);
  ~StoredResponse();
  static base::Ref<StoredResponse> make(const Parts& parts);
  Parts parts() const;
  std::optional<Sliced> kept_sliced() const;
  KeyPieces key_pieces() const;
  Scope scope(SharedTexts::Number number) const;
  void give_back_texts();
  /// The block goes with the body that lies in it.
  static void end_block_of(const Body& body);
  static std::uint64_t block_bytes_of(const Body& body);

  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  bool noted(Note bit) const { return (notes_.load(std::memory_order_relaxed) & bit) != 0; }
  /// What it was.
  bool note(Note bit) const { return (notes_.fetch_or(bit) & bit) != 0; }
  const char* after() const { return reinterpret_cast<const char*>(this + 1); }
  const EncodedBody* encodings_begin() const {
    return reinterpret_cast<const EncodedBody*>(after());
  }
  const char* tags_begin() const { return after() + encodings_ * sizeof(EncodedBody); }
  const char* record_begin() const { return tags_begin() + TagSet::stored_bytes(tags_); }
  const char* texts() const { return record_begin() + record_size_; }
  HeadRecord record() const { return get_record(record_begin()); }
  std::size_t block_bytes() const;

  // In an order without holes: there are millions of these.
  std::uint16_t status_;
  std::uint8_t flags_;
  mutable std::atomic<std::uint8_t> notes_;
  std::uint8_t encodings_;  ///< their number
  std::uint8_t tags_;       ///< TagSet::stored_count
  std::uint8_t record_size_;
  /// Above the stamp's.
  mutable std::atomic<std::uint32_t> counted_epochs_;
  mutable std::atomic<std::uint64_t> validated_epoch_;
  base::MonoTime born_at_;  ///< less the age that it had
  base::Ref<Body> body_;
  base::Ref<Commons> commons_;  ///< null for one that is in no Store
};
static_assert(sizeof(StoredResponse) == 88);

}  // namespace headgate::cache
