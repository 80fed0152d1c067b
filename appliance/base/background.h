// SPDX-License-Identifier: MIT
// How a thread that works beside the request path takes part in scheduling.
#pragma once

#include <ctime>
#include <optional>

namespace headgate::base {

/// Makes the calling thread, which answers requests, go first among those that wait for its
/// processor: of two threads with a claim to it the one with the shorter slice does (EEVDF, Linux
/// 6.12), and preempts the other when it wakes. Its share stays that of every thread. Errors: none;
/// with an older kernel the thread stays as it was, and so does one that the process was started
/// with another policy for. Threads: the calling one.
void work_in_foreground();

/// Makes the calling thread, and the processes that it starts, give way to threads that answer
/// requests: SCHED_BATCH, so that it never takes the processor from one by waking up; a longer
/// slice than theirs; and `nice`. It keeps a share of a saturated machine, as SCHED_IDLE would not.
/// The slice is no longer than that, because the kernel owes a thread that had to wait up to two
/// slices, and passes over whoever it is owed by until it has had them.
/// Errors: none; a kernel that refuses leaves the thread as it was. Threads: the calling one.
void work_in_background(int nice);

/// Makes the calling thread, and the processes that it starts, run only where nobody else wants to:
/// SCHED_IDLE. Every other thread preempts it at once, and of a saturated machine it gets next to
/// nothing. It cannot be undone without privileges. Async-signal-safe. Errors: none. Threads: the
/// calling one.
void work_when_idle();

/// While it lives, the calling thread offers its processor to whoever waits for it five times a
/// millisecond. The kernel alone would let a thread that has been preempted before go on until the
/// next tick of its clock, up to 4 ms in which a request waits (EEVDF: a waking thread is passed
/// over when it has had more than its share, and looked at again at the tick).
/// Where a machine is saturated, and the thread waits for more than 20 ms, it keeps its processor
/// for its next 5 ms. A timer sends SIGURG, as Go's runtime does to preempt, and the handler
/// yields; system calls are restarted, poll() and its like end with EINTR. Errors: none; without a
/// timer nothing happens. Threads: made and destroyed by the same one.
class YieldOften {
 public:
  YieldOften();
  ~YieldOften();
  YieldOften(const YieldOften&) = delete;
  YieldOften& operator=(const YieldOften&) = delete;

 private:
  std::optional<timer_t> timer_;
};

}  // namespace headgate::base
