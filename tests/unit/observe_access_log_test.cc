// SPDX-License-Identifier: MIT
// The access log's way to a file, a full disk, a pipe that nobody reads.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "appliance/observe/access_log.h"
#include "appliance/observe/log_file.h"

using headgate::observe::AccessLog;
using headgate::observe::LogFile;
using headgate::observe::RequestRecord;

namespace {

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "headgate-log-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_;
};

std::string read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

/// How many lines there are; every one must be JSON.
std::size_t count_valid_lines(const std::string& path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) REQUIRE(nlohmann::json::accept(line));
  return count;
}

std::unique_ptr<AccessLog> open(const std::string& target) {
  auto log = AccessLog::open(target);
  REQUIRE_MESSAGE(log.has_value(), log.error().context);
  return std::move(*log);
}

RequestRecord record_of(std::string_view target) {
  RequestRecord record;
  record.target = target;
  record.status = 200;
  return record;
}

/// Files of this process cannot grow beyond `limit` while it lives; then write fails with EFBIG or
/// is cut short, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t limit) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
    set(limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }
  void set(rlim_t limit) {
    auto changed = old_;
    changed.rlim_cur = limit;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &changed) == 0);
  }
  void lift() { REQUIRE(::setrlimit(RLIMIT_FSIZE, &old_) == 0); }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = SIG_DFL;
};

}  // namespace

TEST_CASE("all lines of all workers are in the file when the log has ended") {
  const Scratch scratch;
  const auto path = scratch.path("access.log");
  {
    const auto log = open(path);
    std::vector<std::thread> workers;
    for (int i = 0; i < 3; ++i) {
      workers.emplace_back([&log, i] {
        const auto channel = log->add_worker();
        for (int line = 0; line < 2000; ++line) {
          channel->write(record_of("/" + std::to_string(i) + "/" + std::to_string(line)));
          if (line % 700 == 0) channel->flush();
        }
      });
    }
    for (auto& worker : workers) worker.join();
  }
  CHECK(count_valid_lines(path) == 6000);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777 & ~0640u) == 0);
}

TEST_CASE("a channel that outlives its log does no harm") {
  const Scratch scratch;
  auto log = open(scratch.path("access.log"));
  const auto channel = log->add_worker();
  log.reset();
  channel->write(record_of("/"));
  channel->flush();
}

TEST_CASE("lines are appended to what is there") {
  const Scratch scratch;
  const auto path = scratch.path("access.log");
  std::ofstream(path) << "{}\n";
  open(path)->add_worker()->write(record_of("/"));
  CHECK(count_valid_lines(path) == 2);
}

TEST_CASE("a rotated file gets no more lines after reopen, and the new one gets them") {
  const Scratch scratch;
  const auto path = scratch.path("access.log");
  {
    const auto log = open(path);
    const auto channel = log->add_worker();
    channel->write(record_of("/before"));
    channel->flush();
    while (log->lines_written() != 1) std::this_thread::yield();
    std::filesystem::rename(path, path + ".1");
    REQUIRE(log->reopen().has_value());
    channel->write(record_of("/after"));
    channel->flush();
    while (log->lines_written() != 2) std::this_thread::yield();
  }
  CHECK(read(path + ".1").find("/before") != std::string::npos);
  CHECK(count_valid_lines(path + ".1") == 1);
  CHECK(read(path).find("/after") != std::string::npos);
}

TEST_CASE("when reopening fails the old file stays in use") {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.path("logs"));
  const auto path = scratch.path("logs/access.log");
  {
    const auto log = open(path);
    std::filesystem::rename(scratch.path("logs"), scratch.path("moved"));
    const auto status = log->reopen();
    REQUIRE_FALSE(status.has_value());
    CHECK(status.error().context.find("reopening the access log: " + path + ": No such file") !=
          std::string::npos);
    log->add_worker()->write(record_of("/"));
  }
  CHECK(count_valid_lines(scratch.path("moved/access.log")) == 1);
}

TEST_CASE("a target that cannot be opened is refused with its path and the reason") {
  const Scratch scratch;
  const auto missing = AccessLog::open("/nonexistent/access.log");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().blame == headgate::Blame::Config);
  CHECK(missing.error().context ==
        "opening the access log: /nonexistent/access.log: No such file or directory");
  CHECK(AccessLog::open(scratch.path("")).error().context.find("Is a directory") !=
        std::string::npos);
  REQUIRE(::mkfifo(scratch.path("pipe").c_str(), 0600) == 0);
  CHECK(AccessLog::open(scratch.path("pipe")).error().context.find("nobody reads this pipe") !=
        std::string::npos);
}

TEST_CASE("a full disk costs whole lines, counted, and writing goes on when there is room again") {
  const Scratch scratch;
  const auto path = scratch.path("access.log");
  {
    const auto log = open(path);
    const auto channel = log->add_worker();
    const auto write_lines = [&](int count) {
      const auto settled =
          log->lines_written() + log->lines_dropped() + static_cast<std::uint64_t>(count);
      for (int i = 0; i < count; ++i) channel->write(record_of("/" + std::to_string(i)));
      channel->flush();
      // The torn line counts once it is whole.
      while (log->lines_written() + log->lines_dropped() < settled) std::this_thread::yield();
    };
    {
      FileSizeLimit limit(1000);  // in the middle of a line
      write_lines(100);
      CHECK(log->lines_dropped() > 80);
      write_lines(10);
      limit.lift();
      write_lines(5);
    }
    const auto written = log->lines_written();
    CHECK(written + log->lines_dropped() == 115);
    CHECK(count_valid_lines(path) == written);
  }
}

TEST_CASE("a pipe that nobody reads costs lines, not memory, and ends within its patience") {
  std::array<int, 2> ends;
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const auto log = open("/proc/self/fd/" + std::to_string(ends[1]));
  ::close(ends[1]);
  const auto channel = log->add_worker();
  const std::string target(4000, 'x');
  for (int i = 0; i < 10'000; ++i) channel->write(record_of(target));  // 40 MB; buffers are 8 MiB
  CHECK(log->lines_dropped() > 5000);
  ::close(ends[0]);  // the writer's EPIPE ends nothing but the lines
}

TEST_CASE("a reader that comes back to a pipe gets whole lines") {
  std::array<int, 2> ends;
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  std::string received;
  std::thread reader;
  {
    const auto log = open("/proc/self/fd/" + std::to_string(ends[1]));
    ::close(ends[1]);
    const auto channel = log->add_worker();
    for (int i = 0; i < 3000; ++i) channel->write(record_of("/" + std::string(300, 'x')));
    reader = std::thread([&] {
      std::array<char, 5000> chunk;
      for (;;) {
        const ssize_t count = ::read(ends[0], chunk.data(), chunk.size());
        if (count <= 0) break;
        received.append(chunk.data(), static_cast<std::size_t>(count));
      }
    });
  }
  reader.join();
  ::close(ends[0]);
  std::istringstream lines(received);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) REQUIRE(nlohmann::json::accept(line));
  CHECK(count == 3000);
}

TEST_CASE("at the end a pipe that nobody reads is given up") {
  std::array<int, 2> ends;
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const std::atomic<bool> stopping{true};
  LogFile file("a pipe", ends[1], stopping);
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "0123456789 0123456789\n";
  const auto lost = file.write(lines, 10'000);
  CHECK(lost > 5000);
  CHECK(lost < 10'000);
  ::close(ends[0]);
}
