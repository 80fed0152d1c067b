// SPDX-License-Identifier: MIT
// What happened, in order, durably: the commit point of configuration and purges.
//
// File:    "headgate journal 1\n", then records.
// Record:  4 octets "HGJR" · u32 length of the payload · u32 crc32c of length and payload ·
// payload; numbers are little-endian. Payload: one JSON object: {"sequence": 17, "time":
// "2026-11-20T10:00:00.123Z", "type": "activated", …}
//
// Good:    a torn end is found by the checksum; damage in the middle costs the damaged records
// only, because "HGJR" is searched for;
//          `strings journal` is readable.
// Bad:     a record is at most 64 MiB, all of them are held in memory while reading; an old
// headgate ignores types it does not know.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/state/disk.h"

namespace headgate::reconciler {

using Json = nlohmann::ordered_json;

/// Splits a journal's content; for Journal and for tests of damage.
struct JournalScan {
  std::vector<Json> records;      ///< every whole one, in order
  std::uint64_t valid_bytes = 0;  ///< the end of the last whole record
  std::uint64_t damaged_bytes =
      0;  ///< skipped between whole records, or at the end where a record was not merely cut short
  bool torn = false;  ///< a record at the end was cut short: the usual trace of a crash
};
JournalScan scan_journal(std::string_view content);

/// "HGJR" and the rest of the head, and the payload.
std::string frame_record(std::string_view payload);
std::string_view journal_head();

/// Threads: one at a time.
class Journal {
 public:
  /// Reads what is there, cuts a torn end, and opens for appending. A damaged journal is copied to
  /// `PATH.damaged` and written anew with every whole record. `report`, when not empty afterwards,
  /// says in one line what was found. Errors: Blame::Self when the file cannot be read or written;
  /// Blame::Config when it is not a journal.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, Disk& disk,
                                               std::string* report);

  /// What was read by open; empty after `forget`.
  const std::vector<Json>& records() const { return records_; }
  void forget() { records_ = {}; }

  /// Adds `sequence` and `time` in front, writes and syncs. After an error nothing was recorded:
  /// what was written in part is cut, now or before the next append. Returns the record as written.
  Result<Json> append(const Json& record);

  std::uint64_t size_bytes() const { return size_bytes_; }
  /// Puts `records` (with their sequences and times) in the place of all, atomically.
  Status rewrite(const std::vector<Json>& records);
  std::uint64_t last_sequence() const { return sequence_; }

 private:
  Journal(std::string path, Disk& disk) : path_(std::move(path)), disk_(disk) {}
  Status open_for_appending();
  Status repair();

  std::string path_;
  Disk& disk_;
  File file_;
  std::vector<Json> records_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t sequence_ = 0;
  bool needs_repair_ = false;
};

}  // namespace headgate::reconciler
