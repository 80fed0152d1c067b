// SPDX-License-Identifier: MIT
// A disk that loses its power: the process ends at a chosen operation, and what was not synced is
// torn or gone.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reconciler/state/disk.h"

namespace headgate::test {

/// Kill: the process dies, the kernel writes what it was given. PowerLoss: nothing is there before
/// it was synced, names of files included.
class FaultDisk final : public reconciler::Disk {
 public:
  enum class Model { Kill, PowerLoss };
  static constexpr int kDied = 77;

  /// Dies at operation `point` (from 0). Of the write that this concerns, the first `torn` octets
  /// are on the disk.
  FaultDisk(Model model, int point, std::size_t torn = 0)
      : model_(model), point_(point), torn_(torn) {}

  Status write(int fd, std::string_view bytes) override {
    if (is_the_end()) {
      if (model_ == Model::Kill) (void)Disk::write(fd, bytes.substr(0, torn_));
      die();
    }
    if (model_ == Model::Kill) return Disk::write(fd, bytes);
    unsynced_[fd] += bytes;
    return {};
  }
  Status sync(int fd) override {
    const std::string bytes = std::exchange(unsynced_[fd], "");
    if (is_the_end()) {
      (void)Disk::write(fd, std::string_view(bytes).substr(0, torn_));
      die();
    }
    if (Status written = Disk::write(fd, bytes); !written) return written;
    return Disk::sync(fd);
  }
  Status truncate(int fd, std::uint64_t size_bytes) override {
    if (is_the_end()) die();
    return Disk::truncate(fd, size_bytes);
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (is_the_end()) die();
    if (model_ == Model::Kill) return Disk::rename(from, to);
    renames_.emplace_back(from, to);
    return {};
  }
  Status sync_folder(const std::string& path) override {
    if (is_the_end()) die();
    for (const auto& [from, to] : std::exchange(renames_, {}))
      if (Status renamed = Disk::rename(from, to); !renamed) return renamed;
    return Disk::sync_folder(path);
  }
  Status remove(const std::string& path) override {
    if (is_the_end()) die();
    return Disk::remove(path);
  }

 private:
  bool is_the_end() { return next_++ == point_; }
  [[noreturn]] static void die() { ::_exit(kDied); }

  Model model_;
  int point_;
  std::size_t torn_;
  int next_ = 0;
  std::map<int, std::string> unsynced_;
  std::vector<std::pair<std::string, std::string>> renames_;
};

/// Runs `work` in a process of its own. True when it died at its point, false when it came to its
/// end.
inline bool dies(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == FaultDisk::kDied) return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  throw std::runtime_error("the process under test neither died at its point nor ended well");
}

}  // namespace headgate::test
