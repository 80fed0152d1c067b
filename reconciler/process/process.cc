// SPDX-License-Identifier: MIT
// Runs another program to its end, under a deadline.
#include "reconciler/process/process.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "appliance/base/idle_time.h"
#include "reconciler/process/descriptor.h"

namespace headgate::reconciler {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{500};  // at what idle time is left

/// Reads what there is into `text`, up to `limit`; closes `end` at the end of the stream.
void drain(Descriptor& end, std::string& text, std::size_t limit) {
  std::array<char, 16384> buffer{};
  const ssize_t count = ::read(end.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    end.close();
    return;
  }
  const std::size_t room = limit - std::min(limit, text.size());
  text.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
}

/// Waits until the program has exited and both streams are drained, or until the deadline.
Outcome::End wait_for(const Child& child, const Command& command, Pipe& out, Pipe& err,
                      const Cancellation* cancellation, Outcome& outcome) {
  const auto deadline = Clock::now() + command.deadline;
  const Descriptor exited(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0U)));
  base::IdleTime idle_time;
  idle_time.is_left();
  auto next_look = Clock::now() + kBetweenLooks;
  bool running = true;
  while (running || out.read.is_open() || err.read.is_open()) {
    if (cancellation != nullptr && cancellation->cancelled()) return Outcome::End::Cancelled;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return Outcome::End::TimedOut;
    if (command.only_when_idle && Clock::now() >= next_look) {
      if (!idle_time.is_left()) return Outcome::End::Starved;
      next_look = Clock::now() + kBetweenLooks;
    }
    if (running && child.has_exited()) running = false;
    // What a program left behind in its group may hold the pipes open: it ends with its leader.
    if (!running) child.kill();
    std::array<pollfd, 4> set{};
    set[0] = {out.read.get(), POLLIN, 0};
    set[1] = {err.read.get(), POLLIN, 0};
    set[2] = {running ? exited.get() : -1, POLLIN, 0};
    set[3] = {cancellation != nullptr ? cancellation->descriptor() : -1, POLLIN, 0};
    if (!running && !out.read.is_open() && !err.read.is_open()) break;
    auto limit = exited.is_open() ? std::chrono::milliseconds(60'000)
                                  : std::chrono::milliseconds(20);  // kernels without pidfd
    if (command.only_when_idle) limit = std::min(limit, kBetweenLooks);
    if (::poll(set.data(), set.size(), static_cast<int>(std::min(left, limit).count())) < 0)
      continue;
    if (set[0].revents != 0) drain(out.read, outcome.output, command.max_output_bytes);
    if (set[1].revents != 0) drain(err.read, outcome.errors, command.max_output_bytes);
  }
  return Outcome::End::Exited;
}

}  // namespace

Cancellation::Cancellation() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Cancellation::~Cancellation() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Cancellation::cancel() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
}

bool Cancellation::cancelled() const {
  pollfd set{descriptor_, POLLIN, 0};
  return ::poll(&set, 1, 0) > 0;
}

Result<Outcome> run_process(const Command& command, const Cancellation* cancellation) {
  Pipe out;
  Pipe err;
  if (!out.open() || !err.open())
    return fail(Blame::Self, "making a pipe: {}", std::strerror(errno));
  auto started = Child::start(command, {-1, out.write.get(), err.write.get()});
  if (!started) return tl::unexpected<Error>(std::move(started.error()));
  Child child = std::move(*started);
  out.write.close();
  err.write.close();
  Outcome outcome;
  outcome.end = wait_for(child, command, out, err, cancellation, outcome);
  const int status = child.end();
  if (outcome.end != Outcome::End::Exited) return outcome;
  outcome.end = WIFSIGNALED(status) ? Outcome::End::Signalled : Outcome::End::Exited;
  outcome.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

}  // namespace headgate::reconciler
