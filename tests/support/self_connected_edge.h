// SPDX-License-Identifier: MIT
// Stands in for the edge when it asks itself: answers on its connections, and remembers what it was
// asked.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace headgate::test {

/// Threads: any.
class SelfConnectedEdge {
 public:
  struct Answer {
    int status = 200;
    std::string body = "x";
    std::string cache_status = "headgate; fwd=uri-miss; fwd-status=200; stored";
    bool breaks = false;  ///< the connection, instead
  };

  ~SelfConnectedEdge() {
    release();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : ends_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  /// Answers on `fd`, which becomes the edge's.
  void serve(int fd) {
    ::fcntl(fd, F_SETFL, 0);  // a thread for each: it may block
    const std::lock_guard lock(mutex_);
    ends_.push_back(fd);
    threads_.emplace_back([this, fd] { answer_on(fd); });
  }

  /// What `path` is answered with from now on; others get the default.
  void put(const std::string& path, Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_[path] = std::move(answer);
  }
  /// Requests are read and not answered until `release`.
  void hold() { set_held(true); }
  void release() { set_held(false); }

  /// Heads of the requests so far.
  std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }
  /// Their paths.
  std::vector<std::string> paths() const {
    std::vector<std::string> paths;
    for (const std::string& head : heads()) {
      const std::size_t end = head.find(' ', 4);
      paths.push_back(head.substr(4, end - 4));
    }
    return paths;
  }
  /// Whether every connection has been left by its client.
  bool is_left() const {
    const std::lock_guard lock(mutex_);
    return std::all_of(ends_.begin(), ends_.end(), [](int fd) {
      pollfd end{.fd = fd, .events = POLLRDHUP, .revents = 0};
      return ::poll(&end, 1, 0) == 1 && (end.revents & (POLLRDHUP | POLLHUP)) != 0;
    });
  }
  /// Until `count` requests have come.
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return heads_.size() >= count; }));
  }

 private:
  void set_held(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }

  void answer_on(int fd) {
    std::string read;
    char buffer[4096];
    while (true) {
      const std::size_t end = read.find("\r\n\r\n");
      if (end == std::string::npos) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got <= 0) break;
        read.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      const std::string head = read.substr(0, end + 2);
      read.erase(0, end + 4);
      const Answer answer = answer_to(head);
      if (answer.breaks) break;
      const std::string text = "HTTP/1.1 " + std::to_string(answer.status) +
                               " x\r\nContent-Length: " + std::to_string(answer.body.size()) +
                               "\r\nCache-Status: origin; hit, " + answer.cache_status +
                               "\r\n\r\n" + answer.body;
      if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        break;
    }
    const std::lock_guard lock(mutex_);
    std::erase(ends_, fd);
    ::close(fd);
  }

  Answer answer_to(const std::string& head) {
    std::unique_lock lock(mutex_);
    heads_.push_back(head);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    const auto found = answers_.find(head.substr(4, head.find(' ', 4) - 4));
    return found == answers_.end() ? Answer{} : found->second;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Answer> answers_;
  std::vector<std::string> heads_;
  std::vector<int> ends_;
  std::vector<std::thread> threads_;
  bool held_ = false;
};

}  // namespace headgate::test
