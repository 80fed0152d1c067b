// SPDX-License-Identifier: MIT
// A response of an origin as the cache keeps it: immutable, shared by every worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/base/ref.h"
#include "appliance/base/time.h"
#include "appliance/cache/account.h"
#include "appliance/cache/body.h"
#include "appliance/cache/packed_directives.h"
#include "appliance/cache/purge/tags.h"
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

/// Threads: immutable after construction but for its bodies' growth, what purges note, and the
/// claim.
class StoredResponse final : public base::RefCounted<StoredResponse> {
 public:
  /// `fields` are end-to-end: hop-by-hop ones, those that Connection names and Age are already
  /// gone.
  StoredResponse(const Key& key, int status, http::Fields fields, base::Ref<Body> body, Stamp stamp,
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

  /// What may be stored of `response`: itself, or a copy without the fields that its
  /// no-cache="…" and private="…" name (RFC 9111 sections 5.2.2.4, 5.2.2.7).
  static base::Ref<StoredResponse> storable_part(const base::Ref<StoredResponse>& response);

  /// The same response with `encodings` beside its body. It varies by Accept-Encoding no more: any
  /// request may have it, the edge chooses the form. They are found, purged, refreshed and evicted
  /// with it.
  static base::Ref<StoredResponse> with_encodings(const StoredResponse& response,
                                                  std::vector<EncodedBody> encodings);

  int status() const { return status_; }
  http::Fields fields() const { return fields_.fields(); }
  /// Null counts as empty, but for a response in slices.
  const base::Ref<Body>& body() const { return body_; }
  const std::optional<Sliced>& sliced() const { return sliced_; }
  /// A part of another response: that one counts, not this.
  bool is_slice() const { return is_slice_; }
  /// Whether `other` is this response as it was before a 304, or after it.
  bool has_content_of(const StoredResponse& other) const;
  /// May still grow, or have failed.
  const std::vector<EncodedBody>& encodings() const { return encodings_; }
  /// Whether the caller is the first who thinks of encoding it. One that has had encodings made,
  /// useful or not, was thought of.
  bool claim_encoding() const { return !encoding_claimed_.exchange(true); }
  void release_encoding() const { encoding_claimed_.store(false); }
  /// Whether it was read from the disk.
  bool came_from_disk() const { return came_from_disk_; }
  /// Whether the caller is the first who thinks of writing it there. What came from there was
  /// thought of, and so was what differs from such by a 304 only.
  bool claim_disk() const {
    return !disk_claimed_.load(std::memory_order_relaxed) && !disk_claimed_.exchange(true);
  }
  bool disk_claimed() const { return disk_claimed_.load(std::memory_order_relaxed); }
  void release_disk() const { disk_claimed_.store(false); }
  http::CacheDirectives directives() const { return directives_.get(); }
  Stamp stamp() const { return stamp_; }
  std::string_view key_text() const { return {text_.get(), key_size_}; }
  std::string_view distribution() const { return {text_.get() + key_size_, distribution_size_}; }
  std::string_view path() const {
    return {text_.get() + key_size_ + distribution_size_, path_size_};
  }
  std::uint64_t uri() const { return uri_; }  ///< uri_hash of distribution and path
  base::MonoTime received_at() const { return received_at_; }
  /// When it came, or was last confirmed.
  base::WallTime received_wall() const { return received_wall_; }
  const TagSet& tags() const { return tags_; }
  /// label_hash of the key's host (0: none) and behavior.
  std::uint64_t host_label() const { return host_label_; }
  std::uint64_t behavior_label() const { return behavior_label_; }

  /// RFC 9111 section 4.2.3.
  Duration current_age(base::MonoTime now) const { return initial_age_ + (now - received_at_); }
  /// Octets of memory without the body.
  std::size_t head_size_bytes() const;
  /// Of head, body and the encodings that are complete.
  std::uint64_t memory_bytes() const;
  /// Counts that memory in `account` for as long as it lives; the first call counts.
  void charge_to(const base::Ref<MemoryAccount>& account) const;

  /// The highest epoch against which this response is known to be valid; a cache of the purge
  /// look-up.
  std::uint64_t validated_epoch() const { return validated_epoch_.load(std::memory_order_relaxed); }
  void set_validated_epoch(std::uint64_t epoch) const {
    validated_epoch_.store(epoch, std::memory_order_relaxed);
  }
  /// A soft purge has hit it whose rule is gone: it must be revalidated, whatever rules say.
  bool outdated() const { return outdated_.load(std::memory_order_relaxed); }
  void set_outdated() const { outdated_.store(true, std::memory_order_relaxed); }
  /// Up to which epoch rules have counted it; returns what that was before.
  std::uint64_t raise_counted_epoch(std::uint64_t epoch) const;
  /// What purges have noted on `other`, of which this is a copy with the same stamp.
  void inherit_notes(const StoredResponse& other) const;

 private:
  struct Labels {
    std::uint64_t host = 0;
    std::uint64_t behavior = 0;
  };
  StoredResponse(const Key& key, Labels labels, int status, http::Fields fields,
                 base::Ref<Body> body, Stamp stamp, base::MonoTime requested_at,
                 base::MonoTime received_at, base::WallTime received_wall, Duration initial_age);
  /// The same with other fields and content, and with nothing of what was noted on it.
  base::Ref<StoredResponse> with(http::Fields fields, base::Ref<Body> body) const;

  // In an order without holes: there are millions of these.
  int status_;
  PackedDirectives directives_;
  mutable std::atomic<bool> encoding_claimed_{false};
  mutable std::atomic<bool> outdated_{false};
  mutable std::atomic<bool> disk_claimed_{false};
  bool came_from_disk_ = false;
  bool is_slice_ = false;
  http::FieldBlock fields_;
  base::Ref<Body> body_;
  std::optional<Sliced> sliced_;
  std::vector<EncodedBody> encodings_;
  Stamp stamp_;
  base::MonoTime requested_at_;
  base::MonoTime received_at_;
  base::WallTime received_wall_;
  Duration initial_age_;
  std::uint32_t key_size_;
  std::uint32_t distribution_size_;
  std::uint32_t path_size_;
  std::unique_ptr<char[]> text_;  ///< key, distribution and path
  std::uint64_t uri_;
  std::uint64_t host_label_;
  std::uint64_t behavior_label_;
  TagSet tags_;
  mutable std::atomic<std::uint64_t> validated_epoch_;
  mutable std::atomic<std::uint64_t> counted_epoch_{0};
  mutable Charge charge_;
};

}  // namespace headgate::cache
