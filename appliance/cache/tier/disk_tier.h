// SPDX-License-Identifier: MIT
// The tier behind the memory: stored responses on a disk, found again after any end of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "appliance/base/loop.h"
#include "appliance/base/unique_function.h"
#include "appliance/cache/disk/encrypted/encrypted_device.h"
#include "appliance/cache/disk/file_device.h"
#include "appliance/cache/disk/log.h"
#include "appliance/cache/disk/reads/reads.h"
#include "appliance/cache/purge/uri_invalidation.h"
#include "appliance/cache/response.h"
#include "appliance/cache/tier/disk_writer.h"
#include "appliance/http/field.h"

namespace headgate::cache {

/// Since the start; a consistent enough picture for metrics.
struct DiskTierStats {
  disk::LogStats log;
  DiskWriter::Stats writer;
  std::string_view reads_by;  ///< disk::Reads::name
  bool direct = false;        ///< disk::FileDevice::is_direct
  std::uint64_t size_bytes = 0;
  std::uint64_t hits = 0;     ///< reads that found what they were for
  std::uint64_t misses = 0;   ///< those that did not
  std::uint64_t refused = 0;  ///< those that were not begun: too many were waiting
  std::uint64_t read_bytes = 0;
  bool recovered = false;
  double recovery_seconds = 0;  ///< once it is recovered
  std::string off_because;      ///< empty while it works
};

/// ```
/// open ─▶ start: found is what recovery has come to ─▶ all is found
///       ─ too many errors ─▶ off: nothing is found or written any more, Options::on_off is called
///       ─ give_up ─────────▶ the same without the call: another process may have it
/// ```
/// Purges hold here by their rules alone: whoever finds a response asks the PurgeTable, and a rule
/// stays until nothing here is older (`settle`). So the disk belongs to one ledger; Options names
/// it, and what another has left is not used. What unsafe methods change is marked on the disk, for
/// later runs.
/// Threads: open, start and stop from one; the rest from any, and none waits for the device.
class DiskTier {
 public:
  struct Options {
    std::string path;  ///< of a file, which is made, or of a block device
    std::uint64_t size_bytes = 0;
    std::uint64_t ledger_id = 0;
    std::optional<disk::BlockCipher> cipher = {};      ///< null: what is stored lies there in clear
    std::function<void(const std::string& line)> log;  ///< for the operator
    /// What the disk holds may be out of date from now on: the next process must come with another
    /// ledger_id. Threads: the tier's own.
    std::function<void(const std::string& because)> on_off;
  };
  static Result<std::unique_ptr<DiskTier>> open(Options options);
  ~DiskTier();

  /// Changes that runs before this one have counted are below.
  std::uint64_t first_change() const { return std::uint64_t{log_->runs()} << 40; }
  /// `changes` starts at `first_change`, and lives as long as this.
  void start(const UriInvalidations& changes);
  /// Writes what waits. Loops must not have ended before; nothing is answered any more.
  void stop();

  /// Writes what waits. From now on nothing is found or written. Before the loops end.
  void give_up();

  /// Whether `find` may find something; no I/O.
  bool may_have(const Key& key) const;
  struct Found {
    base::Ref<StoredResponse> response;  ///< null: none
    bool changed = false;                ///< by an unsafe method since: must be revalidated
  };
  using Done = base::UniqueFunction<void(Found found)>;
  /// Fresh or stale, purged or not: the caller's to find out. `done` is called on `loop`, never
  /// from inside, unless either ends before.
  void find(const Key& key, http::Fields request, base::Loop& loop, Done done);
  /// Writes it behind the caller, unless somebody has had it written already.
  void offer(const Key& key, http::Fields request, const base::Ref<StoredResponse>& response);
  /// What `request` would have found is void, as `response` has come since.
  void supersede(const Key& key, http::Fields request, const StoredResponse& response);
  /// Not found any more; who finds it after the next start finds out the same.
  void forget(const Key& key, http::Fields request, const StoredResponse& response);
  /// An unsafe method has changed the URI: what later runs find of it must be revalidated.
  void note_change(std::string_view distribution, std::string_view path);

  /// See DiskWriter::settle. What was given up is another's to know.
  std::uint64_t settle(std::uint64_t epoch) {
    return given_up_ ? UINT64_MAX : writer_.settle(epoch);
  }
  DiskTierStats stats() const;

 private:
  struct Search;
  DiskTier(Options options, std::unique_ptr<disk::FileDevice> device,
           std::unique_ptr<disk::EncryptedDevice> encrypted, std::unique_ptr<disk::Log> log);

  void recover();
  void look(const std::shared_ptr<Search>& search, const std::string& key, bool is_variant);
  void on_read(const std::shared_ptr<Search>& search, const disk::Log::Wanted& wanted,
               const std::string& key, bool is_variant, Status read, std::string_view octets);
  void answer(const std::shared_ptr<Search>& search, Found found);

  const Options options_;
  const std::unique_ptr<disk::FileDevice> device_;
  const std::unique_ptr<disk::EncryptedDevice> encrypted_;  ///< null: none
  const std::unique_ptr<disk::Log> log_;
  DiskWriter writer_;
  std::atomic<bool> given_up_{false};
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> misses_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> read_bytes_{0};
  std::atomic<double> recovery_seconds_{0};
  std::thread recovery_;
  std::string why_no_ring_;
  std::unique_ptr<disk::Reads> reads_;
};

}  // namespace headgate::cache
