// SPDX-License-Identifier: MIT
// What ngtcp2 tells of a connection, in a file of its own: for people who look for a fault.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/server/h3/quic/library.h"

namespace headgate::server {

/// FOLDER/ID.sqlog: the id that the client first chose, in hexadecimal; JSON text sequences as
/// draft-ietf-quic-qlog-main-schema has them. Writes are buffered; the disk may hold a worker up,
/// so this is not for everyday. Threads: the connection's.
class Qlog {
 public:
  /// Null when `folder` is empty or the file cannot be made: connections matter more.
  static std::unique_ptr<Qlog> open(const std::string& folder, const ngtcp2_cid& id);
  void write(std::string_view octets) {
    static_cast<void>(std::fwrite(octets.data(), 1, octets.size(), file_.get()));
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit Qlog(std::FILE* file) : file_(file) {}
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace headgate::server
