// SPDX-License-Identifier: MIT
// Reads of a file or a block device that nobody waits for: the answer is a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/base/unique_function.h"
#include "schema/base/result.h"

namespace headgate::cache::disk {

/// Threads: `read` from any; `done` is called on a thread of these reads, which it must not hold up
/// for long. The destructor ends those threads; what has not been answered by then never is.
class Reads {
 public:
  /// All of the octets, or an error.
  using Done = base::UniqueFunction<void(Status read, std::string_view octets)>;
  /// So many may be waiting: who asks a device for more than it can give gets nothing at all.
  static constexpr std::size_t kMaxWaiting = 1024;

  virtual ~Reads() = default;
  /// False, and `done` is never called: too many are waiting.
  [[nodiscard]] virtual bool read(std::uint64_t offset, std::uint64_t bytes, Done done) = 0;
  /// "io_uring" or "threads".
  virtual std::string_view name() const = 0;
};

/// Of `descriptor`, which must stay open: by io_uring where the kernel lets us (containers often
/// may not), else by threads; `why_not` then says what it said.
std::unique_ptr<Reads> make_reads(int descriptor, std::string& why_not);

}  // namespace headgate::cache::disk
