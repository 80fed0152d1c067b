// SPDX-License-Identifier: MIT
// Running another program: it ends by its deadline, with everything that it started.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "reconciler/process/process.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;

namespace {

constexpr Duration kNever = std::chrono::minutes(10);

Command shell(const std::string& script, Duration deadline = kNever) {
  Command command;
  command.argv = {"sh", "-c", script};
  command.environment = {"PATH=/usr/bin:/bin", "GREETING=hello"};
  command.deadline = deadline;
  return command;
}

Outcome run(const Command& command, const Cancellation* cancellation = nullptr) {
  auto outcome = run_process(command, cancellation);
  REQUIRE_MESSAGE(outcome.has_value(), (outcome ? "" : outcome.error().context));
  return std::move(*outcome);
}

/// Whether a process is there and runs; one that waits to be reaped by somebody does not.
bool runs(const std::string& pid) {
  const std::string stat = test::read("/proc/" + pid + "/stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

/// SIGKILL is on its way when the call returns; the kernel may take a moment to act on it.
bool has_ended(const std::string& pid) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (runs(pid) && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  return !runs(pid);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

TEST_CASE("a program's output, errors and exit status come back") {
  const Outcome outcome = run(shell("echo $GREETING; echo oops >&2; exit 3"));
  CHECK(outcome.end == Outcome::End::Exited);
  CHECK(outcome.code == 3);
  CHECK(outcome.output == "hello\n");
  CHECK(outcome.errors == "oops\n");
  CHECK_FALSE(outcome.ok());
}

TEST_CASE("a program gets our environment only, no input and no descriptor of ours") {
  const int leak = ::dup(2);  // without O_CLOEXEC
  const Outcome outcome = run(shell("cat; env | grep -c HOME; ls /proc/self/fd | wc -l"));
  ::close(leak);
  CHECK(outcome.output == "0\n4\n");  // 0, 1, 2 and what ls itself opens
}

TEST_CASE("a program that may only have idle time passes that on to what it starts") {
  const std::string policy = "cut -d' ' -f41 /proc/self/stat";  // proc_pid_stat(5)
  Command command = shell(policy);
  CHECK(run(command).output == std::to_string(SCHED_OTHER) + "\n");
  command.only_when_idle = true;
  CHECK(run(command).output == std::to_string(SCHED_IDLE) + "\n");
}

TEST_CASE("a program that may only have idle time is ended where there is none") {
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof before, &before);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  ::sched_setaffinity(0, sizeof one, &one);
  std::atomic<bool> stop{false};
  std::thread busy([&] {  // on the same processor
    while (!stop) {
    }
  });
  Command command = shell("exec sleep 60");
  command.only_when_idle = true;
  const Outcome outcome = run(command);
  stop = true;
  busy.join();
  ::sched_setaffinity(0, sizeof before, &before);
  CHECK(outcome.end == Outcome::End::Starved);
}

TEST_CASE("a program that is killed by a signal is not taken for one that succeeded") {
  const Outcome outcome = run(shell("kill -9 $$"));
  CHECK(outcome.end == Outcome::End::Signalled);
  CHECK(outcome.code == SIGKILL);
}

TEST_CASE("a program that is not there is an error that names it") {
  Command command = shell("");
  command.argv = {"no-such-program-anywhere"};
  const auto outcome = run_process(command, nullptr);
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().context.find("no-such-program-anywhere") != std::string::npos);
}

TEST_CASE("at the deadline the whole process group is killed") {
  const Outcome outcome =
      run(shell("sleep 1000 & echo $!; sh -c 'sleep 1001' & wait", std::chrono::milliseconds(300)));
  CHECK(outcome.end == Outcome::End::TimedOut);
  CHECK(has_ended(first_line(outcome.output)));
}

TEST_CASE("what a program leaves running in the background ends with it") {
  const Outcome outcome = run(shell("sleep 1000 & echo $!"));  // the sleeper holds the pipe open
  CHECK(outcome.ok());
  CHECK(has_ended(first_line(outcome.output)));
}

TEST_CASE("a cancellation ends a program, now and before it began") {
  Cancellation cancellation;
  std::thread other([&] { cancellation.cancel(); });
  CHECK(run(shell("sleep 1000"), &cancellation).end == Outcome::End::Cancelled);
  other.join();
  CHECK(run(shell("sleep 1000"), &cancellation).end == Outcome::End::Cancelled);
}

TEST_CASE("output beyond the limit is dropped, and the program is not held up by it") {
  Command command = shell("head -c 3000000 /dev/zero; echo end >&2");
  command.max_output_bytes = 1000;
  const Outcome outcome = run(command);
  CHECK(outcome.ok());
  CHECK(outcome.output.size() == 1000);
  CHECK(outcome.errors == "end\n");
}
