// SPDX-License-Identifier: MIT
// What the cache's disk costs, as JSON: octets that are written for each that is stored, when what
// is asked for changes all the time; what a read costs, with a key and without.
// Usage: disk_bench FOLDER, which must have room for a GiB.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "appliance/cache/disk/encrypted/encrypted_device.h"
#include "appliance/cache/disk/file_device.h"
#include "appliance/cache/disk/log.h"

using namespace headgate;
using namespace headgate::cache::disk;
using Json = nlohmann::json;

namespace {

constexpr std::uint64_t kDiskBytes = std::uint64_t{1} << 30;
constexpr std::size_t kRequests = 300'000;
constexpr std::size_t kObjects = 100'000;
/// Of the popularity of objects, as in traces of CDNs.
constexpr double kExponent = 0.9;
/// The most popular objects are others after so many requests.
constexpr std::size_t kShiftEvery = 10'000;
constexpr std::size_t kShift = 500;

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "disk_bench: " << why << "\n";
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().context);
  return std::move(*result);
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Objects by popularity, approximately Zipf's.
class Popularity {
 public:
  explicit Popularity(std::mt19937_64& random) : random_(random) {}
  std::size_t next() {
    const double part = std::uniform_real_distribution<>(0, 1)(random_);
    const double top = std::pow(static_cast<double>(kObjects), 1 - kExponent);
    const auto rank =
        static_cast<std::size_t>(std::pow(part * (top - 1) + 1, 1 / (1 - kExponent))) - 1;
    return (std::min(rank, kObjects - 1) + count_++ / kShiftEvery * kShift) % kObjects;
  }

 private:
  std::mt19937_64& random_;
  std::size_t count_ = 0;
};

/// 2 KiB to 200 KiB, most of them small; an object's is always the same.
std::size_t size_of(std::size_t object) {
  std::mt19937_64 random(object);
  return static_cast<std::size_t>(2048 *
                                  std::pow(100.0, std::uniform_real_distribution<>(0, 1)(random)));
}

Json measure(const std::string& path, bool has_key) {
  const auto file = must(FileDevice::open(path, kDiskBytes));
  std::unique_ptr<EncryptedDevice> encrypted;
  if (has_key)
    encrypted = std::make_unique<EncryptedDevice>(
        *file, must(BlockCipher::make("a key of thirty-two octets or more")));
  Device& device = has_key ? static_cast<Device&>(*encrypted) : *file;
  const auto log = must(Log::open(device, {.region_bytes = std::uint64_t{16} << 20}));
  log->recover();

  std::mt19937_64 random(1);
  Popularity popularity(random);
  const std::string octets(200 * 1024, 'o');
  std::uint64_t hits = 0;
  std::uint64_t read_bytes = 0;
  double reading = 0;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const std::size_t object = popularity.next();
    const std::string key = fmt::format("shop GET https://shop.example.com/{}", object);
    const double before = cpu_seconds();
    if (const auto found = log->read(key)) {
      reading += cpu_seconds() - before;
      ++hits;
      read_bytes += found->value.size();
    } else if (!log->append(key, std::string_view(octets).substr(0, size_of(object)), 1)) {
      give_up("not stored: " + log->off_because());
    }
  }
  log->flush();
  const LogStats stats = log->stats();
  return {{"key", has_key},
          {"requests", kRequests},
          {"hitRatio", static_cast<double>(hits) / kRequests},
          {"appendedBytes", stats.appended_bytes},
          {"reinsertedBytes", stats.reinserted_bytes},
          {"writtenBytes", stats.written_bytes},
          {"writeAmplification",
           static_cast<double>(stats.written_bytes) / static_cast<double>(stats.appended_bytes)},
          {"readMiBPerCpuSecond", static_cast<double>(read_bytes) / (1 << 20) / reading}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("usage: disk_bench FOLDER");
  Json all = Json::array();
  for (const bool has_key : {false, true})
    all.push_back(measure(std::string(argv[1]) + (has_key ? "/encrypted" : "/plain"), has_key));
  std::cout << all.dump() << "\n";
  return 0;
}
