// SPDX-License-Identifier: MIT
#include "reconciler/state/audit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Json = nlohmann::ordered_json;

/// No event is longer: the journal's are 64 MiB at most, and these are told apart by their ends.
constexpr std::uint64_t kLongestTail = 65U << 20;
constexpr std::size_t kMaxWaiting = 1000;
constexpr int kFiles = 4;  ///< that are kept beside the one that is written

std::uint64_t sequence_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  const auto found = json.is_object() ? json.find("sequence") : json.end();
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

/// The last octets of a file, at most `limit`.
Result<std::string> tail_of(int fd, std::uint64_t size, std::uint64_t limit,
                            const std::string& path) {
  std::string tail(static_cast<std::size_t>(std::min(size, limit)), '\0');
  std::size_t done = 0;
  while (done < tail.size()) {
    const ssize_t got = ::pread(fd, tail.data() + done, tail.size() - done,
                                static_cast<off_t>(size - tail.size() + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(Blame::Self, "{}: {}", path, std::strerror(errno));
    done += static_cast<std::size_t>(got);
  }
  return tail;
}

}  // namespace

Result<std::unique_ptr<Audit>> Audit::open(std::string path, Disk& disk, std::uint64_t file_limit) {
  std::unique_ptr<Audit> audit(new Audit(std::move(path), disk, file_limit));
  audit->file_ = File(::open(audit->path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat facts {};
  if (!audit->file_.is_open() || ::fstat(audit->file_.fd(), &facts) != 0)
    return fail(Blame::Self, "{}: {}", audit->path_, std::strerror(errno));
  audit->size_ = static_cast<std::uint64_t>(facts.st_size);
  HG_TRY(std::string tail, tail_of(audit->file_.fd(), audit->size_, kLongestTail, audit->path_),
         "the audit trail");
  const std::size_t end = tail.rfind('\n') + 1;  // 0 without one
  if (end < tail.size()) {
    audit->size_ -= tail.size() - end;
    HG_CHECK(disk.truncate(audit->file_.fd(), audit->size_), "{}", audit->path_);
    tail.resize(end);
  }
  if (tail.empty()) {
    // After a rotation the chain goes on from the file before.
    const File before(::open((audit->path_ + ".1").c_str(), O_RDONLY | O_CLOEXEC));
    if (!before.is_open() || ::fstat(before.fd(), &facts) != 0) return audit;
    HG_TRY(tail,
           tail_of(before.fd(), static_cast<std::uint64_t>(facts.st_size), kLongestTail,
                   audit->path_ + ".1"),
           "the audit trail");
  }
  if (!tail.empty() && tail.back() == '\n') tail.pop_back();
  const std::string last = tail.substr(tail.rfind('\n') + 1);
  if (last.empty()) return audit;
  audit->previous_ = schema::sha256_hex(last);
  audit->sequence_ = sequence_of(last);
  return audit;
}

Status Audit::append(std::uint64_t sequence, const std::string& line) {
  if (sequence <= sequence_ || line.size() < 2 || line.back() != '}') return {};
  sequence_ = sequence;
  waiting_.push_back(line);
  if (waiting_.size() > kMaxWaiting) waiting_.pop_front();
  while (!waiting_.empty()) {
    Status written = write(waiting_.front());
    if (!written) {
      if (std::exchange(is_failing_, true)) return {};
      return tl::unexpected<Error>(std::move(written.error()).within("the audit trail"));
    }
    waiting_.pop_front();
  }
  is_failing_ = false;
  return {};
}

Status Audit::write(const std::string& line) {
  if (size_ > 0 && size_ + line.size() > limit_) HG_CHECK(rotate(), "{}", path_);
  const std::string whole = fmt::format(
      "{},\"previous\":\"{}\"}}", std::string_view(line).substr(0, line.size() - 1), previous_);
  if (Status written = disk_.write(file_.fd(), whole + "\n"); !written) {
    // Part of it may be there: cut now, or with the torn end at the next start.
    static_cast<void>(disk_.truncate(file_.fd(), size_));
    return written;
  }
  size_ += whole.size() + 1;
  previous_ = schema::sha256_hex(whole);
  return {};
}

Status Audit::rotate() {
  for (int i = kFiles; i > 1; --i) {
    const std::string older = fmt::format("{}.{}", path_, i);
    const std::string newer = fmt::format("{}.{}", path_, i - 1);
    if (::access(newer.c_str(), F_OK) == 0) HG_CHECK(disk_.rename(newer, older), "rotating");
  }
  HG_CHECK(disk_.rename(path_, path_ + ".1"), "rotating");
  File next(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!next.is_open()) return fail(Blame::Self, "{}", std::strerror(errno));
  file_ = std::move(next);
  size_ = 0;
  return {};
}

AuditReport verify_audit(std::istream& lines, const std::optional<std::string>& previous) {
  AuditReport report;
  std::optional<std::string> expected = previous;
  std::string line;
  while (std::getline(lines, line)) {
    const std::uint64_t number = report.records + 1;
    const auto broken = [&](std::string problem) {
      report.broken_line = number;
      report.problem = std::move(problem);
      return report;
    };
    const Json json = Json::parse(line, nullptr, false);
    const auto named = json.is_object() ? json.find("previous") : json.end();
    if (named == json.end() || !named->is_string()) return broken("not a line of an audit trail");
    if (expected && *named != *expected)
      return broken(
          "it does not go with the line before: something was changed, taken out or put in");
    const std::uint64_t sequence = sequence_of(line);
    if (sequence <= report.last_sequence) return broken("its sequence number goes back");
    if (report.records++ == 0) report.first_sequence = sequence;
    report.last_sequence = sequence;
    expected = schema::sha256_hex(line);
  }
  if (expected && report.records > 0) report.last_hash = *expected;
  return report;
}

}  // namespace headgate::reconciler
