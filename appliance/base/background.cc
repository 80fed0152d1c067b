// SPDX-License-Identifier: MIT
#include "appliance/base/background.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace headgate::base {
namespace {

/// The kernel's struct sched_attr, version 0: glibc 2.36 does not have it.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_BATCH;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 100'000'000;
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48, "the kernel reads 48 octets");

}  // namespace

void work_in_background(int nice) {
  const SchedulingAttributes attributes{.nice = nice};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace headgate::base
