// SPDX-License-Identifier: MIT
// The last requests of a worker, kept in memory for `headgate diff --replay last`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "appliance/observe/record.h"

namespace headgate::observe {

/// A ring of fixed size: the oldest make room. What a decision depends on and how it ended is kept,
/// in about 200 octets a request; cookies, credentials and bodies are not. Threads: the worker's.
class RequestRing {
 public:
  explicit RequestRing(std::size_t octets);

  /// Copies; does not allocate. What is longer than a sixteenth of the ring is left out.
  void add(const RequestRecord& record);
  /// As lines of the access log, the oldest first. Values of query parameters that look like
  /// secrets (`token`, `signature`, …) are replaced by something that is the same for the same
  /// value, in this process.
  std::string lines() const;

 private:
  struct Entry;
  void forget_oldest();

  std::vector<char> octets_;
  std::size_t begin_ = 0;  ///< of the oldest entry
  std::size_t end_ = 0;    ///< where the next one goes
  std::size_t count_ = 0;
};

}  // namespace headgate::observe
