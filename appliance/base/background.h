// SPDX-License-Identifier: MIT
// How a thread that works beside the request path takes part in scheduling.
#pragma once

namespace headgate::base {

/// Makes the calling thread, and the processes that it starts, give way to threads that answer
/// requests: SCHED_BATCH, so that it never takes the processor from one by waking up; slices of
/// 100 ms where the kernel knows them (Linux 6.12), because of two threads the one with the shorter
/// slice goes first; and `nice`. It keeps a share of a saturated machine, as SCHED_IDLE would not.
/// Errors: none; a kernel that refuses leaves the thread as it was. Threads: the calling one.
void work_in_background(int nice);

}  // namespace headgate::base
