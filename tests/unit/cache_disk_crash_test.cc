// SPDX-License-Identifier: MIT
// The disk's log after a crash at any moment: nothing damaged is read, nothing removed comes back,
// and what was there is there.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "appliance/cache/disk/encrypted/encrypted_device.h"
#include "appliance/cache/disk/log.h"
#include "tests/support/fault_device.h"

using headgate::cache::disk::BlockCipher;
using headgate::cache::disk::EncryptedDevice;
using headgate::cache::disk::Log;
using headgate::test::FaultDevice;

namespace {

constexpr std::uint64_t kRegion = 32 * 1024;
constexpr int kKeys = 12;

std::string key_of(int number) { return "shop /" + std::to_string(number); }

/// A log, and what makes its octets unreadable where it has a key.
struct Opened {
  std::unique_ptr<EncryptedDevice> encrypted;
  std::unique_ptr<Log> log;
  Log* operator->() const { return log.get(); }
  Log& operator*() const { return *log; }
  void reset() { log.reset(); }
};

Opened open(FaultDevice& device, bool has_key = false) {
  Opened opened;
  if (has_key)
    opened.encrypted = std::make_unique<EncryptedDevice>(
        device, *BlockCipher::make("a key of thirty-two octets or more"));
  auto log =
      Log::open(has_key ? static_cast<headgate::cache::disk::Device&>(*opened.encrypted) : device,
                {.region_bytes = kRegion, .buffer_bytes = 6000, .max_errors = 3});
  REQUIRE(log);
  opened.log = std::move(*log);
  opened->recover();
  return opened;
}

/// What a key was, from when on: `writes` and `synced` count the device's.
struct Version {
  std::string value;  ///< empty: removed
  std::size_t writes;
  bool is_synced;
  std::size_t synced_at;
};

/// Some hundred operations on three regions, so that each begins anew several times.
struct History {
  explicit History(std::uint32_t seed, bool has_key = false) : device(8192 + 3 * kRegion) {
    std::mt19937 random(seed);
    auto log = open(device, has_key);
    before = device.bytes;
    device.records = true;
    for (int step = 0; step < 150; ++step) {
      const int key = static_cast<int>(random() % kKeys);
      switch (random() % 8) {
        case 0:
        case 1:
          log->remove(key_of(key));
          add(key, "");
          break;
        case 2:
          log->flush();
          snapshots[device.writes.size()] = readable(*log);
          break;
        case 3:
          log->sync();
          for (auto& versions : history)
            for (Version& version : versions) {
              if (version.is_synced) continue;
              version.is_synced = true;
              version.synced_at = device.writes.size();
            }
          break;
        default: {
          std::string value = std::to_string(step) + ":";
          value.resize(100 + random() % 1900, static_cast<char>('a' + step % 26));
          REQUIRE(log->append(key_of(key), value, 1));
          add(key, value);
        }
      }
    }
    log.reset();
    device.records = false;
  }

  void add(int key, std::string value) {
    history[key].push_back({std::move(value), device.writes.size(), false, 0});
  }
  static std::map<std::string, std::string> readable(Log& log) {
    std::map<std::string, std::string> found;
    for (int key = 0; key < kKeys; ++key)
      if (auto record = log.read(key_of(key))) found[key_of(key)] = record->value;
    return found;
  }

  /// Whether `value` may be there after a crash: it was stored, and not before the last removal
  /// that counts.
  template <class Counts>
  bool may_be(int key, const std::string& value, Counts counts) const {
    bool may = false;
    for (const Version& version : history[key]) {
      if (version.value == value) may = true;
      if (version.value.empty() && counts(version)) may = false;
    }
    return may;
  }

  FaultDevice device;
  std::string before;
  std::vector<Version> history[kKeys];
  std::map<std::size_t, std::map<std::string, std::string>> snapshots;  ///< by number of writes
};

}  // namespace

