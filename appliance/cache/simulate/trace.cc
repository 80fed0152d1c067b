// SPDX-License-Identifier: MIT
#include "appliance/cache/simulate/trace.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace headgate::cache {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kShownBytes = 60;
constexpr std::string_view kHeader = "time,key,size";

/// The beginning of a line, fit for a terminal.
std::string shown(std::string_view line) {
  std::string text = "\"";
  for (const char c : line.substr(0, kShownBytes)) {
    if (c >= ' ' && c < 0x7f)
      text += c;
    else
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return text + (line.size() > kShownBytes ? "…\"" : "\"");
}

bool is_time(std::string_view text) {
  if (text.empty() || text == ".") return false;
  return text.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::count(text.begin(), text.end(), '.') <= 1;
}

std::optional<std::uint64_t> parse_octets(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value > TraceReader::kMaxSize) return std::nullopt;
  return value;
}

}  // namespace

Result<TraceReader> TraceReader::open(const std::string& path) {
  if (path == "-") return TraceReader("standard input", stdin, 0);
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return fail(Blame::Config, "{}: {}", path, std::strerror(errno));
  struct stat info = {};
  if (::fstat(::fileno(file), &info) != 0 || S_ISDIR(info.st_mode)) {
    std::fclose(file);
    return fail(Blame::Config, "{}: not a file", path);
  }
  const bool has_size = S_ISREG(info.st_mode);
  return TraceReader(path, file, has_size ? static_cast<std::uint64_t>(info.st_size) : 0);
}

TraceReader::TraceReader(std::string name, std::FILE* file, std::uint64_t file_bytes)
    : name_(std::move(name)), file_(file), file_bytes_(file_bytes) {}

TraceReader::TraceReader(TraceReader&& other) noexcept
    : name_(std::move(other.name_)),
      file_(std::exchange(other.file_, nullptr)),
      file_bytes_(other.file_bytes_) {}

TraceReader::~TraceReader() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
}

/// False: nothing more comes.
bool TraceReader::fill() {
  buffer_.erase(0, std::exchange(next_, 0));
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const std::size_t got = std::fread(buffer_.data() + before, 1, kReadBytes, file_);
  if (got == 0 && std::ferror(file_) != 0) read_error_ = errno;
  buffer_.resize(before + got);
  bytes_read_ += got;
  return got > 0;
}

TraceReader::Line TraceReader::read_line(std::string_view& line) {
  bool too_long = false;
  std::size_t end = buffer_.find('\n', next_);
  while (end == std::string::npos) {
    if (buffer_.size() - next_ > kMaxLine) {
      too_long = true;
      next_ = buffer_.size();  // what was read of it is passed over
    }
    const std::size_t searched = buffer_.size() - next_;
    if (!fill()) break;
    end = buffer_.find('\n', next_ + searched);
  }
  const std::size_t stop = std::min(end, buffer_.size());
  line = std::string_view(buffer_).substr(next_, stop - next_);
  next_ = std::min(stop + 1, buffer_.size());
  too_long = too_long || line.size() > kMaxLine;
  if (end == std::string::npos && line.empty() && !too_long) return Line::End;
  ++line_number_;
  return too_long ? Line::TooLong : Line::Whole;
}

TraceReader::Got TraceReader::malformed(const char* expected, std::string_view line) {
  problem_ =
      fmt::format("{}:{}: expected {}, found {}", name_, line_number_, expected, shown(line));
  return Got::Malformed;
}

TraceReader::Got TraceReader::next(Request& request) {
  std::string_view line;
  do {
    switch (read_line(line)) {
      case Line::End:
        return Got::End;
      case Line::TooLong:
        return malformed("at most 64 KiB in a line", line);
      case Line::Whole:
        break;
    }
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  } while (line.empty() || (line_number_ == 1 && line == kHeader));
  const std::size_t first = line.find(',');
  const std::size_t last = line.rfind(',');
  if (first == last || !is_time(line.substr(0, first))) return malformed("time,key,size", line);
  request.key = line.substr(first + 1, last - first - 1);
  if (request.key.empty()) return malformed("a key between the commas", line);
  const auto size = parse_octets(line.substr(last + 1));
  if (!size) return malformed("a size of 0 to 16 TiB in octets after the last comma", line);
  request.size_bytes = *size;
  return Got::Request;
}

}  // namespace headgate::cache
