// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/reads/thread_reads.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <utility>

#include "appliance/cache/disk/aligned.h"

namespace headgate::cache::disk {
namespace {

/// As many as a device of many queues needs to be busy, and no more than cost nothing.
constexpr int kThreads = 4;

Status read_all(int descriptor, std::uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t n = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Blame::Self, "pread at {}: {}", offset, std::strerror(errno));
    if (n == 0) return fail(Blame::Self, "pread at {}: the file has become shorter", offset);
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace

ThreadReads::ThreadReads(int descriptor) : descriptor_(descriptor) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

ThreadReads::~ThreadReads() {
  {
    const base::MutexLock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadReads::read(std::uint64_t offset, std::uint64_t bytes, Done done) {
  {
    const base::MutexLock lock(mutex_);
    if (waiting_.size() >= kMaxWaiting) return false;
    waiting_.push_back({offset, bytes, std::move(done)});
  }
  changed_.notify_one();
  return true;
}

void ThreadReads::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-read");
  for (;;) {
    Wish wish;
    {
      base::MutexLock lock(mutex_);
      while (waiting_.empty() && !ending_) lock.wait(changed_);
      if (ending_) return;
      wish = std::move(waiting_.front());
      waiting_.pop_front();
    }
    AlignedOctets octets(wish.bytes);
    Status read = read_all(descriptor_, wish.offset, octets.span());
    wish.done(std::move(read), octets.text());
  }
}

}  // namespace headgate::cache::disk
