// SPDX-License-Identifier: MIT
// Where a request's head ends and how long its body is: read before any thread is spent on the
// request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace headgate::admin {

/// Strict framing of one HTTP/1 request; RFC 9112. Bodies have a Content-Length or there is none.
struct RequestHead {
  enum class State { NeedMore, Complete, Refused };
  State state = State::NeedMore;
  std::size_t length = 0;          ///< of the head with its empty line
  std::size_t content_length = 0;  ///< of the body
  std::string_view method;         ///< views of the octets given
  std::string_view path;           ///< of the target, without the query, as sent
  std::string request;             ///< the head again, with only the fields that the endpoints read
  int refusal = 0;                 ///< status code when Refused
  std::string_view problem;        ///< and one line for it
};

/// `octets`: what has arrived of a connection.
RequestHead parse_request_head(std::string_view octets);

}  // namespace headgate::admin
