// SPDX-License-Identifier: MIT
// The disk tier's index with ten million records (or as many as the argument says): memory an
// entry, look-ups, and how long the footers of that many take to be read after a crash. The device
// makes its octets up, so no disk is measured. Prints JSON.
#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "appliance/base/hash.h"
#include "appliance/cache/disk/log.h"

namespace {

using namespace headgate;
using namespace headgate::cache::disk;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Sealed regions with 1,000 records each, of 64 KiB: only headers, footers and trailers are there.
class MadeUpDevice final : public Device {
 public:
  static constexpr std::uint64_t kRecords = 1000;
  static constexpr std::uint64_t kRegion = std::uint64_t{64} << 20;
  static constexpr std::uint64_t kFooter = kRegion - 65536;

  explicit MadeUpDevice(std::uint64_t regions) : regions_(regions) {
    superblock_.region_count = static_cast<std::uint32_t>(regions);
    superblock_.region_bytes = kRegion;
    superblock_.device_id = 1;
  }
  std::uint64_t size_bytes() const override { return 2 * kSuperblockBytes + regions_ * kRegion; }
  Status read(std::uint64_t offset, std::span<char> into) override {
    std::memset(into.data(), 0, into.size());
    if (offset < 2 * kSuperblockBytes) return put(into, 0, sealed(superblock_));
    const std::uint64_t region = (offset - 2 * kSuperblockBytes) / kRegion;
    const std::uint64_t within = (offset - 2 * kSuperblockBytes) % kRegion;
    if (within == 0) {
      RegionHeader header;
      header.device_id = 1;
      header.sequence = region + 1;
      header.life = region + 1;
      return put(into, 0, sealed(header));
    }
    const std::string footer = footer_of(region);
    if (within == kFooter) return put(into, 0, footer);
    Trailer trailer;
    trailer.entries = kRecords;
    trailer.life = region + 1;
    trailer.oldest_epoch = 1;
    trailer.footer_offset = static_cast<std::uint32_t>(kFooter / kRecordUnit);
    trailer.footer_crc = base::crc32c(footer);
    return put(into, into.size() - kRecordUnit, sealed(trailer));
  }
  Status write(std::uint64_t, std::span<const char>) override { return {}; }
  Status sync() override { return {}; }

 private:
  static Status put(std::span<char> into, std::uint64_t at, const std::string& octets) {
    std::memcpy(into.data() + at, octets.data(), octets.size());
    return {};
  }
  static std::string footer_of(std::uint64_t region) {
    std::string footer;
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      FooterEntry entry;
      entry.hash = mixed(region * kRecords + i + 1);
      entry.offset = static_cast<std::uint32_t>(8 + i * 128);
      entry.length = 128;
      footer.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
    }
    return footer;
  }

  const std::uint64_t regions_;
  Superblock superblock_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  MadeUpDevice device(records / MadeUpDevice::kRecords);
  const auto start = Clock::now();
  auto log = Log::open(device, {});
  if (!log) {
    fmt::print(stderr, "{}\n", log.error().context);
    return 1;
  }
  const double opened = seconds_since(start);
  (*log)->recover();
  const double recovered = seconds_since(start);
  const LogStats stats = (*log)->stats();

  Index index;
  for (std::uint64_t i = 0; i < records; ++i)
    index.put(mixed(i), {.region = static_cast<std::uint32_t>(i % 1000), .offset = 1, .length = 1});
  const auto before = Clock::now();
  constexpr std::uint64_t kLookups = 5'000'000;
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < kLookups; ++i)
    found += index.find(mixed(mixed(i) % (2 * records))).has_value();
  const double looked_up = seconds_since(before);
  fmt::print(
      "{{\"records\": {}, \"openSeconds\": {:.4f}, \"recoverSeconds\": {:.2f}, "
      "\"octetsAnEntry\": {:.2f}, \"lookupsPerSecond\": {:.0f}, \"found\": {:.3f}}}\n",
      stats.records, opened, recovered,
      static_cast<double>(stats.index_bytes) / static_cast<double>(stats.records),
      static_cast<double>(kLookups) / looked_up,
      static_cast<double>(found) / static_cast<double>(kLookups));
  return 0;
}
