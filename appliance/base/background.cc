// SPDX-License-Identifier: MIT
#include "appliance/base/background.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace headgate::base {
namespace {

/// The kernel's struct sched_attr, version 0: glibc 2.36 does not have it.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  // the slice, since Linux 6.12
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48, "the kernel reads 48 octets");

constexpr std::uint64_t kForegroundSliceNs = 200'000;
constexpr std::uint64_t kBackgroundSliceNs = 2'000'000;
constexpr long kYieldIntervalNs = 200'000;

constexpr std::int64_t kStarvedNs = 20'000'000;
constexpr std::int64_t kUnyieldingNs = 5'000'000;

/// CPU time of the thread before which it does not yield again.
thread_local std::int64_t keeps_until_cpu_ns = 0;

std::int64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

/// Who yields gives the rest of its slice away (EEVDF), five times a millisecond: on a saturated
/// machine next to nothing would be left of its share. So whoever has waited long takes a while.
void yield_on(int /*signal*/) {
  const int error = errno;
  const std::int64_t cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
  if (cpu >= keeps_until_cpu_ns) {
    const std::int64_t before = nanoseconds(CLOCK_MONOTONIC);
    ::sched_yield();
    if (nanoseconds(CLOCK_MONOTONIC) - before > kStarvedNs)
      keeps_until_cpu_ns = cpu + kUnyieldingNs;
  }
  errno = error;
}

bool install_handler() {
  struct sigaction action {};
  action.sa_handler = yield_on;
  action.sa_flags = SA_RESTART;
  return ::sigaction(SIGURG, &action, nullptr) == 0;
}

}  // namespace

void work_in_foreground() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;  // whoever started us knows better
  const SchedulingAttributes attributes{.nice = ::getpriority(PRIO_PROCESS, 0),
                                        .runtime_ns = kForegroundSliceNs};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void work_in_background(int nice) {
  const SchedulingAttributes attributes{
      .policy = SCHED_BATCH, .nice = nice, .runtime_ns = kBackgroundSliceNs};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void work_when_idle() {
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_IDLE, &none);
}

YieldOften::YieldOften() {
  static const bool installed = install_handler();
  if (!installed) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGURG;
  event._sigev_un._tid =
      static_cast<pid_t>(::syscall(SYS_gettid));  // glibc 2.36 has no name for it
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
  timer_ = timer;
  const itimerspec often{{0, kYieldIntervalNs}, {0, kYieldIntervalNs}};
  ::timer_settime(timer, 0, &often, nullptr);
}

YieldOften::~YieldOften() {
  if (timer_) ::timer_delete(*timer_);
}

}  // namespace headgate::base
