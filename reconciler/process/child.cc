// SPDX-License-Identifier: MIT
// Another program, in a process group of its own that does not outlive its owner.
#include "reconciler/process/child.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "appliance/base/background.h"
#include "reconciler/process/descriptor.h"

namespace headgate::reconciler {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Candidates for argv[0], made before the child: only async-signal-safe calls are allowed in it.
std::vector<std::string> find_candidates(const Program& program) {
  const std::string& name = program.argv.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : program.environment)
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  std::vector<std::string> candidates;
  while (!path.empty()) {
    const std::size_t colon = std::min(path.find(':'), path.size());
    if (colon > 0) candidates.push_back(std::string(path.substr(0, colon)) + "/" + name);
    path.remove_prefix(std::min(colon + 1, path.size()));
  }
  return candidates;
}

struct Plan {
  std::vector<std::string> candidates;
  std::vector<char*> argv;
  std::vector<char*> environment;
  ChildStreams streams;
  int report = -1;  ///< gets errno when nothing could be executed
  pid_t parent = 0;
  bool only_when_idle = false;
};

[[noreturn]] void become(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before prctl took effect
  // A handler of ours must not run here, in memory that is still the parent's.
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(plan.streams.input >= 0 ? plan.streams.input : null, STDIN_FILENO);
  ::dup2(plan.streams.output >= 0 ? plan.streams.output : null, STDOUT_FILENO);
  ::dup2(plan.streams.errors >= 0 ? plan.streams.errors : null, STDERR_FILENO);
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
pid_t start_process(const Plan& plan) {
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

/// What the child has reported: errno, or 0 when the program runs.
int read_report(Pipe& report) {
  report.write.close();
  int exec_error = 0;
  ssize_t reported = 0;
  do {  // ends at once: the write end closes on exec
    reported = ::read(report.read.get(), &exec_error, sizeof exec_error);
  } while (reported < 0 && errno == EINTR);
  return reported == sizeof exec_error ? exec_error : 0;
}

}  // namespace

Result<Child> Child::start(const Program& program, const ChildStreams& streams) {
  Pipe report;
  if (!report.open()) return fail(Blame::Self, "making a pipe: {}", std::strerror(errno));
  Plan plan;
  plan.candidates = find_candidates(program);
  plan.argv = pointers(program.argv);
  plan.environment = pointers(program.environment);
  plan.only_when_idle = program.only_when_idle;
  plan.streams = streams;
  plan.report = report.write.get();
  plan.parent = ::getpid();
  const pid_t pid = start_process(plan);
  if (pid < 0)
    return fail(Blame::Self, "starting {}: {}", program.argv.front(), std::strerror(errno));
  ::setpgid(pid, pid);  // both sides: whichever runs first
  Child child(pid);
  if (const int error = read_report(report); error != 0)
    return fail(Blame::Self, "starting {}: {}", program.argv.front(), std::strerror(error));
  return child;
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() { end(); }

bool Child::has_exited() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

bool Child::exits_within(Duration limit) const {
  const Descriptor exited(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0U)));
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(limit);
  pollfd set{exited.get(), POLLIN, 0};
  if (!has_exited()) ::poll(&set, 1, static_cast<int>(milliseconds.count()));
  return has_exited();
}

void Child::kill() const {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

int Child::end() {
  if (pid_ <= 0) return 0;
  kill();  // before the leader is reaped, so that the group's id is still ours
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

std::string explain_status(int status) {
  return WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                             : fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace headgate::reconciler
