// SPDX-License-Identifier: MIT
// The Prometheus text format, version 0.0.4, piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headgate::observe {

/// `name="value"` with the value escaped (backslash, quote, line feed; what is not UTF-8 becomes
/// U+FFFD).
std::string label(std::string_view name, std::string_view value);

/// Appends families to a page. Shape: `family`, then its samples.
class MetricsText {
 public:
  /// `type`: counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(std::string_view name, std::string_view labels, std::uint64_t value);
  void sample(std::string_view name, std::string_view labels, double value);
  std::string take() { return std::move(text_); }

 private:
  void start(std::string_view name, std::string_view labels);
  std::string text_;
};

}  // namespace headgate::observe