TEST_CASE("the process is killed in the middle of any write, torn anywhere") {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const bool has_key = seed > 2;
    const History history(seed, has_key);
    std::mt19937 random(seed);
    const auto& writes = history.device.writes;
    REQUIRE(writes.size() > 40);
    for (std::size_t count = 0; count <= writes.size(); ++count) {
      const std::size_t octets = count < writes.size() ? writes[count].octets.size() : 0;
      for (std::size_t torn = 0; torn <= octets; torn += 512) {
        const std::size_t at = torn == 0 ? 0 : torn - random() % 2 * (random() % 512);
        FaultDevice crashed(history.device.crashed(history.before, count, at));
        auto log = open(crashed, has_key);
        const auto found = History::readable(*log);
        for (int key = 0; key < kKeys; ++key) {
          const auto value = found.find(key_of(key));
          if (value == found.end()) continue;
          REQUIRE(history.may_be(key, value->second, [count](const Version& removal) {
            return removal.writes <= count;
          }));
        }
        // Warm: what had been written is there.
        if (const auto snapshot = history.snapshots.find(count);
            at == 0 && snapshot != history.snapshots.end())
          REQUIRE(found == snapshot->second);
      }
    }
  }
}

TEST_CASE("the machine dies, and any part of what was not synced has not arrived") {
  for (std::uint32_t seed = 11; seed <= 13; ++seed) {
    const History history(seed);
    std::mt19937 random(seed);
    const auto& writes = history.device.writes;
    for (std::size_t count = 1; count <= writes.size(); ++count) {
      const std::size_t synced =
          count < writes.size() ? writes[count].synced_before : writes.size();
      for (int round = 0; round < 20; ++round) {
        std::string image = history.before;
        for (std::size_t i = 0; i < count; ++i) {
          const std::size_t all = writes[i].octets.size();
          const bool arrives = i < synced || random() % 2 == 0;
          FaultDevice::apply(image, writes[i],
                             i >= synced && random() % 4 == 0 ? random() % all : arrives * all);
        }
        FaultDevice crashed(std::move(image));
        auto log = open(crashed);
        const auto found = History::readable(*log);
        for (int key = 0; key < kKeys; ++key) {
          const auto value = found.find(key_of(key));
          if (value == found.end()) continue;
          REQUIRE(history.may_be(key, value->second, [synced](const Version& removal) {
            return removal.is_synced && removal.synced_at <= synced;
          }));
        }
      }
    }
  }
}

TEST_CASE(
    "after a crash the log goes on: what is stored and removed then holds at the next start") {
  const History history(21);
  const auto& writes = history.device.writes;
  for (std::size_t count = 0; count <= writes.size(); count += 3) {
    FaultDevice crashed(history.device.crashed(history.before, count, 700));
    std::map<std::string, std::string> expected;
    {
      auto log = open(crashed);
      log->remove(key_of(0));
      REQUIRE(log->append(key_of(1), "after the crash", 2));
      log->flush();
      expected = History::readable(*log);
      REQUIRE(expected.count(key_of(0)) == 0);
      REQUIRE(expected[key_of(1)] == "after the crash");
    }
    REQUIRE(History::readable(*open(crashed)) == expected);
  }
}

TEST_CASE("a removal outlives what it removes, in whatever order the device writes") {
  FaultDevice device(8192 + 3 * kRegion);
  auto log = open(device);
  const std::string filler(1500, 'f');
  int number = 0;
  const auto fill = [&] { REQUIRE(log->append("filler " + std::to_string(++number), filler, 1)); };
  const auto region_of = [](const FaultDevice::Write& write) {
    return (write.offset - 8192) / kRegion;
  };
  const std::string before = device.bytes;
  device.records = true;
  const auto fill_until_region = [&](std::uint64_t region) {
    do fill();
    while (device.writes.empty() || region_of(device.writes.back()) != region);
  };
  REQUIRE(log->append("removed", "value", 1));
  fill_until_region(1);  // the value is in region 0
  log->remove("removed");
  log->sync();
  fill_until_region(2);
  fill_until_region(0);
  fill_until_region(1);  // the removal is gone
  std::string image = before;
  for (std::size_t i = 0; i < device.writes.size(); ++i)
    if (i < device.synced || region_of(device.writes[i]) != 0)
      FaultDevice::apply(image, device.writes[i], SIZE_MAX);
  device.records = false;
  FaultDevice crashed(std::move(image));
  CHECK_FALSE(open(crashed)->read("removed"));
}
