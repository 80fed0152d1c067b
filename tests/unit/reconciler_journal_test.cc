// SPDX-License-Identifier: MIT
// The journal under crashes and damage: no whole record is ever lost.
#include <doctest/doctest.h>

#include "reconciler/state/journal.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using headgate::test::ScratchFolder;

namespace {

std::unique_ptr<Journal> open(const std::string& path, Disk& disk, std::string* report = nullptr) {
  std::string ignored;
  auto journal = Journal::open(path, disk, report != nullptr ? report : &ignored);
  REQUIRE_MESSAGE(journal.has_value(), (journal ? "" : journal.error().context));
  return std::move(*journal);
}

void append(Journal& journal, const std::string& type) {
  const auto record = journal.append(Json{{"type", type}});
  REQUIRE_MESSAGE(record.has_value(), (record ? "" : record.error().context));
}

std::vector<std::string> types(const std::vector<Json>& records) {
  std::vector<std::string> result;
  for (const Json& record : records) result.push_back(record.at("type").get<std::string>());
  return result;
}

/// A journal of three records, and where each of them ends.
struct Sample {
  std::string content;
  std::vector<std::size_t> ends;
};
Sample sample(const std::string& path, Disk& disk) {
  Sample made;
  auto journal = open(path, disk);
  for (const char* type : {"first", "second", "third"}) {
    append(*journal, type);
    made.ends.push_back(journal->size_bytes());
  }
  made.content = test::read(path);
  REQUIRE(made.content.size() == made.ends.back());
  return made;
}

/// Writes half of what it is given, then fails, as a full disk does.
class FullDisk final : public Disk {
 public:
  bool full = false;
  bool sync_fails = false;
  Status write(int fd, std::string_view bytes) override {
    if (!full) return Disk::write(fd, bytes);
    (void)Disk::write(fd, bytes.substr(0, bytes.size() / 2));
    return fail(Blame::Self, "write: No space left on device");
  }
  Status sync(int fd) override {
    if (sync_fails) return fail(Blame::Self, "fsync: Input/output error");
    return Disk::sync(fd);
  }
};

}  // namespace

TEST_CASE("a journal gives its records back in order, numbered from one") {
  const ScratchFolder folder;
  Disk disk;
  sample(folder / "journal", disk);
  const auto journal = open(folder / "journal", disk);
  CHECK(types(journal->records()) == std::vector<std::string>{"first", "second", "third"});
  CHECK(journal->records()[0].at("sequence") == 1);
  CHECK(journal->records()[2].at("sequence") == 3);
  CHECK(journal->records()[2].at("time").get<std::string>().ends_with("Z"));
  append(*journal, "fourth");
  CHECK(journal->last_sequence() == 4);
}

TEST_CASE("a journal that was cut at any length keeps every record that was whole") {
  const ScratchFolder folder;
  Disk disk;
  const Sample whole = sample(folder / "journal", disk);
  for (std::size_t length = 0; length <= whole.content.size(); ++length) {
    INFO("cut after " << length << " octets");
    test::write(folder / "cut", whole.content.substr(0, length));
    const auto count = static_cast<std::size_t>(std::count_if(
        whole.ends.begin(), whole.ends.end(), [&](std::size_t end) { return end <= length; }));
    std::string report;
    {
      const auto journal = open(folder / "cut", disk, &report);
      REQUIRE(journal->records().size() == count);
      append(*journal, "after");
    }
    const bool at_an_end = length == 0 || length == journal_head().size() ||
                           std::count(whole.ends.begin(), whole.ends.end(), length) > 0;
    CHECK(report.empty() == at_an_end);
    const auto again = open(folder / "cut", disk, &report);
    REQUIRE(again->records().size() == count + 1);
    CHECK(again->records().back().at("type") == "after");
  }
}

TEST_CASE("an octet that was altered anywhere costs the record that it is in, and no other") {
  const ScratchFolder folder;
  Disk disk;
  const Sample whole = sample(folder / "journal", disk);
  for (std::size_t at = 0; at < whole.content.size(); ++at) {
    INFO("octet " << at);
    std::string content = whole.content;
    content[at] = static_cast<char>(content[at] ^ 0x10);
    test::write(folder / "altered", content);
    std::string report;
    const auto journal = open(folder / "altered", disk, &report);
    CHECK_FALSE(report.empty());
    const bool in_head = at < journal_head().size();
    REQUIRE(journal->records().size() == (in_head ? 3U : 2U));
    append(*journal, "after");
    CHECK(open(folder / "altered", disk)->records().back().at("type") == "after");
  }
}

TEST_CASE("damage in the middle is reported, and the damaged file is kept") {
  const ScratchFolder folder;
  Disk disk;
  const Sample whole = sample(folder / "journal", disk);
  std::string content = whole.content;
  content[whole.ends[0] + 20] = '!';
  test::write(folder / "journal", content);
  std::string report;
  const auto journal = open(folder / "journal", disk, &report);
  CHECK(types(journal->records()) == std::vector<std::string>{"first", "third"});
  CHECK(report.find("journal.damaged") != std::string::npos);
  CHECK(test::read(folder / "journal.damaged") == content);
}

TEST_CASE("a file that is no journal at all is kept aside and a new one begun") {
  const ScratchFolder folder;
  Disk disk;
  test::write(folder / "journal", std::string(1000, '\xff'));
  std::string report;
  const auto journal = open(folder / "journal", disk, &report);
  CHECK(journal->records().empty());
  CHECK_FALSE(report.empty());
  append(*journal, "first");
  CHECK(open(folder / "journal", disk)->records().size() == 1);
  CHECK(test::read(folder / "journal.damaged") == std::string(1000, '\xff'));
}

TEST_CASE("a record that could not be written leaves nothing behind") {
  const ScratchFolder folder;
  FullDisk disk;
  const auto journal = open(folder / "journal", disk);
  append(*journal, "first");
  SUBCASE("the disk is full") { disk.full = true; }
  SUBCASE("the sync fails") { disk.sync_fails = true; }
  const auto record = journal->append(Json{{"type", "lost"}});
  REQUIRE_FALSE(record.has_value());
  CHECK(record.error().context.find(folder / "journal") != std::string::npos);
  disk.full = disk.sync_fails = false;
  append(*journal, "second");
  CHECK(types(open(folder / "journal", disk)->records()) ==
        std::vector<std::string>{"first", "second"});
}

TEST_CASE("text in any encoding can be recorded") {
  const ScratchFolder folder;
  Disk disk;
  REQUIRE(open(folder / "journal", disk)
              ->append(Json{{"type", "refused"}, {"subject", "caf\xe9 HGJR"}})
              .has_value());
  CHECK(open(folder / "journal", disk)->records().size() == 1);
}

TEST_CASE("a journal that is rewritten goes on after the new records") {
  const ScratchFolder folder;
  Disk disk;
  sample(folder / "journal", disk);
  {
    const auto journal = open(folder / "journal", disk);
    REQUIRE(journal->rewrite({journal->records().back()}).has_value());
    append(*journal, "fourth");
    CHECK(journal->last_sequence() == 4);
  }
  CHECK(types(open(folder / "journal", disk)->records()) ==
        std::vector<std::string>{"third", "fourth"});
}
