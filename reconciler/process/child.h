// SPDX-License-Identifier: MIT
// Another program, in a process group of its own that does not outlive its owner.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "schema/base/result.h"
#include "schema/base/units.h"

namespace headgate::reconciler {

struct Program {
  std::vector<std::string> argv;         ///< argv[0] is looked up in the environment's PATH
  std::vector<std::string> environment;  ///< NAME=value; the whole of it
  /// On processors that nobody else wants (SCHED_IDLE).
  bool only_when_idle = false;
};

/// What its standard streams are; -1: /dev/null.
struct ChildStreams {
  int input = -1;
  int output = -1;
  int errors = -1;
};

/// Threads: one. The program is killed when the thread that started it dies.
class Child {
 public:
  /// Errors: Blame::Self when it cannot be started.
  static Result<Child> start(const Program& program, const ChildStreams& streams);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  pid_t pid() const { return pid_; }
  /// Whether the program has come to its end, as what it has started may not have.
  bool has_exited() const;
  /// Waits for that; false when it takes longer.
  bool exits_within(Duration limit) const;
  /// Kills its group, as far as it is still there.
  void kill() const;
  /// Kills its group and waits for the program. Returns its status, as waitpid(2) has it.
  int end();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

/// How the program ended, in words: "ended with status 1", "was killed by signal 7".
std::string explain_status(int status);

}  // namespace headgate::reconciler
