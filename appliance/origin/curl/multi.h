// SPDX-License-Identifier: MIT
// libcurl's multi_socket interface on a base::Loop: one nested epoll descriptor for its sockets,
// one timer for its deadlines.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/origin/curl/socket_book.h"
#include "appliance/origin/curl/tls_ends.h"

namespace headgate::origin {

/// Whose easy handle it is: CURLOPT_PRIVATE points at one of these.
class EasyOwner {
 public:
  /// The handle has left the multi with `code`; called outside libcurl, so that anything may be
  /// done.
  virtual void on_done(CURLcode code) = 0;

 protected:
  ~EasyOwner() = default;
};

/// One CURLM and one cache of connections.
/// Threads: its loop's.
class CurlMulti {
 public:
  explicit CurlMulti(base::Loop& loop);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Not from inside a call-back of libcurl's. `easy` starts in the loop's next iteration.
  void add(CURL* easy);
  /// Not from inside a call-back of libcurl's. Closes the connection of a transfer that has not
  /// ended.
  void remove(CURL* easy);

  /// Runs `task` in the loop's next iteration, outside libcurl and outside whoever called.
  void soon(base::UniqueFunction<void()> task);

  /// Does now what the sockets are ready for; only from a timer of the loop's.
  void poll() { on_readable(); }

  /// TLS sessions, shared by all handles of this multi.
  CURLSH* share() const { return share_; }
  SocketBook& sockets() { return sockets_; }
  TlsEnds& tls_ends() { return tls_ends_; }

 private:
  static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void watch_socket(curl_socket_t socket, int what, bool known);
  void set_deadline(long timeout_ms);
  void on_readable();
  void on_deadline();
  void run_tasks();
  void drive(curl_socket_t socket, int mask);
  void deliver_messages();

  base::Loop& loop_;
  SocketBook sockets_;
  TlsEnds tls_ends_;
  int epoll_ = -1;
  CURLM* multi_ = nullptr;
  CURLSH* share_ = nullptr;
  std::unique_ptr<base::Loop::Watch> watch_;
  base::Timer deadline_timer_;
  base::Timer task_timer_;
  std::vector<base::UniqueFunction<void()>> tasks_;
};

}  // namespace headgate::origin
