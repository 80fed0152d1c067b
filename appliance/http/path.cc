// SPDX-License-Identifier: MIT
#include "appliance/http/path.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "appliance/http/query.h"

namespace headgate::http {
namespace {

constexpr std::string_view kBadEscape = "a % that is not followed by two hexadecimal digits";
constexpr std::string_view kControl = "NUL or another control character";
constexpr std::string_view kFragment = "a fragment (#)";
constexpr std::string_view kDisguise = "a dot segment behind %2F, %5C, \\ or before ;";

/// Unreserved means the same escaped and not; Plain is what else a path may hold as it is.
enum class Octet : std::uint8_t { Escape, Plain, Unreserved, Refused };

constexpr std::array<Octet, 256> make_octets() {
  std::array<Octet, 256> octets{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    octets[c] = alphanumeric            ? Octet::Unreserved
                : c < 0x20 || c == 0x7f ? Octet::Refused
                                        : Octet::Escape;
  }
  for (const char c : {'-', '.', '_', '~'})
    octets[static_cast<unsigned char>(c)] = Octet::Unreserved;
  for (const char c : {'!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '/', '?'})
    octets[static_cast<unsigned char>(c)] = Octet::Plain;
  octets['#'] = Octet::Refused;
  return octets;
}
constexpr std::array<Octet, 256> kOctets = make_octets();

Octet kind_of(char c) { return kOctets[static_cast<unsigned char>(c)]; }

bool is_canonical(std::string_view path) {
  char before = 0;
  for (const char c : path) {
    const Octet kind = kind_of(c);
    if (kind == Octet::Escape || kind == Octet::Refused) return false;  // '%' is Escape, too
    if (c == '.' && before == '/') return false;                        // perhaps a dot segment
    before = c;
  }
  return true;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Whether a server that also separates at encoded and backward slashes, or cuts parameters off,
/// would find a dot segment in `segment`, which is canonical and none itself.
bool hides_dots(std::string_view segment) {
  while (true) {
    std::size_t end = 0;  // of the part, as those servers see it
    while (end < segment.size() && segment.substr(end, 3) != "%2F" &&
           segment.substr(end, 3) != "%5C")
      ++end;
    const std::string_view part = segment.substr(0, end);
    const std::string_view name = part.substr(0, part.find(';'));
    if (name == ".." || (name == "." && name.size() != part.size())) return true;
    if (end == segment.size()) return false;
    segment.remove_prefix(end + 3);
  }
}

/// Writes the canonical form of one path, segment by segment.
class Writer {
 public:
  /// `out` has room for three times the path.
  explicit Writer(char* out) : out_(out) {}

  std::string_view write(std::string_view path) {
    for (std::size_t at = 1; refusal_.empty();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      const bool last = end == path.size();
      write_segment(path.substr(at, end - at), last);
      if (last) break;
      at = end + 1;
    }
    return {out_, size_};
  }
  std::string_view refusal() const { return refusal_; }

 private:
  void write_segment(std::string_view segment, bool last) {
    const std::size_t start = size_;  // of its '/'
    out_[size_++] = '/';
    for (std::size_t i = 0; i < segment.size() && refusal_.empty(); ++i) write_octet(segment, i);
    const std::string_view written(out_ + start + 1, size_ - start - 1);
    if (written == "." || written == "..") {
      size_ = start;
      if (written == "..") remove_segment();
      if (last) out_[size_++] = '/';  // "/a/.." is the folder "/"
    } else if (hides_dots(written)) {
      refusal_ = kDisguise;
    }
  }

  /// Writes what stands at `i`, which moves on over an escape.
  void write_octet(std::string_view segment, std::size_t& i) {
    char c = segment[i];
    bool escaped = false;
    if (c == '%') {
      const int high = i + 1 < segment.size() ? hex_value(segment[i + 1]) : -1;
      const int low = i + 2 < segment.size() ? hex_value(segment[i + 2]) : -1;
      if (high < 0 || low < 0) {
        refusal_ = kBadEscape;
        return;
      }
      c = static_cast<char>(high * 16 + low);
      escaped = true;
      i += 2;
    }
    const Octet kind = kind_of(c);
    if (c == '\0' || (kind == Octet::Refused && !escaped)) {
      refusal_ = c == '#' ? kFragment : kControl;
    } else if (kind == Octet::Unreserved || (kind == Octet::Plain && !escaped)) {
      out_[size_++] = c;
    } else {
      static constexpr char kDigits[] = "0123456789ABCDEF";
      const auto octet = static_cast<unsigned char>(c);
      out_[size_++] = '%';
      out_[size_++] = kDigits[octet >> 4];
      out_[size_++] = kDigits[octet & 15];
    }
  }

  void remove_segment() {
    while (size_ > 0 && out_[--size_] != '/') {
    }
  }

  char* out_;
  std::size_t size_ = 0;
  std::string_view refusal_;
};

}  // namespace

CanonicalPath canonical_path(std::string_view path, std::pmr::memory_resource& memory) {
  if (is_canonical(path)) return {path, {}};
  Writer writer(static_cast<char*>(memory.allocate(path.size() * 3, 1)));
  const std::string_view written = writer.write(path);
  return {written, writer.refusal()};
}

std::string_view decode_path(std::string_view canonical, std::pmr::memory_resource& memory) {
  if (canonical.find('%') == std::string_view::npos) return canonical;
  auto* const decoded = static_cast<char*>(memory.allocate(canonical.size(), 1));
  std::size_t size = 0;
  for (std::size_t i = 0; i < canonical.size(); ++i) {
    char c = canonical[i];
    if (c == '%' && i + 2 < canonical.size()) {
      c = static_cast<char>(hex_value(canonical[i + 1]) * 16 + hex_value(canonical[i + 2]));
      i += 2;
    }
    decoded[size++] = c;
  }
  return {decoded, size};
}

std::string canonical_target(std::string_view target) {
  std::string_view path;
  std::string_view query;
  split_target(target, path, query);
  std::pmr::monotonic_buffer_resource memory;
  const auto canonical = canonical_path(path, memory);
  if (!path.starts_with('/') || !canonical.refusal.empty()) return std::string(target);
  return std::string(canonical.path).append(target.substr(path.size()));
}

}  // namespace headgate::http
