// SPDX-License-Identifier: MIT
// Reads of the cache's disk that nobody waits for, in both ways.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "appliance/cache/disk/reads/thread_reads.h"
#include "appliance/cache/disk/reads/uring_reads.h"
#include "tests/support/scratch.h"

using namespace headgate;
using cache::disk::Reads;
using cache::disk::ThreadReads;
using cache::disk::UringReads;

namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kBlocks = 256;

struct File {
  File() {
    std::string content;
    for (std::uint64_t i = 0; i < kBlocks; ++i)
      content.append(kBlock, static_cast<char>('a' + i % 26));
    test::write(folder / "file", content);
    descriptor = ::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(descriptor >= 0);
  }
  ~File() { ::close(descriptor); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  test::ScratchFolder folder;
  int descriptor = -1;
};

void check_reads(Reads& reads) {
  std::atomic<int> right{0};
  std::atomic<int> answers{0};
  int begun = 0;
  for (std::uint64_t i = 0; i + 1 < kBlocks; ++i)
    begun += reads.read(i * kBlock, 2 * kBlock, [&, i](Status read, std::string_view octets) {
      if (read && octets.size() == 2 * kBlock &&
          octets.front() == static_cast<char>('a' + i % 26) &&
          octets.back() == static_cast<char>('a' + (i + 1) % 26))
        ++right;
      ++answers;
    });
  CHECK(begun == kBlocks - 1);
  while (answers < begun) std::this_thread::yield();
  CHECK(right == begun);

  std::promise<std::string> error;
  REQUIRE(reads.read((kBlocks - 1) * kBlock, 2 * kBlock, [&](Status read, std::string_view) {
    error.set_value(read ? "none" : read.error().context);
  }));
  CHECK(error.get_future().get().find("the file has become shorter") != std::string::npos);
}

}  // namespace

TEST_CASE("threads read what is there, and say what is not") {
  const File file;
  ThreadReads reads(file.descriptor);
  check_reads(reads);
}

TEST_CASE("io_uring reads what is there, and says what is not") {
  const File file;
  auto reads = UringReads::open(file.descriptor);
  if (!reads) {
    // The kernel refuses: then it says so, and threads read.
    CHECK(reads.error().context.find("io_uring_setup: ") == 0);
    return;
  }
  check_reads(**reads);
}

TEST_CASE("which of the two reads is told, and why") {
  const File file;
  std::string why_not;
  const auto reads = cache::disk::make_reads(file.descriptor, why_not);
  CHECK((reads->name() == "io_uring") == why_not.empty());
  check_reads(*reads);
}

TEST_CASE("who asks for too much is refused, and what was begun is answered") {
  const File file;
  std::promise<void> go_on;
  const std::shared_future<void> may_go_on = go_on.get_future().share();
  std::atomic<int> answers{0};
  std::string why_not;
  const auto reads = cache::disk::make_reads(file.descriptor, why_not);
  int begun = 0;
  const auto wait = [&](Status, std::string_view) {
    may_go_on.wait();
    ++answers;
  };
  bool refused = false;
  for (int i = 0; i < 3 * static_cast<int>(Reads::kMaxWaiting) && !refused; ++i) {
    if (reads->read(0, kBlock, wait))
      ++begun;
    else
      refused = true;
  }
  CHECK(refused);
  go_on.set_value();
  while (answers < begun) std::this_thread::yield();
  CHECK(answers == begun);
}
