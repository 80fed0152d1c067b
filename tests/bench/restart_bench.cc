// SPDX-License-Identifier: MIT
// The start of a disk that a killed process has left behind, on a real file: a child stores records
// through the product's Log, as many as the second argument says (10 million), and is killed in the
// middle of the next one; then the file is opened anew. Of the file's octets none are in the page
// cache where the device goes past it ("direct"). Prints JSON.
// Usage: restart_bench FOLDER [RECORDS], with room for 1.2 KiB a record.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "appliance/cache/disk/file_device.h"
#include "appliance/cache/disk/log.h"

namespace {

using namespace headgate;
using namespace headgate::cache::disk;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRegion = std::uint64_t{64} << 20;
constexpr std::size_t kValueBytes = 900;  // and a header and a key: two units
constexpr std::uint64_t kStride = 7919;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "restart_bench: {}\n", why);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().context);
  return std::move(*result);
}

std::string key_of(std::uint64_t record) { return fmt::format("rshop\nGET\nhost\n/{}", record); }

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Stores all of them, says so, and goes on until it is killed.
[[noreturn]] void store(const std::string& path, std::uint64_t bytes, std::uint64_t records,
                        int told) {
  const auto device = must(FileDevice::open(path, bytes));
  const auto log = must(Log::open(*device, {.region_bytes = kRegion}));
  log->recover();
  const std::string value(kValueBytes, 'x');
  for (std::uint64_t i = 0; i < records; ++i)
    if (!log->append(key_of(i), value, 1)) give_up("not stored: " + log->off_because());
  log->flush();
  if (::write(told, "x", 1) != 1) give_up("nobody listens");
  for (;;) log->append("more", value, 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) give_up("usage: restart_bench FOLDER [RECORDS]");
  const std::string path = std::string(argv[1]) + "/restart";
  const std::uint64_t records = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10'000'000;
  const std::uint64_t bytes = (records * 1200 / kRegion + 4) * kRegion;
  int pipe[2] = {};
  if (::pipe(pipe) != 0) give_up("no pipe");
  const pid_t child = ::fork();
  if (child < 0) give_up("no process");
  if (child == 0) {
    ::close(pipe[0]);
    store(path, bytes, records, pipe[1]);
  }
  ::close(pipe[1]);
  const auto began = Clock::now();
  char stored = 0;
  if (::read(pipe[0], &stored, 1) != 1) give_up("the process that stores has ended");
  const double store_seconds = seconds_since(began);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);

  const auto start = Clock::now();
  const auto device = must(FileDevice::open(path, bytes));
  const auto log = must(Log::open(*device, {.region_bytes = kRegion}));
  const double open_seconds = seconds_since(start);
  std::thread recovery([&log] { log->recover(); });
  double first_seconds = 0;
  for (std::uint64_t i = 0; first_seconds == 0; i = (i + kStride) % records) {
    if (log->contains(key_of(i)) || log->recovered()) first_seconds = seconds_since(start);
  }
  recovery.join();
  const double recover_seconds = seconds_since(start);

  std::uint64_t asked = 0;
  std::uint64_t known = 0;
  for (std::uint64_t i = 0; i < records; i += 1 + records / 100'000) {
    ++asked;
    known += log->contains(key_of(i));
  }
  std::uint64_t right = 0;
  std::uint64_t reads = 0;
  for (std::uint64_t i = 0; i < records; i += 1 + records / 1'000) {
    const auto record = log->read(key_of(i));
    ++reads;
    right += record && record->value.size() == kValueBytes;
  }
  const LogStats stats = log->stats();
  fmt::print(
      "{{\"records\": {}, \"direct\": {}, \"fileMiB\": {}, \"storeSeconds\": {:.1f}, "
      "\"openSeconds\": {:.4f}, \"firstFoundSeconds\": {:.4f}, \"recoverSeconds\": {:.2f}, "
      "\"known\": {:.4f}, \"readRight\": {:.4f}, \"octetsAnEntry\": {:.1f}}}\n",
      stats.records, device->is_direct(), bytes >> 20, store_seconds, open_seconds, first_seconds,
      recover_seconds, static_cast<double>(known) / static_cast<double>(asked),
      static_cast<double>(right) / static_cast<double>(reads),
      static_cast<double>(stats.index_bytes) / static_cast<double>(stats.records));
  ::unlink(path.c_str());
  return 0;
}
