// SPDX-License-Identifier: MIT
// The octets of a response: written once by one producer, read by any number of readers on any loop
// while it still grows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/base/mutex.h"
#include "appliance/base/ref.h"
#include "appliance/base/unique_function.h"
#include "appliance/cache/account.h"

namespace headgate::cache {

/// Life: Growing → Complete | Failed. Once Complete a body never changes and is read without a
/// lock.
///
/// Keep::All keeps every octet (what will be stored). Keep::Window keeps only what some reader has
/// still to take, at most kWindow octets, and asks the producer to pause beyond that: a response
/// that is not stored costs bounded memory, however slow its reader. A body may go from All to
/// Window once (too large to store after all), never back; readers that come after octets have been
/// dropped cannot attach.
///
/// A body that a StoredResponse has in its own block of memory is Complete from the beginning, and
/// keeps that block (response.h).
///
/// Threads: append/finish/fail on the producer's loop; BodyReader on the reader's loop; the rest
/// from any.
class Body final : public base::RefCounted<Body> {
 public:
  enum class Keep { All, Window };
  static constexpr std::size_t kWindow = 128 * 1024;

  /// `expected_length`: from Content-Length; a hint for allocation, the producer checks it.
  explicit Body(Keep keep, std::optional<std::uint64_t> expected_length = std::nullopt);

  /// A complete body, for error pages and tests.
  static base::Ref<Body> of(std::string_view octets);

  // Producer.
  /// Called on `loop` when a paused producer may go on, or when the last reader of a Window body
  /// has gone (`abandoned`): then the producer should stop. Set before the first append; cleared by
  /// finish, fail and `detach_producer`. A Window body that never had a reader is not abandoned:
  /// somebody may be on the way to it.
  void set_producer(base::Loop& loop, base::UniqueFunction<void(bool abandoned)> on_demand);
  void detach_producer();
  /// False: pause until `on_demand`; the octets have been taken all the same.
  [[nodiscard]] bool append(std::string_view octets);
  void finish();
  /// Readers get what has come and then Failed.
  void fail();
  /// Nothing happens unless the body is still Growing.
  void switch_to_window();
  /// For a producer that has been paused for too long: readers that have more than half a window
  /// still to take are left behind, and read Failed, when another one has less. Whoever is slow
  /// slows nobody for ever.
  void leave_slow_readers_behind();

  // Anyone.
  bool complete() const;
  bool failed() const;
  /// Octets so far; the length once complete.
  std::uint64_t size() const;
  /// Octets that are kept.
  std::uint64_t kept_bytes() const;
  std::optional<std::uint64_t> expected_length() const;
  /// The whole of a complete body that lies in one piece, as small ones do; the fast way to send a
  /// hit. Null otherwise.
  std::optional<std::string_view> contiguous() const;
  /// Whether both are the same content, however often it was copied.
  bool is(const Body& other) const { return id() == other.id(); }
  /// Whether a reader ever attached while it grew.
  bool was_read() const;
  /// Whether every octet is kept, so that readers may begin anywhere.
  bool keeps_all() const;
  /// Complete, and every octet kept.
  bool storable() const;
  /// All octets of a body that is `storable`.
  void append_to(std::string& out) const;
  /// Octets of memory, spare room and book-keeping included.
  std::uint64_t memory_bytes() const;
  /// Counts this body's memory in `account` until the body ends; the first call counts.
  void charge_to(const base::Ref<MemoryAccount>& account) const;

  /// For RefCounted.
  void end_of_life() const;

 private:
  friend class BodyReader;
  friend class StoredResponse;
  struct State;
  struct InBlock {};
  static constexpr std::uint16_t kNotInBlock = UINT16_MAX;

  /// A copy of `from`, which is storable, into the `from.size()` octets of memory behind this; so
  /// many units of eight octets before it the block begins.
  Body(InBlock, const Body& from, std::uint16_t units_before);
  ~Body();
  bool in_block() const { return size_in_block_ != kNotInBlock; }
  std::string_view octets_in_block() const {
    return {reinterpret_cast<const char*>(this + 1), size_in_block_};
  }
  std::uint64_t id() const;
  /// Of one that is storable.
  template <class Use>
  void each_piece(Use use) const;

  const char* block() const {
    return reinterpret_cast<const char*>(this) - std::size_t{units_before_} * 8;
  }

  const std::uint16_t size_in_block_;
  const std::uint16_t units_before_ = 0;
  union {
    State* state_;      ///< see body.cc
    std::uint64_t id_;  ///< in_block
  };
};

/// One reader's place in a Body, for octets [first, last].
/// Threads: its loop's.
class BodyReader {
 public:
  enum class Status { Data, Wait, End, Failed };

  /// `on_ready` is called on `loop` after `read` returned Wait and there is something to read
  /// again; never from inside `read`. Octets before `first` may wake it too: then `read` says Wait
  /// again.
  BodyReader(base::Ref<Body> body, base::Loop& loop, base::UniqueFunction<void()> on_ready,
             std::uint64_t first = 0, std::uint64_t end = UINT64_MAX);
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  /// False when octets from `first` on had already been dropped; `read` then says Failed. Ask
  /// before a head is sent.
  bool attached() const { return attached_; }

  /// Appends at most `max_octets` in at most `max_slices` pieces to `slices`; they stay valid until
  /// the next `read` or the reader's end. Data: some were added, more may follow. End: nothing was
  /// added and nothing follows (also when `end` was reached). Failed comes after all octets that
  /// had arrived before the failure. `last` says whether, with Data, these are known to be the last
  /// octets.
  Status read(std::size_t max_octets, std::size_t max_slices, std::vector<std::string_view>& slices,
              bool& last);
  /// As long as this is held, what `read` has returned stays, whatever is read next. Null for a
  /// reader that came while the body grew: finishing it may move octets (`Body::finish`).
  base::Ref<Body> keeper() const { return lasting_ ? body_ : base::Ref<Body>(); }

 private:
  friend struct Body::State;
  struct Place;  ///< in a body that was not complete when the reader came

  Status read_growing(std::size_t max_octets, std::size_t max_slices,
                      std::vector<std::string_view>& slices, bool& last);

  base::Ref<Body> body_;
  std::uint64_t next_;
  const std::uint64_t end_;
  bool attached_ = true;
  bool lasting_ = false;  ///< the body was storable when the reader came
  std::unique_ptr<Place> place_;
};

}  // namespace headgate::cache
