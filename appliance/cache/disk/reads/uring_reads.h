// SPDX-License-Identifier: MIT
// Reads by io_uring: one thread hands them to the kernel, many at a time, and takes what comes.
#pragma once

#include <liburing.h>

#include <thread>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/disk/aligned.h"
#include "appliance/cache/disk/reads/reads.h"

namespace headgate::cache::disk {

class UringReads final : public Reads {
 public:
  /// Fails where the kernel has no io_uring, or does not let us use it.
  static Result<std::unique_ptr<UringReads>> open(int descriptor);
  ~UringReads() override;

  bool read(std::uint64_t offset, std::uint64_t bytes, Done done) override;
  std::string_view name() const override { return "io_uring"; }

 private:
  struct Wish {
    explicit Wish(std::uint64_t bytes) : octets(bytes) {}
    std::uint64_t offset = 0;
    AlignedOctets octets;
    std::size_t read = 0;  ///< of them, so far
    Done done;
  };
  UringReads(int descriptor, int wake) : descriptor_(descriptor), wake_(wake) {}

  void run();
  bool take_wishes();
  void submit(std::unique_ptr<Wish> wish);
  void await_wake();
  void complete(std::unique_ptr<Wish> wish, int result);

  const int descriptor_;
  const int wake_;             ///< an eventfd
  std::uint64_t woken_ = 0;    ///< where the kernel puts its count
  std::size_t submitted_ = 0;  ///< the thread's: what the kernel has
  bool awaits_wake_ = false;
  io_uring ring_{};
  base::Mutex mutex_;
  std::vector<std::unique_ptr<Wish>> waiting_ GUARDED_BY(mutex_);
  std::size_t unanswered_ GUARDED_BY(mutex_) = 0;
  bool ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace headgate::cache::disk
