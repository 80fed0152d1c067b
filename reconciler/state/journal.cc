// SPDX-License-Identifier: MIT
// What happened, in order, durably: the commit point of configuration and purges.
#include "reconciler/state/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <optional>

#include "appliance/base/hash.h"

namespace headgate::reconciler {
namespace {

constexpr std::string_view kHead = "headgate journal 1\n";
constexpr std::string_view kMagic = "HGJR";
constexpr std::size_t kFrameBytes = 12;
constexpr std::uint32_t kMaxPayloadBytes = 64U << 20;
constexpr std::uint64_t kMaxJournalBytes = std::uint64_t{1} << 30;

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((value >> shift) & 0xff);
}

std::uint32_t get_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

/// The payload of the whole record at the start of `rest`; `cut_short` when there is not enough of
/// it.
std::optional<std::string_view> whole_record(std::string_view rest, bool& cut_short) {
  cut_short = false;
  if (rest.size() < kFrameBytes) {
    cut_short = kMagic.starts_with(rest.substr(0, kMagic.size()));
    return std::nullopt;
  }
  if (!rest.starts_with(kMagic)) return std::nullopt;
  const std::uint32_t length = get_u32(rest.substr(4));
  if (length > kMaxPayloadBytes) return std::nullopt;
  if (rest.size() - kFrameBytes < length) {
    cut_short = true;
    return std::nullopt;
  }
  const std::string_view payload = rest.substr(kFrameBytes, length);
  const std::uint32_t crc = base::crc32c(payload, base::crc32c(rest.substr(4, 4)));
  if (crc != get_u32(rest.substr(8))) return std::nullopt;
  return payload;
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text.data(), milliseconds);
}

std::string serialize(const Json& record) {
  // Text of a repository may be in any encoding: it must not stop the journal.
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string_view journal_head() { return kHead; }

std::string frame_record(std::string_view payload) {
  std::string record(kMagic);
  std::string length;
  put_u32(length, static_cast<std::uint32_t>(payload.size()));
  record += length;
  put_u32(record, base::crc32c(payload, base::crc32c(length)));
  record += payload;
  return record;
}

JournalScan scan_journal(std::string_view content) {
  JournalScan scan;
  if (!content.starts_with(kHead)) {
    // Shorter than its head: a crash in the first write. Anything else is not ours.
    scan.torn = kHead.starts_with(content) && !content.empty();
    if (!scan.torn) scan.damaged_bytes = content.size();
    return scan;
  }
  std::size_t at = kHead.size();
  scan.valid_bytes = at;
  while (at < content.size()) {
    bool cut_short = false;
    const std::string_view rest = content.substr(at);
    if (const auto payload = whole_record(rest, cut_short)) {
      Json record = Json::parse(*payload, nullptr, false);
      at += kFrameBytes + payload->size();
      scan.valid_bytes = at;
      if (record.is_object()) scan.records.push_back(std::move(record));
      continue;
    }
    const std::size_t next = rest.find(kMagic, 1);
    if (next == std::string_view::npos) {
      scan.torn = cut_short;
      if (!cut_short) scan.damaged_bytes += rest.size();
      break;
    }
    scan.damaged_bytes += next;
    at += next;
  }
  return scan;
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, Disk& disk,
                                               std::string* report) {
  std::unique_ptr<Journal> journal(new Journal(path, disk));
  std::string content;
  if (::access(path.c_str(), F_OK) == 0) {
    HG_TRY(content, read_file(path, kMaxJournalBytes), "reading the journal");
  }
  JournalScan scan = scan_journal(content);
  const bool headless =
      scan.valid_bytes == 0;  // none, empty, cut short in its head, or damaged there
  if (const std::size_t first = content.find(kMagic); headless && first != std::string::npos) {
    scan = scan_journal(std::string(kHead) + content.substr(first));
    scan.damaged_bytes += first;
  }
  for (const Json& record : scan.records)
    journal->sequence_ = std::max(journal->sequence_, record.value("sequence", std::uint64_t{0}));
  journal->size_bytes_ = scan.valid_bytes;

  if (scan.damaged_bytes > 0) {
    HG_CHECK(replace_file(disk, path + ".damaged", content), "keeping the damaged journal");
    HG_CHECK(journal->rewrite(scan.records), "mending the journal");
    *report = fmt::format(
        "{}: {} octets were damaged; {} records are whole; the damaged file is kept as {}.damaged",
        path, scan.damaged_bytes, scan.records.size(), path);
  } else if (content.empty() || scan.torn) {
    if (headless) HG_CHECK(journal->rewrite({}), "making the journal");
    HG_CHECK(journal->open_for_appending(), "opening the journal");
    HG_CHECK(journal->repair(), "cutting the journal's torn end");
    if (scan.torn)
      *report = fmt::format(
          "{}: the last record was cut short by a crash and has been removed ({} octets)", path,
          content.size() - scan.valid_bytes);
  } else {
    HG_CHECK(journal->open_for_appending(), "opening the journal");
  }
  journal->records_ = std::move(scan.records);
  return journal;
}

Status Journal::open_for_appending() {
  file_ = File(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!file_.is_open() || ::lseek(file_.fd(), static_cast<off_t>(size_bytes_), SEEK_SET) < 0)
    return fail(Blame::Self, "{}: {}", path_, std::strerror(errno));
  return {};
}

Status Journal::repair() {
  HG_CHECK(disk_.truncate(file_.fd(), size_bytes_), "{}", path_);
  HG_CHECK(disk_.sync(file_.fd()), "{}", path_);
  needs_repair_ = false;
  return {};
}

Result<Json> Journal::append(const Json& record) {
  if (needs_repair_) HG_CHECK(repair(), "cutting what an earlier error left");
  Json whole;
  whole["sequence"] = sequence_ + 1;
  whole["time"] = timestamp();
  for (const auto& [name, value] : record.items()) whole[name] = value;
  const std::string payload = serialize(whole);
  if (payload.size() > kMaxPayloadBytes)
    return fail(Blame::Config, "a record of {} octets is too large", payload.size());
  const std::string framed = frame_record(payload);

  Status written = disk_.write(file_.fd(), framed);
  if (written) written = disk_.sync(file_.fd());
  if (!written) {
    // Whether the octets are on the disk is unknown: they must not become a record that nobody
    // acted upon.
    needs_repair_ = true;
    if (auto repaired = repair(); !repaired)
      written.error().context += "; " + repaired.error().context;
    return tl::unexpected<Error>(std::move(written.error()).within("writing " + path_));
  }
  size_bytes_ += framed.size();
  ++sequence_;
  return whole;
}

Status Journal::rewrite(const std::vector<Json>& records) {
  std::string content(kHead);
  for (const Json& record : records) content += frame_record(serialize(record));
  const Status replaced = replace_file(disk_, path_, content);
  // After an error the new file may be in place all the same: what is appended must go to the one
  // that has the name.
  struct stat facts {};
  const bool is_new = ::stat(path_.c_str(), &facts) == 0 &&
                      static_cast<std::uint64_t>(facts.st_size) == content.size();
  if (is_new) {
    size_bytes_ = content.size();
    needs_repair_ = false;
  }
  if (replaced || file_.is_open()) HG_CHECK(open_for_appending(), "opening the journal again");
  HG_CHECK(Status(replaced), "writing {}", path_);
  return {};
}

}  // namespace headgate::reconciler
