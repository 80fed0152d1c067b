// SPDX-License-Identifier: MIT
#include "appliance/cache/tier/disk_writer.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "appliance/base/background.h"
#include "appliance/cache/tier/stored_form.h"

namespace headgate::cache {
namespace {

using Clock = std::chrono::steady_clock;

/// What a crash may cost of what was offered, while few are.
constexpr std::chrono::milliseconds kFlushAfter{100};
/// How soon it is noticed that reads have turned the log off.
constexpr std::chrono::seconds kLookEvery{1};
constexpr int kNice = 5;
/// Of what is no response: no rule is needed for it.
constexpr std::uint64_t kNoEpoch = UINT64_MAX;

}  // namespace

DiskWriter::DiskWriter(disk::Log& log, std::function<void(const std::string&)> on_off)
    : log_(log), on_off_(std::move(on_off)) {}

DiskWriter::~DiskWriter() { stop(); }

void DiskWriter::start(const UriInvalidations& changes) {
  changes_ = &changes;
  thread_ = std::thread([this] { run(); });
}

void DiskWriter::stop() {
  if (!thread_.joinable()) return;
  {
    const base::MutexLock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void DiskWriter::write(Write write) {
  Task task;
  task.bytes = write.response->memory_bytes();
  task.write = std::move(write);
  push(std::move(task));
}

void DiskWriter::remove(std::string key) {
  Task task;
  task.kind = Kind::Remove;
  task.write.key = std::move(key);
  push(std::move(task));
}

void DiskWriter::mark(std::string key) {
  Task task;
  task.kind = Kind::Mark;
  task.write.key = std::move(key);
  push(std::move(task));
}

void DiskWriter::push(Task task) {
  {
    const base::MutexLock lock(mutex_);
    if (task.kind == Kind::Write && (ending_ || waiting_bytes_ + task.bytes > kMaxWaitingBytes)) {
      task.write.response->release_disk();
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    waiting_bytes_ += task.bytes;
    waiting_.fetch_add(1, std::memory_order_acq_rel);
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void DiskWriter::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-write");
  base::work_in_background(kNice);
  for (;;) {
    Task task;
    const Step step = next(task);
    if (step == Step::Task) {
      perform(task);
    } else if (step != Step::Look) {
      step == Step::End ? log_.sync() : log_.flush();
      flush_at_.reset();
    }
    look_whether_off();
    if (step == Step::End) return;
  }
}

DiskWriter::Step DiskWriter::next(Task& task) {
  const auto look_at = Clock::now() + kLookEvery;
  base::MutexLock lock(mutex_);
  for (;;) {
    if (flush_at_ && Clock::now() >= *flush_at_) return Step::Flush;
    if (!queue_.empty()) {
      task = std::move(queue_.front());
      queue_.pop_front();
      waiting_bytes_ -= task.bytes;
      return Step::Task;
    }
    if (ending_) return Step::End;
    if (Clock::now() >= look_at) return Step::Look;
    lock.wait_until(changed_, flush_at_ ? std::min(*flush_at_, look_at) : look_at);
  }
}

void DiskWriter::perform(Task& task) {
  switch (task.kind) {
    case Kind::Write:
      append(task.write);
      break;
    case Kind::Remove:
      log_.remove(task.write.key);
      break;
    case Kind::Mark:
      // What has to be noted must be there whatever happens to the process.
      log_.append(task.write.key, {}, kNoEpoch);
      log_.flush();
      break;
  }
  waiting_.fetch_sub(1, std::memory_order_acq_rel);
}

void DiskWriter::append(Write& write) {
  const StoredResponse& response = *write.response;
  const std::uint64_t epoch = std::max(response.validated_epoch(), response.stamp().epoch);
  const std::string value = encode_response(response, write.behavior, log_.runs());
  const bool varies = !write.vary_names.empty();
  bool appended = false;
  {
    const base::MutexLock lock(append_mutex_);
    // Who purges or changes after this comes after it on the disk, too.
    if (epoch >= oldest_epoch_ && !response.is_changed(*changes_))
      appended = log_.append(varies ? write.variant_key : write.key, value, epoch);
  }
  if (!appended) {
    if (value.size() <= log_.max_value_bytes()) response.release_disk();
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (varies) log_.append(write.key, encode_variants(write.vary_names), kNoEpoch);
  written_.fetch_add(1, std::memory_order_relaxed);
  if (!flush_at_) flush_at_ = Clock::now() + kFlushAfter;
}

void DiskWriter::look_whether_off() {
  if (is_off_.load(std::memory_order_relaxed)) return;
  const std::string because = log_.off_because();
  if (because.empty()) return;
  on_off_(because);
  is_off_.store(true, std::memory_order_release);
}

std::uint64_t DiskWriter::settle(std::uint64_t epoch) {
  {
    const base::MutexLock lock(append_mutex_);
    oldest_epoch_ = std::max(oldest_epoch_, epoch);
  }
  // Nothing of it will be used again, not by the next process either: see DiskTier.
  return is_off_.load(std::memory_order_acquire) ? UINT64_MAX : log_.oldest_epoch();
}

DiskWriter::Stats DiskWriter::stats() const {
  const base::MutexLock lock(mutex_);
  return {.written = written_.load(std::memory_order_relaxed),
          .dropped = dropped_.load(std::memory_order_relaxed),
          .waiting_bytes = waiting_bytes_};
}

}  // namespace headgate::cache
