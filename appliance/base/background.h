// SPDX-License-Identifier: MIT
// How a thread that works beside the request path takes part in scheduling.
#pragma once

namespace headgate::base {

/// Makes the calling thread, and the processes that it starts, give way to threads that answer
/// requests: nice 10, and slices of 0.1 ms where the kernel knows them (Linux 6.12), so that a
/// request that wakes up waits no longer than that for a processor. It keeps a share of a saturated
/// machine, as SCHED_IDLE would not. Errors: none; a kernel that refuses leaves the thread as it
/// was. Threads: the calling one.
void work_in_background();

}  // namespace headgate::base
