// SPDX-License-Identifier: MIT
// One connection of an admin listener, as a value with a state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/time.h"

namespace headgate::admin {

/// State      leaves it for   when
/// Receiving  Answering       the request is whole
///            Sending         it is refused
/// Answering  Sending         a lane has answered
/// Sending    Following       all is sent and events follow
///            Draining        all is sent of a refusal: what the client still sends must not reset
///            the connection (closed)        all is sent
/// Following  (closed)        the client leaves
/// Draining   (closed)        the client has closed too, or a second later
/// Any state but Answering is closed at its deadline.
struct Connection {
  enum class State { Receiving, Answering, Sending, Following, Draining };

  explicit Connection(int descriptor) : fd(descriptor) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Reads what is there, at most up to `limit` octets of `in`. False when the client has left.
  bool receive(std::size_t limit);
  /// Reads and forgets. False when the client has left.
  bool discard();
  /// Sends what it can. False when the client has left. `progressed`: whether it took anything.
  bool send(bool& progressed);
  /// Closing will forget what the client did not take, in the kernel too.
  void abandon();
  bool all_sent() const { return sent == out.size(); }

  int fd;
  State state = State::Receiving;
  base::MonoTime deadline{};
  std::string in;
  std::size_t body_reserved = 0;  ///< of FrontLimits::bodies
  std::string out;
  std::size_t sent = 0;
  bool refused = false;
  bool follows = false;
  bool look_under_way = false;  ///< a lane looks for its events
  std::uint64_t follow_after = 0;
};

}  // namespace headgate::admin
