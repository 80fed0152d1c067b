// SPDX-License-Identifier: MIT
// Writes the Prometheus text format.
#include "appliance/observe/text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "appliance/observe/utf8.h"

namespace headgate::observe {

std::string label(std::string_view name, std::string_view value) {
  std::string out;
  out.reserve(name.size() + value.size() + 3);
  out.append(name).append("=\"");
  for (std::size_t at = 0; at < value.size();) {
    const auto length = utf8_sequence_length(value.substr(at));
    if (length == 0) {
      out += kReplacementCharacter;
      ++at;
      continue;
    }
    switch (value[at]) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += value.substr(at, length);
    }
    at += length;
  }
  out += '"';
  return out;
}

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text_), "# HELP {} ", name);
  for (const char c : help) {
    if (c == '\\') {
      text_ += "\\\\";
    } else if (c == '\n') {
      text_ += "\\n";
    } else {
      text_ += c;
    }
  }
  fmt::format_to(std::back_inserter(text_), "\n# TYPE {} {}\n", name, type);
}

void MetricsText::start(std::string_view name, std::string_view labels) {
  text_ += name;
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_ += ' ';
}

void MetricsText::sample(std::string_view name, std::string_view labels, std::uint64_t value) {
  start(name, labels);
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void MetricsText::sample(std::string_view name, std::string_view labels, double value) {
  start(name, labels);
  if (std::isnan(value)) {
    text_ += "NaN\n";
  } else if (std::isinf(value)) {
    text_ += value > 0 ? "+Inf\n" : "-Inf\n";
  } else {
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
  }
}

}  // namespace headgate::observe
