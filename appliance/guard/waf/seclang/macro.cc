// SPDX-License-Identifier: MIT
// Reads macros.
#include "appliance/guard/waf/seclang/macro.h"

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {

const std::string* Macro::literal() const {
  static const std::string kEmpty;
  if (pieces.empty()) return &kEmpty;
  return pieces.size() == 1 ? std::get_if<std::string>(&pieces.front()) : nullptr;
}

std::string Problem::text() const {
  return fmt::format("{}:{}: {}", location.file, location.line, message);
}

Result<Macro::Variable> parse_macro_variable(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto collection = find_collection(text.substr(0, dot));
  if (!collection)
    return fail(Blame::Config, "%{{{}}} is none of the variables that are supported", text);
  Macro::Variable variable;
  variable.collection = *collection;
  if (by_name(*collection) != (dot != std::string_view::npos))
    return fail(Blame::Config, "%{{{}}}: {}", text,
                by_name(*collection) ? "a name is missing; write %{tx.name}" : "it has no names");
  if (dot != std::string_view::npos) {
    for (const char c : text.substr(dot + 1)) variable.name += text::to_lower(c);
  }
  return variable;
}

Result<Macro> parse_macro(std::string_view text) {
  Macro macro;
  const auto add_literal = [&](std::string_view literal) {
    if (!literal.empty()) macro.pieces.emplace_back(std::string(literal));
  };
  while (true) {
    const std::size_t open = text.find("%{");
    add_literal(text.substr(0, open));
    if (open == std::string_view::npos) return macro;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos)
      return fail(Blame::Config, "'{}' begins with %{{ and has no }}", text.substr(open));
    HG_TRY(Macro::Variable variable, parse_macro_variable(text.substr(open + 2, close - open - 2)),
           "in a macro");
    macro.pieces.emplace_back(std::move(variable));
    text.remove_prefix(close + 1);
  }
}

}  // namespace headgate::guard::waf
