// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/reads/uring_reads.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/cache/disk/reads/thread_reads.h"

namespace headgate::cache::disk {
namespace {

/// What the kernel holds at once: all that may be waiting, and the wake-up.
constexpr unsigned kEntries = 2 * Reads::kMaxWaiting;

}  // namespace

std::unique_ptr<Reads> make_reads(int descriptor, std::string& why_not) {
  auto by_ring = UringReads::open(descriptor);
  if (by_ring) return std::move(*by_ring);
  why_not = by_ring.error().context;
  return std::make_unique<ThreadReads>(descriptor);
}

Result<std::unique_ptr<UringReads>> UringReads::open(int descriptor) {
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  if (wake < 0) return fail(Blame::Self, "eventfd: {}", std::strerror(errno));
  std::unique_ptr<UringReads> reads(new UringReads(descriptor, wake));
  if (const int error = io_uring_queue_init(kEntries, &reads->ring_, 0); error < 0)
    return fail(Blame::Self, "io_uring_setup: {}", std::strerror(-error));
  reads->thread_ = std::thread([self = reads.get()] { self->run(); });
  return reads;
}

UringReads::~UringReads() {
  if (thread_.joinable()) {
    {
      const base::MutexLock lock(mutex_);
      ending_ = true;
    }
    eventfd_write(wake_, 1);
    thread_.join();
    io_uring_queue_exit(&ring_);
  }
  ::close(wake_);
}

bool UringReads::read(std::uint64_t offset, std::uint64_t bytes, Done done) {
  auto wish = std::make_unique<Wish>(bytes);
  wish->offset = offset;
  wish->done = std::move(done);
  {
    const base::MutexLock lock(mutex_);
    if (unanswered_ >= kMaxWaiting) return false;
    ++unanswered_;
    waiting_.push_back(std::move(wish));
  }
  eventfd_write(wake_, 1);
  return true;
}

void UringReads::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-uring");
  // What the kernel has still to write into must stay until it has.
  for (bool going_on = true; going_on || submitted_ > 0 || awaits_wake_;) {
    going_on = take_wishes();
    if (going_on && !awaits_wake_) await_wake();
    const bool waits = submitted_ > 0 || awaits_wake_;
    const int submitted = io_uring_submit_and_wait(&ring_, waits ? 1 : 0);
    HG_ASSERT(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY);
    io_uring_cqe* entry = nullptr;
    while (io_uring_peek_cqe(&ring_, &entry) == 0) {
      auto* wish = static_cast<Wish*>(io_uring_cqe_get_data(entry));
      const int result = entry->res;
      io_uring_cqe_seen(&ring_, entry);
      if (wish == nullptr)
        awaits_wake_ = false;
      else
        complete(std::unique_ptr<Wish>(wish), result);
    }
  }
}

/// Hands the kernel what has been asked for; false at the end.
bool UringReads::take_wishes() {
  std::vector<std::unique_ptr<Wish>> wishes;
  bool ending = false;
  {
    const base::MutexLock lock(mutex_);
    wishes.swap(waiting_);
    ending = ending_;
  }
  if (ending) return false;
  for (auto& wish : wishes) submit(std::move(wish));
  return true;
}

void UringReads::submit(std::unique_ptr<Wish> wish) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  HG_ASSERT(entry != nullptr);  // there is room for all that may wait
  io_uring_prep_read(entry, descriptor_, wish->octets.data() + wish->read,
                     static_cast<unsigned>(wish->octets.size() - wish->read),
                     wish->offset + wish->read);
  io_uring_sqe_set_data(entry, wish.release());
  ++submitted_;
}

void UringReads::await_wake() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  HG_ASSERT(entry != nullptr);
  io_uring_prep_read(entry, wake_, &woken_, sizeof woken_, 0);
  io_uring_sqe_set_data(entry, nullptr);
  awaits_wake_ = true;
}

void UringReads::complete(std::unique_ptr<Wish> wish, int result) {
  --submitted_;
  if (result == -EINTR || result == -EAGAIN) return submit(std::move(wish));
  Status read;
  if (result < 0) {
    read = fail(Blame::Self, "read at {}: {}", wish->offset, std::strerror(-result));
  } else if (result == 0) {
    read = fail(Blame::Self, "read at {}: the file has become shorter", wish->offset);
  } else {
    wish->read += static_cast<std::size_t>(result);
    if (wish->read < wish->octets.size()) return submit(std::move(wish));
  }
  wish->done(std::move(read), wish->octets.text());
  const base::MutexLock lock(mutex_);
  --unanswered_;
}

}  // namespace headgate::cache::disk
