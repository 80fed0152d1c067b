// SPDX-License-Identifier: MIT
// Rewrites numbers and escapes, where a text has any of these.
#include "appliance/guard/waf/body/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

// "\uXXXX" at the beginning of `rest`, or -1.
int escaped_unit(std::string_view rest) {
  if (rest.size() < 6 || !rest.starts_with("\\u")) return -1;
  int unit = 0;
  const auto [end, error] = std::from_chars(rest.data() + 2, rest.data() + 6, unit, 16);
  return error == std::errc() && end == rest.data() + 6 && unit >= 0 ? unit : -1;
}

bool is_high(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

class Rewriter {
 public:
  explicit Rewriter(std::string_view rest) : rest_(rest) { out_.reserve(rest.size() + 16); }

  std::string run() {
    while (!rest_.empty()) {
      if (in_string_) {
        string_piece();
      } else if (rest_.front() == '-' || text::is_digit(rest_.front())) {
        number();
      } else {
        in_string_ = rest_.front() == '"';
        take(1);
      }
    }
    return std::move(out_);
  }

 private:
  void take(std::size_t size) {
    size = std::min(size, rest_.size());
    out_ += rest_.substr(0, size);
    rest_.remove_prefix(size);
  }
  void string_piece() {
    if (rest_.front() != '\\') {
      if (rest_.front() == '"') in_string_ = false;
      return take(1);
    }
    const int unit = escaped_unit(rest_);
    if (is_high(unit) && is_low(escaped_unit(rest_.substr(6)))) return take(12);
    if (!is_high(unit) && !is_low(unit)) return take(2);
    out_ += "\\ufffd";
    rest_.remove_prefix(6);
  }
  void number() {
    const std::size_t size = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    double value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + size, value);
    const bool beyond = (error == std::errc::result_out_of_range || std::isinf(value)) &&
                        end == rest_.data() + size;
    if (beyond) out_ += '"';
    take(size);
    if (beyond) out_ += '"';
  }

  std::string_view rest_;
  std::string out_;
  bool in_string_ = false;
};

// Whether there may be anything to rewrite: doubles reach to 1e308, which is 309 digits.
bool is_suspect(std::string_view text) {
  constexpr std::size_t kSafeDigits = 300;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    digits = text::is_digit(c) ? digits + 1 : 0;
    if (digits > kSafeDigits) return true;
    if (i == 0) continue;
    const bool exponent =
        (c == 'e' || c == 'E') && (text::is_digit(text[i - 1]) || text[i - 1] == '.');
    const bool surrogate = (c == 'd' || c == 'D') && text[i - 1] == 'u';
    if (exponent || surrogate) return true;
  }
  return false;
}

}  // namespace

std::string_view readable_json(std::string_view text, Arena& arena) {
  if (!is_suspect(text)) return text;
  return arena.persist(Rewriter(text).run());
}

}  // namespace headgate::guard::waf
