// SPDX-License-Identifier: MIT
// The trail for auditors: every event as a line of JSON that names the hash of the line before, so
// that none can be changed, taken out or put in unnoticed.
//
// `STATE/audit.jsonl`: lines of /events, each with a last member `"previous"`: the SHA-256 of the
// line before without its end, in hex; "" in the first. Beyond 64 MiB the file becomes
// `audit.jsonl.1`, that one `.2`, up to `.4`; the chain goes on across files.
//
// Good:    text that any tool reads; whoever keeps the last line elsewhere can tell whether what
//          came before is still what it was.
// Bad:     who may write the file and knows no such last line's keeper can make a new chain; it is
//          written after the journal and not synced: after a power failure the end comes from the
//          journal again, as far as that goes back.
#pragma once

#include <cstdint>
#include <deque>
#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "reconciler/state/disk.h"

namespace headgate::reconciler {

/// Threads: one at a time.
class Audit {
 public:
  static constexpr std::uint64_t kFileLimit = 64U << 20;

  /// Reads the last line of what is there; cuts one that was torn. Errors: Blame::Self when the
  /// file cannot be read or written.
  static Result<std::unique_ptr<Audit>> open(std::string path, Disk& disk,
                                             std::uint64_t file_limit = kFileLimit);

  /// `line`: an event, a JSON object without an end of line. One that is there already, by its
  /// sequence number, is left alone. What cannot be written waits for the next call, 1,000 lines at
  /// most. Errors: Blame::Self, once until it works again.
  Status append(std::uint64_t sequence, const std::string& line);

  std::uint64_t last_sequence() const { return sequence_; }

 private:
  Audit(std::string path, Disk& disk, std::uint64_t limit)
      : path_(std::move(path)), disk_(disk), limit_(limit) {}
  Status write(const std::string& line);
  Status rotate();

  const std::string path_;
  Disk& disk_;
  const std::uint64_t limit_;
  File file_;
  std::uint64_t size_ = 0;
  std::uint64_t sequence_ = 0;
  std::string previous_;  ///< the hash of the last line
  std::deque<std::string> waiting_;
  bool is_failing_ = false;
};

/// Whether a trail is whole.
struct AuditReport {
  std::uint64_t records = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::string last_hash;          ///< of the last line
  std::uint64_t broken_line = 0;  ///< the first that does not go with the one before; 0: none
  std::string problem;            ///< with it
};

/// `previous`: the hash of the line before the first; nullopt: whatever the first one says.
AuditReport verify_audit(std::istream& lines, const std::optional<std::string>& previous);

}  // namespace headgate::reconciler
