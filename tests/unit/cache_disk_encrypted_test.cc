// SPDX-License-Identifier: MIT
// The cache's disk with a key: nothing of what is stored can be read there.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>

#include "appliance/cache/disk/encrypted/encrypted_device.h"
#include "appliance/cache/disk/file_device.h"
#include "appliance/cache/disk/log.h"
#include "appliance/cache/disk/reads/reads.h"
#include "tests/support/fault_device.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::cache::disk;
using headgate::test::FaultDevice;

namespace {

constexpr std::uint64_t kBlock = Device::kBlockBytes;
constexpr std::string_view kKey = "a key of thirty-two octets or more";

BlockCipher cipher_of(std::string_view key) {
  auto cipher = BlockCipher::make(key);
  REQUIRE(cipher);
  return *cipher;
}

std::unique_ptr<Log> open(Device& device) {
  auto log = Log::open(device, {.region_bytes = 64 * 1024, .buffer_bytes = 8 * 1024});
  REQUIRE(log);
  (*log)->recover();
  return std::move(*log);
}

}  // namespace

TEST_CASE("a block comes back with its key, from its place, and from nowhere else") {
  const BlockCipher cipher = cipher_of(kKey);
  const std::string plain = std::string(kBlock, 'a') + std::string(kBlock, 'a');
  std::string encrypted(plain.size(), '\0');
  REQUIRE(cipher.encrypt(7 * kBlock, plain, encrypted));
  CHECK(encrypted.find("aaaa") == std::string::npos);
  CHECK(encrypted.substr(0, kBlock) != encrypted.substr(kBlock));
  std::string back(plain.size(), '\0');
  REQUIRE(cipher.decrypt(7 * kBlock, encrypted, back));
  CHECK(back == plain);
  REQUIRE(cipher.decrypt(8 * kBlock, encrypted, back));
  CHECK(back != plain);
  REQUIRE(cipher_of("another key of thirty-two octets.").decrypt(7 * kBlock, encrypted, back));
  CHECK(back != plain);
}

TEST_CASE(
    "it is AES-256-XTS with the key that HKDF-SHA256 makes, the block's number as its tweak") {
  // Calculated apart: HKDF by Python's hmac, the block by its package "cryptography".
  const BlockCipher cipher = cipher_of("0123456789abcdef0123456789abcdef");
  std::string encrypted(kBlock, '\0');
  REQUIRE(cipher.encrypt(kBlock, std::string(kBlock, '\0'), encrypted));
  CHECK(encrypted.substr(0, 16) ==
        "\x52\xe7\xf8\x95\xf9\x4e\x44\x34\x2c\xa6\xaf\xce\xd6\x3a\xf4\x30");
}

TEST_CASE("a key that is too short is refused, and white space at the end is none of it") {
  const auto refused = BlockCipher::make("thirty-one octets are one less. \n");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().blame == Blame::Config);
  CHECK(refused.error().context.find("too short") != std::string::npos);
  const std::string plain(kBlock, 'x');
  std::string one(kBlock, '\0');
  std::string other(kBlock, '\0');
  REQUIRE(cipher_of(kKey).encrypt(0, plain, one));
  REQUIRE(cipher_of(std::string(kKey) + "\r\n").encrypt(0, plain, other));
  CHECK(one == other);
}

TEST_CASE("nothing of keys and values lies on the disk, and the next start finds them") {
  FaultDevice disk(8192 + 4 * 64 * 1024);
  EncryptedDevice device(disk, cipher_of(kKey));
  {
    const auto log = open(device);
    REQUIRE(log->append("the key of a response", std::string(9000, 'v'), 1));
    log->sync();
  }
  CHECK(disk.bytes.find("vvvv") == std::string::npos);
  CHECK(disk.bytes.find("the key of") == std::string::npos);
  const auto log = open(device);
  const auto record = log->read("the key of a response");
  REQUIRE(record);
  CHECK(record->value == std::string(9000, 'v'));
  CHECK(log->runs() == 2);
}

TEST_CASE("with another key, or with none, the disk is new") {
  FaultDevice disk(8192 + 4 * 64 * 1024);
  EncryptedDevice device(disk, cipher_of(kKey));
  {
    const auto log = open(device);
    REQUIRE(log->append("key", "value", 1));
    log->sync();
  }
  EncryptedDevice other(disk, cipher_of("another key of thirty-two octets."));
  for (Device* now : {static_cast<Device*>(&other), static_cast<Device*>(&disk)}) {
    const auto log = open(*now);
    CHECK_FALSE(log->read("key"));
    CHECK(log->runs() == 1);
    REQUIRE(log->append("key", "new", 1));
    log->flush();
    CHECK(log->read("key")->value == "new");
  }
}

TEST_CASE("what was altered on the disk is a miss") {
  FaultDevice disk(8192 + 4 * 64 * 1024);
  EncryptedDevice device(disk, cipher_of(kKey));
  const auto log = open(device);
  REQUIRE(log->append("key", std::string(14000, 'v'), 1));
  log->flush();
  disk.bytes[8192 + 10000] ^= 1;
  CHECK_FALSE(log->read("key"));
  CHECK(log->stats().damaged == 1);
}

TEST_CASE("reads that nobody waits for are decrypted, and errors stay errors") {
  const test::ScratchFolder folder;
  auto file = FileDevice::open(folder / "disk", 16 * kBlock);
  REQUIRE(file);
  const BlockCipher cipher = cipher_of(kKey);
  EncryptedDevice device(**file, cipher);
  const std::string plain(2 * kBlock, 'p');
  REQUIRE(device.write(3 * kBlock, plain));
  std::string why_not;
  EncryptedReads reads(make_reads((*file)->descriptor(), why_not), cipher);
  CHECK((reads.name() == "io_uring" || reads.name() == "threads"));
  const auto read = [&](std::uint64_t offset) {
    std::promise<std::string> answer;
    REQUIRE(reads.read(offset, 2 * kBlock, [&](Status status, std::string_view octets) {
      answer.set_value(status ? std::string(octets) : "error");
    }));
    return answer.get_future().get();
  };
  CHECK(read(3 * kBlock) == plain);
  CHECK(read(15 * kBlock) == "error");  // beyond the end
}
