// SPDX-License-Identifier: MIT
// Requests of the edge to itself, many at a time, by libcurl over connections that the edge makes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/warm/agenda.h"

namespace headgate::warm {

/// A GET, as a viewer would send it.
struct Request {
  Target target;
  std::vector<std::pair<std::string, std::string>> headers;  ///< replace those of ours
  bool plain = false;  ///< its content is read: not in a content coding
};

/// Threads: one, except `wake`.
class Requester {
 public:
  /// Gets the body as it arrives; false: the rest is of no use.
  using Sink = std::function<bool(std::string_view)>;
  struct Ended {
    std::uint64_t token = 0;
    Outcome outcome;
    std::string problem;  ///< why there was no whole answer
  };

  /// `serve`: is given the other end of each connection, a non-blocking stream socket that becomes
  /// its own, and answers there.
  explicit Requester(std::function<void(int)> serve);
  ~Requester();
  Requester(const Requester&) = delete;
  Requester& operator=(const Requester&) = delete;

  /// `token` comes back with the outcome. `sink` may be null.
  void start(std::uint64_t token, const Request& request, Sink sink);
  /// Whatever can be done without waiting; what has ended since the last time.
  std::vector<Ended> perform();
  /// Until there is something to do, `wake` is called, or `limit` is over.
  void wait(std::chrono::milliseconds limit);
  void wake();
  /// Breaks off what is under way; nothing of it comes back.
  void cancel();

 private:
  struct Transfer;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headgate::warm
