// SPDX-License-Identifier: MIT
// SIGUSR2: the sockets of a process go to the next one, which may be of another version of the
// program.
//
// The running process starts the program that is now where it was started from, with its own
// arguments, and with descriptors that the variable HEADGATE_HANDOVER names in JSON. The next one
// writes an octet into `ready` when it serves; if it ends before that, the running one goes on.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/server/connection/listen.h"
#include "schema/base/result.h"

namespace headgate::cli {

/// The socket of an admin or health listener.
struct HandedListener {
  std::string asked;    ///< as the settings name its address
  int descriptor = -1;  ///< -1: none
};

/// What a process gets of the one before it. Descriptors belong to whoever takes them out.
struct Inheritance {
  std::vector<server::Listening> listeners;
  HandedListener admin;
  HandedListener health;
  int ready = -1;
};

/// What the variable names; empty when this process is the first. Takes the variable away, and
/// keeps the descriptors from processes that this one starts. Errors: Blame::Self: the process
/// before speaks of something else.
Result<std::optional<Inheritance>> take_inheritance();

/// The process that was started to take this one's place.
class Successor {
 public:
  /// Starts the program. `inheritance.ready` is not looked at. Errors: Blame::Self, when it cannot
  /// be run.
  static Result<Successor> start(const Inheritance& inheritance);
  Successor(Successor&& other) noexcept;
  Successor& operator=(Successor&&) = delete;
  ~Successor();

  /// Until it serves. Errors: Blame::Self, when it has ended, when `give_up`, which is asked again
  /// and again, says so, or after five minutes; it is no more then.
  Status wait_until_ready(const std::function<bool()>& give_up);
  pid_t pid() const { return pid_; }

 private:
  Successor(pid_t pid, int ready) : pid_(pid), ready_(ready) {}
  std::string end();
  pid_t pid_;
  int ready_;
};

}  // namespace headgate::cli
