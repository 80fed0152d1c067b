// SPDX-License-Identifier: MIT
// Runs another program under a deadline, in a process group of its own that never outlives the
// call.
#include "reconciler/source/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include "appliance/base/background.h"
#include "appliance/base/idle_time.h"

namespace headgate::reconciler {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{500};  // at what idle time is left

/// A file descriptor that is closed with its scope.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void reset(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read.reset(ends[0]);
    write.reset(ends[1]);
    return true;
  }
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Candidates for argv[0], made before the child: only async-signal-safe calls are allowed in it.
std::vector<std::string> find_candidates(const Command& command) {
  const std::string& name = command.argv.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : command.environment)
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  std::vector<std::string> candidates;
  while (!path.empty()) {
    const std::size_t colon = std::min(path.find(':'), path.size());
    if (colon > 0) candidates.push_back(std::string(path.substr(0, colon)) + "/" + name);
    path.remove_prefix(std::min(colon + 1, path.size()));
  }
  return candidates;
}

struct ChildPlan {
  std::vector<std::string> candidates;
  std::vector<char*> argv;
  std::vector<char*> environment;
  int output = -1;
  int errors = -1;
  int report = -1;  ///< gets errno when nothing could be executed
  pid_t parent = 0;
  bool only_when_idle = false;
};

[[noreturn]] void become(const ChildPlan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before prctl took effect
  // A handler of ours must not run here, in memory that is still the parent's.
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(plan.output, STDOUT_FILENO);
  ::dup2(plan.errors, STDERR_FILENO);
  // Libraries may have opened descriptors without O_CLOEXEC; the program must not inherit
  // listeners.
  ::syscall(SYS_close_range, 3U, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
  ::umask(077);
  if (plan.only_when_idle) base::work_when_idle();
  int error = ENOENT;
  for (const std::string& candidate : plan.candidates) {
    ::execve(candidate.c_str(), plan.argv.data(), plan.environment.data());
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  [[maybe_unused]] const ssize_t written = ::write(plan.report, &error, sizeof error);
  ::_exit(127);
}

/// Starts the program; -1 with errno. A fork() would copy the page table of a process that may have
/// a large cache, and every worker would then fault on its next write to each page: milliseconds
/// that requests wait. vfork() copies nothing, and suspends this thread alone until the program is
/// executed. Signals are blocked so that no handler runs in the child.
pid_t start(const ChildPlan& plan) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) become(plan);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

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

bool has_exited(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

/// Waits until the program has exited and both streams are drained, or until the deadline.
Outcome::End wait_for(pid_t pid, const Command& command, Pipe& out, Pipe& err,
                      const Cancellation* cancellation, Outcome& outcome) {
  const auto deadline = Clock::now() + command.deadline;
  const Descriptor exited(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
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
    if (running && has_exited(pid)) running = false;
    // What a program left behind in its group may hold the pipes open: it ends with its leader.
    if (!running) ::kill(-pid, SIGKILL);
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
  Pipe report;
  if (!out.open() || !err.open() || !report.open())
    return fail(Blame::Self, "making a pipe: {}", std::strerror(errno));
  ChildPlan plan;
  plan.candidates = find_candidates(command);
  plan.argv = pointers(command.argv);
  plan.environment = pointers(command.environment);
  plan.only_when_idle = command.only_when_idle;
  plan.output = out.write.get();
  plan.errors = err.write.get();
  plan.report = report.write.get();
  plan.parent = ::getpid();

  const pid_t pid = start(plan);
  if (pid < 0)
    return fail(Blame::Self, "starting {}: {}", command.argv.front(), std::strerror(errno));
  ::setpgid(pid, pid);  // both sides: whichever runs first
  out.write.close();
  err.write.close();
  report.write.close();

  int exec_error = 0;
  ssize_t reported = 0;
  do {  // ends at once: the write end closes on exec
    reported = ::read(report.read.get(), &exec_error, sizeof exec_error);
  } while (reported < 0 && errno == EINTR);

  Outcome outcome;
  outcome.end = wait_for(pid, command, out, err, cancellation, outcome);
  ::kill(-pid, SIGKILL);  // before the leader is reaped, so that the group's id is still ours
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (reported == sizeof exec_error)
    return fail(Blame::Self, "starting {}: {}", command.argv.front(), std::strerror(exec_error));
  if (outcome.end != Outcome::End::Exited) return outcome;
  outcome.end = WIFSIGNALED(status) ? Outcome::End::Signalled : Outcome::End::Exited;
  outcome.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

}  // namespace headgate::reconciler
