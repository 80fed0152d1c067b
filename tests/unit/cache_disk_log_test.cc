// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "appliance/cache/disk/file_device.h"
#include "appliance/cache/disk/log.h"
#include "tests/support/fault_device.h"
#include "tests/support/scratch.h"

using headgate::cache::disk::FileDevice;
using headgate::cache::disk::Log;
using headgate::cache::disk::Record;
using headgate::test::FaultDevice;

namespace {

constexpr std::uint64_t kRegion = 64 * 1024;

Log::Options small() {
  return {.region_bytes = kRegion, .buffer_bytes = 8 * 1024, .max_errors = 3};
}

std::uint64_t size_of(std::uint64_t regions) { return 8192 + regions * kRegion; }

/// Recovered, unless told otherwise.
std::unique_ptr<Log> open(headgate::cache::disk::Device& device, bool recovers = true,
                          const Log::Options& options = small()) {
  auto log = Log::open(device, options);
  REQUIRE(log);
  if (recovers) (*log)->recover();
  return std::move(*log);
}

std::string value_of(Log& log, const std::string& key) {
  const auto record = log.read(key);
  return record ? record->value : "none";
}

bool is_refused_to_another_process(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto second = FileDevice::open(path, size_of(4));
    ::_exit(!second && second.error().context.find("another process") != std::string::npos);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

std::string filled(char c, std::size_t size) { return std::string(size, c); }

}  // namespace

TEST_CASE("what was appended is read once it is flushed, and after the next start") {
  FaultDevice device(size_of(4));
  {
    auto log = open(device);
    CHECK(log->append("shop /a", filled('a', 3500), 7));
    CHECK(value_of(*log, "shop /a") == "none");
    log->flush();
    CHECK(value_of(*log, "shop /a") == filled('a', 3500));
    CHECK(log->append("shop /a", "newer", 9));
    CHECK(value_of(*log, "shop /a") == "none");  // never what is older than what was stored
    CHECK(log->append("shop /b", "", 8));
  }
  auto log = open(device, false);
  CHECK(value_of(*log, "shop /a") == "none");  // answers before it knows anything
  CHECK_FALSE(log->append("shop /c", "c", 1));
  CHECK(log->oldest_epoch() == 0);
  log->recover();
  CHECK(value_of(*log, "shop /a") == "newer");
  CHECK(log->read("shop /a")->epoch == 9);
  CHECK(value_of(*log, "shop /b") == "");
  CHECK(log->oldest_epoch() == 7);
  CHECK(log->stats().records == 2);
}

TEST_CASE("what was removed never comes back, whenever that was") {
  FaultDevice device(size_of(4));
  {
    auto log = open(device);
    for (const char* key : {"a", "b", "c", "d"}) log->append(key, key, 1);
    log->remove("a");  // while it waits to be written
    log->flush();
    log->remove("b");
    log->remove("d");
    log->append("d", "again", 2);
    CHECK(value_of(*log, "a") == "none");
    CHECK(value_of(*log, "b") == "none");
  }
  {
    auto log = open(device, false);
    log->remove("c");  // before anything is known of what is there
    log->recover();
    CHECK(value_of(*log, "a") == "none");
    CHECK(value_of(*log, "b") == "none");
    CHECK(value_of(*log, "c") == "none");
    CHECK(value_of(*log, "d") == "again");
  }
  auto log = open(device);
  CHECK(value_of(*log, "c") == "none");
  CHECK(value_of(*log, "d") == "again");
  CHECK(log->stats().records == 1);
}

TEST_CASE("the oldest region goes first; what was used in it goes around, within the bound") {
  FaultDevice device(size_of(4));
  auto log = open(device);
  log->append("used", filled('u', 3000), 1);
  for (int i = 0; i < 300; ++i) {
    log->append("key " + std::to_string(i), filled('x', 3000), 1);
    if (i % 10 == 0) CHECK((i == 0 || value_of(*log, "used") == filled('u', 3000)));
    if (i % 3 == 0) value_of(*log, "key " + std::to_string(i - 3));
  }
  CHECK(value_of(*log, "key 0") == "none");
  log->flush();
  CHECK(value_of(*log, "key 299") == filled('x', 3000));
  const auto stats = log->stats();
  CHECK(stats.reinserted_bytes > 0);
  CHECK(stats.reinserted_bytes * 5 <= stats.appended_bytes);
  CHECK(stats.damaged == 0);
  CHECK(stats.records < 4 * kRegion / 3000);
}

TEST_CASE("a device of another size is formatted, one of the same is not") {
  FaultDevice device(size_of(4));
  open(device)->append("a", "a", 1);
  CHECK(value_of(*open(device), "a") == "a");
  Log::Options other = small();
  other.region_bytes = 2 * kRegion;
  CHECK(value_of(*open(device, true, other), "a") == "none");
  CHECK(value_of(*open(device), "a") == "none");
  FaultDevice tiny(kRegion);
  CHECK_FALSE(Log::open(tiny, small()));
}

TEST_CASE("whatever has become of the octets, nothing is read that was not stored") {
  FaultDevice device(size_of(4));
  std::map<std::string, std::string> stored;
  {
    auto log = open(device);
    for (int i = 0; i < 60; ++i) {
      const std::string key = "key " + std::to_string(i);
      stored[key] = filled(static_cast<char>('a' + i % 26), 500 + 50 * static_cast<std::size_t>(i));
      log->append(key, stored[key], 1);
    }
  }
  std::mt19937 random(5);
  std::size_t found = 0;
  std::size_t missed = 0;
  for (int round = 0; round < 200; ++round) {
    FaultDevice damaged(device.bytes);
    for (int i = 0; i < 20; ++i)
      damaged.bytes[random() % (round % 2 == 0 ? damaged.bytes.size() : 2 * kRegion)] ^=
          static_cast<char>(1 << random() % 8);
    auto log = open(damaged);
    for (const auto& [key, value] : stored) {
      const std::string got = value_of(*log, key);
      const bool right = got == value;
      REQUIRE((right || got == "none"));
      ++(right ? found : missed);
    }
  }
  CHECK(found > missed);  // damage costs what it hits
  CHECK(missed > 0);
}

TEST_CASE("a device that fails turns the log off, and it says why; nothing else happens") {
  FaultDevice device(size_of(4));
  auto log = open(device);
  log->append("a", "a", 1);
  log->flush();
  device.fails_writes = true;
  CHECK(log->off_because() == "");
  for (int i = 0; i < 10; ++i) {
    log->append("b", "b", 1);
    log->flush();
  }
  CHECK(log->off_because().find("no space left") != std::string::npos);
  CHECK(value_of(*log, "a") == "none");
  CHECK_FALSE(log->append("c", "c", 1));
  log->remove("a");
  CHECK(log->stats().records == 0);
}

TEST_CASE("one failure costs what was waiting, and the log goes on elsewhere") {
  FaultDevice device(size_of(4));
  auto log = open(device);
  log->append("a", "a", 1);
  log->flush();
  log->append("b", "b", 1);
  device.fails_writes = true;
  log->flush();
  device.fails_writes = false;
  CHECK(value_of(*log, "a") == "a");
  CHECK(value_of(*log, "b") == "none");
  CHECK(log->append("c", "c", 1));
  log->flush();
  CHECK(value_of(*log, "c") == "c");
  device.fails_reads = true;
  for (int i = 0; i < 3; ++i) CHECK(value_of(*log, "a") == "none");
  CHECK(log->off_because().find("broken") != std::string::npos);
}

TEST_CASE("a file is read and written past the page cache where its file system lets it") {
  const headgate::test::ScratchFolder folder;
  const std::string path = folder / "cache";
  auto device = FileDevice::open(path, size_of(4));
  REQUIRE(device);
  FileDevice& file = **device;
  const int flags = ::fcntl(file.descriptor(), F_GETFL);
  CHECK(file.is_direct() == ((flags & O_DIRECT) != 0));
  CHECK(file.is_direct() == file.why_not_direct().empty());
  // Nothing of the caller is aligned, and it is more than is copied at once.
  constexpr std::size_t kBlock = headgate::cache::disk::Device::kBlockBytes;
  std::string written(1 + (std::size_t{3} << 20) + kBlock, '?');
  for (std::size_t i = 0; i < written.size(); ++i) written[i] = static_cast<char>(i % 251);
  const std::span<const char> octets = std::span<const char>(written).subspan(1);
  REQUIRE(file.write(kBlock, octets));
  std::string back(written.size(), '!');
  REQUIRE(file.read(kBlock, std::span<char>(back).subspan(1)));
  CHECK(back.substr(1) == written.substr(1));
  std::ifstream again(path, std::ios::binary);
  again.seekg(kBlock);
  std::string seen(octets.size(), '.');
  again.read(seen.data(), static_cast<std::streamsize>(seen.size()));
  CHECK(seen == written.substr(1));
}

TEST_CASE("a file keeps what was stored, for one process at a time") {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("headgate-disk-" + std::to_string(std::random_device()()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "cache";
  {
    auto device = FileDevice::open(path, size_of(4));
    REQUIRE(device);
    CHECK(is_refused_to_another_process(path));
    (*device)->unlock();
    CHECK_FALSE(is_refused_to_another_process(path));
    auto log = open(**device);
    log->append("a", "a", 1);
    log->sync();
    CHECK(value_of(*log, "a") == "a");
  }
  {
    auto device = FileDevice::open(path, size_of(4));
    REQUIRE(device);
    CHECK(value_of(*open(**device), "a") == "a");
  }
  CHECK_FALSE(FileDevice::open(folder, size_of(4)));
  std::filesystem::remove_all(folder);
}
