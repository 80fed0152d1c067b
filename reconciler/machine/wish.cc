// SPDX-License-Identifier: MIT
// The file that lies between the edge and the updater.
#include "reconciler/machine/wish.h"

#include <fmt/format.h>

#include <sstream>

namespace headgate::reconciler {

std::string Wish::text() const {
  std::string text = fmt::format("id={}\ndo={}\n", id, factory_reset ? "factory-reset" : "upgrade");
  if (!factory_reset) {
    if (!version.empty()) text += fmt::format("version={}\n", version);
    text += fmt::format("from={}\nrestart={}\n", from, may_restart ? "now" : "wait");
    if (urgent) text += "urgent=yes\n";
  }
  return text + fmt::format("by={}\n", by_operator ? "operator" : "fleet");
}

std::optional<Wish> parse_wish(const std::string& text) {
  Wish wish;
  bool whole = false;  // `by` is the last line
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const std::string name = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (name == "id") wish.id = value;
    if (name == "do") wish.factory_reset = value == "factory-reset";
    if (name == "version") wish.version = value;
    if (name == "from") wish.from = value;
    if (name == "restart") wish.may_restart = value == "now";
    if (name == "urgent") wish.urgent = value == "yes";
    if (name == "by") wish.by_operator = value == "operator";
    whole = name == "by";
  }
  if (!whole || wish.id.empty()) return std::nullopt;
  return wish;
}

}  // namespace headgate::reconciler
