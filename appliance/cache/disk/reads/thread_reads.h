// SPDX-License-Identifier: MIT
// Reads by threads that wait for the device, one read each.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/disk/reads/reads.h"

namespace headgate::cache::disk {

class ThreadReads final : public Reads {
 public:
  explicit ThreadReads(int descriptor);
  ~ThreadReads() override;

  bool read(std::uint64_t offset, std::uint64_t bytes, Done done) override;
  std::string_view name() const override { return "threads"; }

 private:
  struct Wish {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    Done done;
  };
  void run();

  const int descriptor_;
  base::Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Wish> waiting_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace headgate::cache::disk
