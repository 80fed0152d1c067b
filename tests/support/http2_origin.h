// SPDX-License-Identifier: MIT
// Just enough HTTP/2 (RFC 9113) for a test origin: frames over a Connection, flow control, no
// header compression.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/support/raw_origin.h"

namespace headgate::test {

/// Threads: the script's.
class Http2Server {
 public:
  /// A request whose stream the client has ended; stream 0 when the client went away.
  struct Request {
    std::uint32_t stream = 0;
    std::string block;  ///< HPACK, undecoded
    std::string body;
  };

  explicit Http2Server(Connection& connection) : connection_(connection) {}

  /// Preface and SETTINGS of both sides.
  bool open() {
    if (connection_.read_octets(24) != "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") return false;
    return send(kSettings, 0, 0, "");
  }

  Request read_request() {
    Request request;
    while (take_frame(request)) {
      if (request.stream != 0 && ended_) return request;
    }
    return {};
  }

  /// `:status: 200` (static index 8) and literal fields without indexing.
  bool send_head(std::uint32_t stream, const std::map<std::string, std::string>& fields, bool end) {
    std::string block = "\x88";
    for (const auto& [name, value] : fields) {
      block += std::string(1, '\0') + char(name.size()) + name + char(value.size()) + value;
    }
    return send(kHeaders, static_cast<std::uint8_t>(end ? kEndStream | kEndHeaders : kEndHeaders),
                stream, block);
  }

  /// Waits for window where there is none. False when the client went away.
  bool send_data(std::uint32_t stream, std::string_view octets, bool end) {
    do {
      while (!octets.empty() && room(stream) <= 0) {
        Request ignored;
        if (!take_frame(ignored)) return false;
      }
      const auto most = static_cast<std::size_t>(std::max<std::int64_t>(room(stream), 0));
      const std::string_view now = octets.substr(0, std::min<std::size_t>(most, 16'384));
      octets.remove_prefix(now.size());
      connection_window_ -= static_cast<std::int64_t>(now.size());
      spent_[stream] += static_cast<std::int64_t>(now.size());
      const bool last = end && octets.empty();
      if (!send(kData, last ? kEndStream : std::uint8_t{0}, stream, now)) return false;
    } while (!octets.empty());
    return true;
  }

  bool send_reset(std::uint32_t stream, std::uint32_t code) {
    return send(kRstStream, 0, stream, number(code));
  }
  bool send_go_away(std::uint32_t last_stream) {
    return send(kGoAway, 0, 0, number(last_stream) + number(0));
  }

 private:
  static constexpr std::uint8_t kData = 0, kHeaders = 1, kRstStream = 3, kSettings = 4, kPing = 6,
                                kGoAway = 7, kWindowUpdate = 8;
  static constexpr std::uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

  static std::string number(std::uint32_t value) {
    return {char(value >> 24), char(value >> 16), char(value >> 8), char(value)};
  }
  static std::uint32_t number_at(std::string_view octets) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
      value = value << 8 | static_cast<unsigned char>(octets[std::size_t(i)]);
    return value;
  }

  std::int64_t room(std::uint32_t stream) {
    return std::min(connection_window_, initial_window_ + granted_[stream] - spent_[stream]);
  }

  bool send(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string frame = number(static_cast<std::uint32_t>(payload.size())).substr(1);
    frame += char(type);
    frame += char(flags);
    frame += number(stream);
    frame += payload;
    return connection_.send(frame);
  }

  bool take_frame(Request& request) {
    const std::string head = connection_.read_octets(9);
    if (head.size() < 9) return false;
    const std::size_t size = number_at(std::string(1, '\0') + head.substr(0, 3));
    const auto type = static_cast<std::uint8_t>(head[3]);
    const auto flags = static_cast<std::uint8_t>(head[4]);
    const std::uint32_t stream = number_at(std::string_view(head).substr(5)) & 0x7fffffff;
    const std::string payload = connection_.read_octets(size);
    if (payload.size() < size) return false;
    switch (type) {
      case kSettings:
        return (flags & kAck) != 0 || take_settings(payload);
      case kPing:
        return (flags & kAck) != 0 || send(kPing, kAck, 0, payload);
      case kWindowUpdate:
        (stream == 0 ? connection_window_ : granted_[stream]) += number_at(payload);
        return true;
      case kHeaders:
        request.stream = stream;
        request.block = payload;
        ended_ = (flags & kEndStream) != 0;
        return true;
      case kData:
        request.body += payload;
        ended_ = (flags & kEndStream) != 0;
        return size == 0 || (send(kWindowUpdate, 0, 0, number(std::uint32_t(size))) &&
                             send(kWindowUpdate, 0, stream, number(std::uint32_t(size))));
      default:
        return true;
    }
  }

  bool take_settings(std::string_view payload) {
    for (; payload.size() >= 6; payload.remove_prefix(6)) {
      constexpr std::uint32_t kInitialWindowSize = 4;
      if ((number_at(std::string(2, '\0') + std::string(payload.substr(0, 2)))) ==
          kInitialWindowSize) {
        initial_window_ = number_at(payload.substr(2));
      }
    }
    return send(kSettings, kAck, 0, "");
  }

  Connection& connection_;
  bool ended_ = false;
  std::int64_t connection_window_ = 65'535;
  std::int64_t initial_window_ = 65'535;
  std::map<std::uint32_t, std::int64_t> granted_;
  std::map<std::uint32_t, std::int64_t> spent_;
};

}  // namespace headgate::test
