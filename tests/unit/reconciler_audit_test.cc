// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "reconciler/state/audit.h"
#include "schema/text.h"
#include "tests/support/scratch.h"

using namespace headgate;
using reconciler::Audit;

namespace {

std::string event(std::uint64_t sequence) {
  return fmt::format(R"({{"sequence":{},"type":"activated"}})", sequence);
}

reconciler::AuditReport check(const std::string& text,
                              const std::optional<std::string>& previous = "") {
  std::istringstream lines(text);
  return reconciler::verify_audit(lines, previous);
}

std::unique_ptr<Audit> open(const std::string& path, reconciler::Disk& disk,
                            std::uint64_t limit = Audit::kFileLimit) {
  auto opened = Audit::open(path, disk, limit);
  if (!opened) FAIL(opened.error().context);
  return std::move(*opened);
}

/// Writes fail while `broken`, after half of the octets.
class HalfDisk final : public reconciler::Disk {
 public:
  bool broken = false;
  Status write(int fd, std::string_view bytes) override {
    if (!broken) return Disk::write(fd, bytes);
    (void)Disk::write(fd, bytes.substr(0, bytes.size() / 2));
    return fail(Blame::Self, "no space left");
  }
};

}  // namespace

TEST_CASE("each line names the hash of the one before") {
  const test::ScratchFolder scratch;
  reconciler::Disk disk;
  const auto audit = open(scratch / "audit", disk);
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(audit->append(i, event(i)));
  const std::string text = test::read(scratch / "audit");
  const std::string first = R"({"sequence":1,"type":"activated","previous":""})";
  CHECK(text.starts_with(first + "\n"));
  CHECK(text.find("\"previous\":\"" + schema::sha256_hex(first) + "\"") != std::string::npos);
  const auto report = check(text);
  CHECK(report.broken_line == 0);
  CHECK(report.records == 3);
  CHECK(report.last_sequence == 3);
}

TEST_CASE("what is changed, taken out, put in or moved is found where it is") {
  const test::ScratchFolder scratch;
  reconciler::Disk disk;
  const auto audit = open(scratch / "audit", disk);
  for (std::uint64_t i = 1; i <= 4; ++i) REQUIRE(audit->append(i, event(i)));
  std::vector<std::string> lines;
  std::istringstream all(test::read(scratch / "audit"));
  for (std::string line; std::getline(all, line);) lines.push_back(line + "\n");
  std::string changed = lines[1];
  changed.replace(changed.find("activated"), 9, "refused11");
  CHECK(check(lines[0] + changed + lines[2] + lines[3]).broken_line == 3);
  CHECK(check(lines[0] + lines[2] + lines[3]).broken_line == 2);
  CHECK(check(lines[0] + lines[1] + lines[1] + lines[2]).broken_line == 3);
  CHECK(check(lines[0] + "hello\n" + lines[1]).broken_line == 2);
  CHECK(check(lines[1] + lines[2]).broken_line == 1);
  CHECK(check(lines[1] + lines[2], std::nullopt).broken_line == 0);  // an older file is not there
  CHECK(check(lines[0] + lines[1]).last_hash ==
        schema::sha256_hex(lines[1].substr(0, lines[1].size() - 1)));
}

TEST_CASE("after a restart the chain goes on, without what it has") {
  const test::ScratchFolder scratch;
  reconciler::Disk disk;
  for (std::uint64_t i = 1; i <= 2; ++i)
    REQUIRE(open(scratch / "audit", disk)->append(i, event(i)));
  const auto audit = open(scratch / "audit", disk);
  CHECK(audit->last_sequence() == 2);
  for (std::uint64_t i = 1; i <= 4; ++i) REQUIRE(audit->append(i, event(i)));
  CHECK(check(test::read(scratch / "audit")).records == 4);
  CHECK(check(test::read(scratch / "audit")).broken_line == 0);
}

TEST_CASE("a torn end is cut, and comes again") {
  const test::ScratchFolder scratch;
  reconciler::Disk disk;
  const std::string path = scratch / "audit";
  REQUIRE(open(path, disk)->append(1, event(1)));
  const std::string whole = test::read(path);
  REQUIRE(open(path, disk)->append(2, event(2)));
  const std::size_t size = test::read(path).size();
  for (std::size_t cut = whole.size(); cut < size; ++cut) {
    std::filesystem::resize_file(path, cut);
    const auto audit = open(path, disk);
    REQUIRE(audit->last_sequence() == 1);
    REQUIRE(audit->append(2, event(2)));
    REQUIRE(check(test::read(path)).records == 2);
    REQUIRE(check(test::read(path)).broken_line == 0);
  }
}

TEST_CASE("what cannot be written waits, and is said once") {
  const test::ScratchFolder scratch;
  HalfDisk disk;
  const auto audit = open(scratch / "audit", disk);
  REQUIRE(audit->append(1, event(1)));
  disk.broken = true;
  CHECK_FALSE(audit->append(2, event(2)));
  CHECK(audit->append(3, event(3)));
  disk.broken = false;
  CHECK(audit->append(4, event(4)));
  CHECK(check(test::read(scratch / "audit")).records == 4);
  CHECK(check(test::read(scratch / "audit")).broken_line == 0);
}

TEST_CASE("files change, the chain goes on across them") {
  const test::ScratchFolder scratch;
  reconciler::Disk disk;
  const std::string path = scratch / "audit";
  for (std::uint64_t i = 1; i <= 40; ++i)  // a process each
    REQUIRE(open(path, disk, 600)->append(i, event(i)));
  std::optional<std::string> previous;
  std::uint64_t records = 0;
  for (const char* suffix : {".4", ".3", ".2", ".1", ""}) {
    const auto report = check(test::read(path + suffix), previous);
    CHECK(report.broken_line == 0);
    CHECK(report.records > 0);
    previous = report.last_hash;
    records += report.records;
  }
  CHECK(records < 40);
  CHECK_FALSE(std::filesystem::exists(path + ".5"));
}
