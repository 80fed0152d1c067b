// SPDX-License-Identifier: MIT
// Opens and writes the access log's target.
#include "appliance/observe/log_file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace headgate::observe {
namespace {

using std::chrono::steady_clock;

constexpr auto kReportEvery = std::chrono::minutes(1);
constexpr auto kPatienceAtEnd = std::chrono::seconds(2);
constexpr int kPollMs = 100;

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

/// A reader of a pipe that has gone is an error like others, not the end of the process.
void ignore_sigpipe_in_this_thread() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

Result<int> open_log(const std::string& target) {
  const int fd =
      target == "-"
          ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
          : ::open(target.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  if (fd >= 0) return fd;
  if (errno == ENXIO)
    return fail(Blame::Config, "{}: nobody reads this pipe; start its reader first", target);
  return fail(Blame::Config, "{}: {}", target == "-" ? "standard output" : target,
              std::strerror(errno));
}

LogFile::LogFile(std::string name, int fd, const std::atomic<bool>& stopping)
    : name_(std::move(name)), fd_(fd), stopping_(stopping) {
  ignore_sigpipe_in_this_thread();
  inspect();
}

LogFile::~LogFile() { ::close(fd_); }

void LogFile::inspect() {
  struct stat status {};
  regular_ = ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
}

std::uint64_t LogFile::replace(int fd) {
  ::close(fd_);
  fd_ = fd;
  inspect();
  failing_ = false;
  const std::uint64_t lost = torn_.empty() ? 0 : 1;
  torn_.clear();
  return lost;
}

/// Standard output is shared with others and so cannot be made non-blocking: poll, then no more
/// than a pipe always takes.
bool LogFile::wait_writable() {
  if (regular_) return true;
  for (;;) {
    pollfd waiting{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&waiting, 1, kPollMs);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (!stopping_.load()) continue;
    if (!give_up_at_) give_up_at_ = steady_clock::now() + kPatienceAtEnd;
    if (steady_clock::now() >= *give_up_at_) {
      errno = ETIMEDOUT;
      return false;
    }
  }
}

/// Takes from `text` what could be written; false with errno when that was not all.
bool LogFile::write_some(std::string_view& text) {
  while (!text.empty()) {
    if (!wait_writable()) return false;
    const auto size = regular_ ? text.size() : std::min<std::size_t>(text.size(), PIPE_BUF);
    const ssize_t written = ::write(fd_, text.data(), size);
    if (written < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::uint64_t LogFile::write(std::string_view text, std::uint64_t lines) {
  if (!torn_.empty()) {
    std::string_view rest = torn_;
    const bool whole = write_some(rest);
    const int error = errno;
    torn_.erase(0, torn_.size() - rest.size());
    if (!whole) {
      report(error);
      return lines;
    }
  }
  auto rest = text;
  if (write_some(rest)) {
    failing_ = false;
    return 0;
  }
  report(errno);
  const std::size_t at = text.size() - rest.size();
  if (at > 0 && text[at - 1] != '\n') {
    const auto line_end = rest.find('\n');
    torn_ = rest.substr(0, line_end + 1);
    rest.remove_prefix(torn_.size());
  }
  return count_lines(rest);
}

/// Once when it begins to fail, and not again within a minute.
void LogFile::report(int error) {
  const auto now = steady_clock::now();
  if (failing_ ||
      (reported_at_ != steady_clock::time_point{} && now - reported_at_ < kReportEvery)) {
    failing_ = true;
    return;
  }
  failing_ = true;
  reported_at_ = now;
  std::fprintf(
      stderr,
      "headgate: access log %s: %s; requests are served, their lines are dropped and counted in "
      "headgate_access_log_lines_total\n",
      name_ == "-" ? "on standard output" : name_.c_str(), std::strerror(error));
}

}  // namespace headgate::observe
