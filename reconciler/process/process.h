// SPDX-License-Identifier: MIT
// Runs another program to its end, under a deadline.
#pragma once

#include <cstddef>
#include <string>

#include "reconciler/process/child.h"
#include "schema/base/result.h"
#include "schema/base/units.h"

namespace headgate::reconciler {

/// Lets another thread end a wait: for stopping the appliance in the middle of a fetch.
/// Threads: any.
class Cancellation {
 public:
  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  /// For good: every wait that looks at this ends, now and later.
  void cancel();
  bool cancelled() const;
  /// Readable once cancelled.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

/// One that is `only_when_idle` is not run to its end where no processor is.
struct Command : Program {
  Duration deadline{};
  std::size_t max_output_bytes = std::size_t{1}
                                 << 20;  ///< of each stream; the rest is read and dropped
};

struct Outcome {
  /// Starved: it was to run only when idle, and for half a second no processor was.
  enum class End { Exited, Signalled, TimedOut, Cancelled, Starved };
  End end = End::Exited;
  int code = 0;  ///< the exit status, or the signal
  std::string output;
  std::string errors;
  bool ok() const { return end == End::Exited && code == 0; }
};

/// Runs `command` with no standard input and waits for it. When it returns, no process of its group
/// is left. Errors: Blame::Self when it cannot be started; how it ended is in the Outcome. Threads:
/// any; the program is killed when the calling thread dies.
Result<Outcome> run_process(const Command& command, const Cancellation* cancellation);

}  // namespace headgate::reconciler
