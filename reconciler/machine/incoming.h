// SPDX-License-Identifier: MIT
// An upgrade that an operator sends, piece by piece, as it is larger than what the admin listener
// takes at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reconciler/state/disk.h"

namespace headgate::reconciler {

/// Threads: one at a time.
class Incoming {
 public:
  static constexpr std::uint64_t kMostOctets = std::uint64_t{1} << 30;

  /// `folder` exists.
  Incoming(Disk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  /// Octets of the file from `offset`; 0 begins anew, another one must be where the piece before
  /// has ended. Errors: Blame::Client when it is not, or the file grows too large; Blame::Self when
  /// it cannot be written.
  Status take(std::uint64_t offset, std::string_view octets);
  /// The file is whole: it lies at `path()` now. Errors: Blame::Config when nothing has come.
  Status finish();
  std::string path() const { return folder_ + "/received.upgrade"; }

 private:
  std::string part() const { return folder_ + "/received.part"; }
  Disk& disk_;
  const std::string folder_;
};

}  // namespace headgate::reconciler
