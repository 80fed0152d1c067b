// SPDX-License-Identifier: MIT
// Which socket belongs to which connection: libcurl 7.88 does not tell before a request goes out,
// and would reuse a connection whose origin has sent something that nobody asked for, which then
// answers the next request.
#pragma once

#include <curl/curl.h>

#include <string>
#include <unordered_map>
#include <vector>

namespace headgate::origin {

/// The two ends of a connection, as CURLOPT_PREREQFUNCTION gets them.
struct ConnectionEnds {
  const char* to = "";
  const char* from = "";
  int to_port = 0;
  int from_port = 0;
};

/// Threads: one.
class SocketBook {
 public:
  /// CURLOPT_OPENSOCKETFUNCTION; `opened` is a std::vector<curl_socket_t> that the new socket is
  /// appended to. Closed on exec, unlike libcurl's own.
  static curl_socket_t open(void* opened, curlsocktype purpose, curl_sockaddr* address);
  /// CURLOPT_CLOSESOCKETFUNCTION; `self` is the book.
  static int close(void* self, curl_socket_t socket);

  /// Finds the socket with these ends among `opened`, and remembers it until it is closed.
  void enter(const ConnectionEnds& ends, const std::vector<curl_socket_t>& opened);
  /// Whether something has come on that connection, the end of it included. False for connections
  /// that were never entered.
  bool has_input(const ConnectionEnds& ends) const;

 private:
  std::unordered_map<std::string, curl_socket_t> sockets_;
  std::unordered_map<curl_socket_t, std::string> ends_;
};

}  // namespace headgate::origin
