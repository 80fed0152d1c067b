// SPDX-License-Identifier: MIT
// Reads a response that is stored in slices: those that are there from the store, the others from
// the origin, a little ahead of its reader.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "appliance/base/timer_heap.h"
#include "appliance/server/transfer/slices/slice_job.h"

namespace headgate::server {

/// One viewer's place in it. A slice that is missing is fetched once for all who miss it. At most
/// three slices are held; while slow readers pin too much of the cache's memory
/// (Store::accepts_fills), 128 KiB of one.
/// Threads: its loop's.
class SliceReader {
 public:
  using Status = cache::BodyReader::Status;

  SliceReader(FetchContext context, std::shared_ptr<const SlicedObject> object);
  ~SliceReader();
  SliceReader(const SliceReader&) = delete;
  SliceReader& operator=(const SliceReader&) = delete;

  /// From now on for octets [first, end) of the whole, which are not none. Nothing happens when it
  /// is there already.
  void seek(std::uint64_t first, std::uint64_t end);
  /// `on_ready` is called when it has become `ready`, or after `read` returned Wait; never from
  /// inside `seek` or `read`. It may destroy this.
  void set_on_ready(base::UniqueFunction<void()> on_ready) {
    on_ready_ = std::make_shared<base::UniqueFunction<void()>>(std::move(on_ready));
  }

  /// Whether the present slice is there, is coming, or cannot be had.
  bool ready() const { return reader_ || failure_; }
  /// Why it cannot.
  const std::optional<cache::FillFailure>& failure() const { return failure_; }
  /// Whether the slice that `seek` has come to was in the store, or on its disk. Once `ready`.
  bool was_stored() const { return was_stored_; }

  /// As BodyReader::read.
  Status read(std::size_t max_octets, std::size_t max_slices, std::vector<std::string_view>& slices,
              bool& last);
  /// As long as this is held, what `read` has returned last stays. Null: only until the next call.
  base::Ref<cache::Body> keeper() const;

 private:
  struct Ahead {
    std::uint64_t index;
    base::Ref<cache::Fill> fill;
  };

  void open();
  void fetch();
  void fetch_alone();
  void look_ahead();
  base::Ref<cache::Fill> take_ahead();
  void wait_for(base::Ref<cache::Fill> fill);
  void settle();
  void attach(const base::Ref<cache::Body>& body);
  bool try_again();
  void end_own();
  void notify();

  FetchContext context_;
  const std::shared_ptr<const SlicedObject> object_;
  std::shared_ptr<base::UniqueFunction<void()>> on_ready_;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;

  // The present slice.
  std::uint64_t index_ = 0;
  bool was_stored_ = false;
  bool asked_ahead_ = false;
  bool tried_again_ = false;
  base::Ref<cache::Fill> fill_;
  bool alone_ = false;           ///< the fill serves nobody else
  std::weak_ptr<SliceJob> own_;  ///< its job
  std::optional<cache::Fill::Waiter> waiter_;
  base::Timer wait_timer_;
  std::optional<cache::BodyReader> reader_;
  std::optional<cache::FillFailure> failure_;

  std::vector<Ahead> ahead_;  ///< of slices that will be wanted next
};

}  // namespace headgate::server
