// SPDX-License-Identifier: MIT
// The log of regions on one device: records are appended, found by an index in memory, and go with
// the oldest region.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/disk/device.h"
#include "appliance/cache/disk/format.h"
#include "appliance/cache/disk/index.h"

namespace headgate::cache::disk {

/// What was stored under a key, and how old its question is (cache::Stamp).
struct Record {
  std::string value;
  std::uint64_t epoch = 0;
};

struct LogStats {
  std::uint64_t records = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t appended_bytes = 0;    ///< as records, with their padding; without what goes around
  std::uint64_t reinserted_bytes = 0;  ///< of records that got another round
  std::uint64_t written_bytes = 0;     ///< all that went to the device
  std::uint64_t damaged = 0;           ///< records that were not what the index said
  std::uint64_t errors = 0;            ///< of the device
};

/// ```
/// open ─▶ nothing is found, nothing stored; removals are remembered
///      ─ recover: headers read ─▶ appends; what has been read so far is found
///                 all read     ─▶ everything is found
///      ─ too many errors        ─▶ off: nothing is found or stored, `off_because` tells why
/// ```
/// A value is found after `flush`, at the latest when 4 MiB are waiting. Anything doubtful is a
/// miss. Threads: any; reads do not wait for writes. All block on the device, but for `contains`,
/// `want`, `take` and `forget`.
class Log {
 public:
  struct Options {
    std::uint64_t region_bytes = std::uint64_t{64} << 20;
    std::uint64_t buffer_bytes = std::uint64_t{4} << 20;
    std::uint64_t max_errors = 8;
    /// Whose purges hold for what is stored: what belongs to another ledger is foreign.
    std::uint64_t ledger_id = 0;
    /// Whether a value that was used may go around once more; null: any may. Of the log it may ask
    /// only `contains`.
    std::function<bool(const Log& log, std::string_view value)> may_go_around = {};
  };

  /// What is on the device stays if its geometry and ledger are those of `options`; otherwise it is
  /// formatted. Fails when the device is too small or cannot be read or written.
  static Result<std::unique_ptr<Log>> open(Device& device, const Options& options);
  ~Log();

  /// Once, and off the request path: reads headers and footers. Errors of the device count as
  /// usual; what cannot be read is not found.
  void recover();
  /// Where `recover` stops, as soon as it sees it.
  void stop();

  /// The key's latest value.
  std::optional<Record> read(std::string_view key);
  /// The same for who reads the device in another way: `want` tells which octets to read, `take`
  /// what they are.
  struct Wanted {
    std::uint64_t offset = 0;  ///< of the device; this and `bytes` are multiples of a block
    std::uint64_t bytes = 0;
    std::uint64_t hash = 0;
    std::uint64_t life = 0;
    Place place;
  };
  std::optional<Wanted> want(std::string_view key);
  std::optional<Record> take(const Wanted& wanted, std::string_view key, Status read,
                             std::string_view octets);
  /// Whether `read` may find something.
  bool contains(std::string_view key) const;
  /// Not found any more until it is appended again, or the next start.
  void forget(std::string_view key);
  /// Whether it will be there. Not so: larger than `max_value_bytes`, off, not yet recovered.
  bool append(std::string_view key, std::string_view value, std::uint64_t epoch);
  /// Never comes back, from when this returns on: also not after the process was killed, unless
  /// the device fails; not after the machine was, once `sync` has returned.
  void remove(std::string_view key);
  void flush();
  void sync();

  std::uint64_t max_value_bytes() const;
  /// How often this device was opened since it was formatted, this time included.
  std::uint32_t runs() const { return superblock_.runs; }
  bool recovered() const { return !recovering_; }
  /// No record is older; 0 while that is not known.
  std::uint64_t oldest_epoch() const;
  /// Empty while it works.
  std::string off_because() const;
  LogStats stats() const;

 private:
  struct Region {
    std::atomic<std::uint64_t> sequence{0};      ///< 0: empty, or not known yet
    std::atomic<std::uint64_t> life{0};          ///< RegionHeader
    std::atomic<std::uint64_t> oldest_epoch{0};  ///< UINT64_MAX: has no record
  };
  struct Pending {
    std::uint64_t hash = 0;
    Place place;
    bool is_value = false;
  };

  Log(Device& device, const Options& options, const Superblock& superblock);

  std::uint64_t hash_of(std::string_view key) const;
  std::uint64_t region_offset(std::uint32_t region) const;
  bool is_off() const { return off_.load(std::memory_order_relaxed); }
  void note_error(const Error& error);
  bool checked(Status status);

  bool read_headers();
  void recover_region(std::uint32_t region);
  /// Nothing when it was not sealed, or is damaged. `oldest_epoch` is set with it.
  std::optional<std::vector<FooterEntry>> read_footer(std::uint32_t region,
                                                      std::uint64_t& oldest_epoch);
  std::vector<FooterEntry> walk(std::uint32_t region, std::uint64_t& oldest_epoch);
  Wanted wanted_at(const Place& place, std::uint64_t hash) const;
  std::optional<Record> read_wanted(const Wanted& wanted, std::string_view key,
                                    std::string* found_key = nullptr);
  std::optional<Record> take_verified(const Wanted& wanted, std::string_view key,
                                      std::string_view octets, std::string* found_key);

  bool append_locked(RecordKind kind, std::string_view key, std::string_view value,
                     std::uint64_t epoch) REQUIRES(mutex_);
  bool flush_locked() REQUIRES(mutex_);
  bool write_locked(std::uint64_t offset, std::string_view blocks) REQUIRES(mutex_);
  void publish_locked() REQUIRES(mutex_);
  void abandon_region_locked() REQUIRES(mutex_);
  void seal_locked() REQUIRES(mutex_);
  bool open_region_locked() REQUIRES(mutex_);
  struct Survivor {
    std::string key;
    Record record;
  };
  std::vector<Survivor> reclaim_locked(std::uint32_t region) REQUIRES(mutex_);

  Device& device_;
  const Options options_;
  const Superblock superblock_;
  Index index_;
  const std::unique_ptr<Region[]> regions_;
  std::atomic<bool> headers_known_{false};
  std::atomic<bool> recovering_{true};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> off_{false};

  mutable base::Mutex mutex_;  ///< of who writes
  std::vector<std::string> early_removals_ GUARDED_BY(mutex_);
  std::optional<std::uint32_t> open_ GUARDED_BY(mutex_);  ///< the region that is written
  std::uint64_t last_sequence_ GUARDED_BY(mutex_) = 0;
  std::string buffer_ GUARDED_BY(mutex_);         ///< of the open region, from `flushed_` on
  std::uint64_t flushed_ GUARDED_BY(mutex_) = 0;  ///< within the region, a multiple of a block
  std::uint64_t written_ GUARDED_BY(mutex_) = 0;  ///< within the region: what the device has
  std::vector<Pending> pending_ GUARDED_BY(mutex_);
  std::vector<FooterEntry> footer_ GUARDED_BY(mutex_);

  std::atomic<std::uint64_t> appended_bytes_{0};
  std::atomic<std::uint64_t> reinserted_bytes_{0};
  std::atomic<std::uint64_t> written_bytes_{0};
  std::atomic<std::uint64_t> damaged_{0};
  std::atomic<std::uint64_t> errors_{0};
  mutable base::Mutex reason_mutex_;  ///< after `mutex_`
  std::string reason_ GUARDED_BY(reason_mutex_);
};

}  // namespace headgate::cache::disk
