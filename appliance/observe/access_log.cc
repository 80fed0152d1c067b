// SPDX-License-Identifier: MIT
// Buffers from the workers to a writer thread, and from it to the file.
//
// A buffer's way: free → a channel fills it → queue → the writer → free. There are at most
// kMaxBuffers; a channel that finds none drops lines and counts them, so that a disk that stands
// still costs 8 MiB and no request.
#include "appliance/observe/access_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>

#include "appliance/base/background.h"
#include "appliance/base/mutex.h"
#include "appliance/observe/line.h"
#include "appliance/observe/log_file.h"

namespace headgate::observe {
namespace {

constexpr std::size_t kBufferSize = 64 * 1024;
constexpr std::size_t kMaxBuffers = 128;
static_assert(LineFormatter::kMaxLine <= kBufferSize);

struct Buffer {
  std::array<char, kBufferSize> data;
  std::size_t size = 0;
  std::uint64_t lines = 0;
};

/// What channels and the writer share.
class Exchange {
 public:
  /// Null when all buffers are under way.
  std::unique_ptr<Buffer> take_free() EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    if (!free_.empty()) {
      auto buffer = std::move(free_.back());
      free_.pop_back();
      return buffer;
    }
    if (made_ == kMaxBuffers) return nullptr;
    ++made_;
    return std::unique_ptr<Buffer>(new Buffer);  // not make_unique: 64 KiB need no zeros
  }

  void hand_over(std::unique_ptr<Buffer> buffer) EXCLUDES(mutex_) {
    {
      const base::MutexLock lock(mutex_);
      queue_.push_back(std::move(buffer));
    }
    changed_.notify_one();
  }

  /// `fd` is for the writer from now on, which closes the one before.
  void replace_file(int fd) EXCLUDES(mutex_) {
    {
      const base::MutexLock lock(mutex_);
      if (next_fd_ >= 0) ::close(next_fd_);
      next_fd_ = fd;
    }
    changed_.notify_one();
  }

  void stop() EXCLUDES(mutex_) {
    {
      const base::MutexLock lock(mutex_);
      stopping_ = true;
    }
    stopping_now.store(true);
    changed_.notify_one();
  }

  /// Blocks until there is something to do. False once stopped with nothing left.
  bool next(std::unique_ptr<Buffer>& buffer, int& new_fd) EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (buffer) {
      buffer->size = 0;
      buffer->lines = 0;
      free_.push_back(std::move(buffer));
    }
    while (queue_.empty() && next_fd_ < 0 && !stopping_) lock.wait(changed_);
    new_fd = std::exchange(next_fd_, -1);
    if (queue_.empty()) return new_fd >= 0 || !stopping_;
    buffer = std::move(queue_.front());
    queue_.pop_front();
    return true;
  }

  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<bool> stopping_now{false};

 private:
  base::Mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Buffer>> free_ GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Buffer>> queue_ GUARDED_BY(mutex_);
  std::size_t made_ GUARDED_BY(mutex_) = 0;
  int next_fd_ GUARDED_BY(mutex_) = -1;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

class FileChannel final : public AccessLog::Channel {
 public:
  explicit FileChannel(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~FileChannel() override { flush(); }

  void write(const RequestRecord& record) override {
    const auto bound = LineFormatter::bound(record);
    if (buffer_ && buffer_->size + bound > kBufferSize) flush();
    if (!buffer_) buffer_ = exchange_->take_free();
    if (!buffer_) {
      exchange_->dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    buffer_->size += formatter_.format(record, buffer_->data.data() + buffer_->size);
    ++buffer_->lines;
  }

  void flush() override {
    if (buffer_) exchange_->hand_over(std::move(buffer_));
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  std::unique_ptr<Buffer> buffer_;  ///< null or not empty
  LineFormatter formatter_;
};

class FileAccessLog final : public AccessLog {
 public:
  FileAccessLog(std::string target, int fd)
      : target_(std::move(target)),
        exchange_(std::make_shared<Exchange>()),
        writer_([this, fd] { run(fd); }) {}
  ~FileAccessLog() override {
    exchange_->stop();
    writer_.join();
  }

  std::unique_ptr<Channel> add_worker() override {
    return std::make_unique<FileChannel>(exchange_);
  }

  Status reopen() override {
    if (target_ == "-") return {};
    HG_TRY(const int fd, open_log(target_), "reopening the access log");
    exchange_->replace_file(fd);
    return {};
  }

  std::uint64_t lines_written() const override { return exchange_->written.load(); }
  std::uint64_t lines_dropped() const override { return exchange_->dropped.load(); }

 private:
  void run(int fd) {
    base::work_in_background(0);  // workers wake this thread: it must not take their processor
    pthread_setname_np(pthread_self(), "headgate-log");
    LogFile file(target_, fd, exchange_->stopping_now);
    std::unique_ptr<Buffer> buffer;
    int new_fd = -1;
    while (exchange_->next(buffer, new_fd)) {
      if (new_fd >= 0) exchange_->dropped.fetch_add(file.replace(new_fd));
      if (!buffer) continue;
      const auto lost = file.write({buffer->data.data(), buffer->size}, buffer->lines);
      exchange_->written.fetch_add(buffer->lines - lost);
      exchange_->dropped.fetch_add(lost);
    }
  }

  const std::string target_;
  const std::shared_ptr<Exchange> exchange_;
  std::thread writer_;
};

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target) {
  HG_TRY(const int fd, open_log(target), "opening the access log");
  return std::unique_ptr<AccessLog>(std::make_unique<FileAccessLog>(target, fd));
}

std::vector<Family> access_log_families(const AccessLog& log) {
  return {{"headgate_access_log_lines_total",
           "Lines of the access log, by whether they were written.",
           "counter",
           {{"result=\"written\"", static_cast<double>(log.lines_written())},
            {"result=\"dropped\"", static_cast<double>(log.lines_dropped())}}}};
}

}  // namespace headgate::observe
