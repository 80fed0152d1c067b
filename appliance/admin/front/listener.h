// SPDX-License-Identifier: MIT
// The socket of an admin or health listener.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "schema/base/result.h"

namespace headgate::admin {

/// A bound, listening, non-blocking socket. A unix socket's file has mode 0600 and is removed with
/// the Listener.
class Listener {
 public:
  /// `address`: ADDR:PORT, [ADDR]:PORT, localhost:PORT or unix:PATH.
  /// Errors: Blame::Config, naming the address: malformed, taken, not ours.
  static Result<std::unique_ptr<Listener>> open(const std::string& address);
  /// One that another Listener has released, or that of another process. Errors: Blame::Self.
  static Result<std::unique_ptr<Listener>> adopt(const std::string& address, int fd);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// A copy of the socket, which outlives this one, as does the file of a unix socket.
  /// Errors: Blame::Self, when there are no descriptors left.
  Result<int> release();
  int fd() const { return fd_; }
  /// With the real port.
  const std::string& address() const { return address_; }
  bool is_tcp() const { return path_.empty(); }
  /// Whether only this machine can reach it.
  bool is_local() const { return local_; }

 private:
  Listener() = default;
  bool remember_file();
  static Result<std::unique_ptr<Listener>> open_tcp(const std::string& address);
  static Result<std::unique_ptr<Listener>> open_unix(const std::string& path);

  int fd_ = -1;
  std::string address_;
  bool local_ = true;
  std::string path_;  ///< of a unix socket
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::atomic<bool> released_{false};
};

}  // namespace headgate::admin
