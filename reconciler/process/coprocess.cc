// SPDX-License-Identifier: MIT
// Another program that is asked, and answers, again and again.
#include "reconciler/process/coprocess.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 64 << 10;
constexpr std::size_t kMaxLastWords = 4 << 10;
constexpr Duration kBetweenEndOfStreamAndExit = std::chrono::seconds(1);

std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

Result<std::unique_ptr<Coprocess>> Coprocess::start(const Program& program, Duration patience) {
  // A socket, not two pipes: writing to a program that has ended must not raise SIGPIPE.
  std::array<int, 2> ends{};
  Pipe errors;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(Blame::Self, "making a socket: {}", std::strerror(errno));
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  if (!errors.open()) return fail(Blame::Self, "making a pipe: {}", std::strerror(errno));
  auto child = Child::start(program, {theirs.get(), theirs.get(), errors.write.get()});
  if (!child) return tl::unexpected<Error>(std::move(child.error()));
  return std::unique_ptr<Coprocess>(new Coprocess(
      std::move(*child), std::move(ours), std::move(errors.read), program.argv.front(), patience));
}

Status Coprocess::wait(short events) {
  const auto deadline = Clock::now() + patience_;
  for (;;) {
    std::array<pollfd, 2> set{};
    set[0] = {stream_.get(), events, 0};
    set[1] = {errors_.get(), POLLIN, 0};  // a program that cannot say what is wrong would wait
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0)
      return fail(Blame::Self, "{} does not answer within {}", name_, format_duration(patience_));
    if (::poll(set.data(), set.size(), static_cast<int>(left.count())) < 0) continue;
    if (set[1].revents != 0) listen_to_errors();
    if (set[0].revents != 0) return {};
  }
}

void Coprocess::listen_to_errors() {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(errors_.get(), buffer.data(), buffer.size());
  if (count <= 0) {
    if (count == 0 || errno != EINTR) errors_.close();
    return;
  }
  last_words_.append(buffer.data(), static_cast<std::size_t>(count));
  if (last_words_.size() > kMaxLastWords) last_words_.erase(0, last_words_.size() - kMaxLastWords);
}

tl::unexpected<Error> Coprocess::explain_end() {
  child_.exits_within(kBetweenEndOfStreamAndExit);
  const std::string end = explain_status(child_.end());
  while (errors_.is_open()) listen_to_errors();
  const std::string_view words = last_line(last_words_);
  return fail(Blame::Self, "{} {}{}{}", name_, end, words.empty() ? "" : ": ",
              schema::escape_control(words));
}

Status Coprocess::write(std::string_view octets) {
  while (!octets.empty()) {
    if (Status ready = wait(POLLOUT); !ready) return ready;
    const ssize_t count =
        ::send(stream_.get(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) octets.remove_prefix(static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR && errno != EAGAIN) return explain_end();
  }
  return {};
}

/// At least one more octet.
Status Coprocess::fill() {
  unread_.erase(0, std::exchange(read_, 0));
  std::array<char, 32768> buffer{};
  for (;;) {
    if (Status ready = wait(POLLIN); !ready) return ready;
    const ssize_t count = ::recv(stream_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return explain_end();
    unread_.append(buffer.data(), static_cast<std::size_t>(count));
    return {};
  }
}

Result<std::string> Coprocess::read_line() {
  std::size_t looked_at = 0;
  for (;;) {
    const std::size_t end = unread_.find('\n', read_ + looked_at);
    if (end != std::string::npos) {
      std::string line = unread_.substr(read_, end - read_);
      read_ = end + 1;
      return line;
    }
    looked_at = unread_.size() - read_;
    if (looked_at > kMaxLine) return fail(Blame::Self, "{}: an answer without an end", name_);
    HG_CHECK(fill(), "reading");
  }
}

Result<std::string> Coprocess::read(std::size_t size) {
  unread_.reserve(unread_.size() + std::min(size, std::size_t{1} << 20));
  while (unread_.size() - read_ < size) HG_CHECK(fill(), "reading");
  std::string octets = unread_.substr(read_, size);
  read_ += size;
  return octets;
}

}  // namespace headgate::reconciler
