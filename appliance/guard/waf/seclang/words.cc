// SPDX-License-Identifier: MIT
// Splits SecLang into directives and actions.
#include "appliance/guard/waf/seclang/words.h"

#include <algorithm>

#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

// The next word of `rest`, read as Apache's configuration is, for which the CRS is written: in
// quotes or not, \\ is one backslash and \QUOTE the quote; any other backslash stays, since it is a
// regex's.
Result<std::string> next_word(std::string_view& rest) {
  std::string word;
  const bool quoted = rest.front() == '"' || rest.front() == '\'';
  const char quote = rest.front();
  for (std::size_t i = quoted ? 1 : 0; i < rest.size(); ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size() &&
        (rest[i + 1] == '\\' || (quoted && rest[i + 1] == quote))) {
      word += rest[++i];
    } else if (quoted ? rest[i] == quote : text::is_space(rest[i])) {
      rest.remove_prefix(quoted ? i + 1 : i);
      if (!rest.empty() && !text::is_space(rest.front()))
        return fail(Blame::Config, "text follows directly on the quote that ends '{}'",
                    std::string_view(word).substr(0, 60));
      return word;
    } else {
      word += rest[i];
    }
  }
  if (quoted)
    return fail(Blame::Config, "the quote before '{}' has no end",
                std::string_view(word).substr(0, 60));
  rest = {};
  return word;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text::is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && text::is_space(text.back())) text.remove_suffix(1);
  return text;
}

Result<std::vector<Directive>> split_directives(std::string_view text, int& line) {
  std::vector<Directive> directives;
  line = 0;
  int number = 0;
  std::string logical;
  bool continued = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view physical = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!physical.empty() && physical.back() == '\r') physical.remove_suffix(1);
    if (!continued) {
      line = number;
      logical.clear();
      const std::string_view content = trimmed(physical);
      if (content.empty() || content.front() == '#') continue;
    }
    continued = !physical.empty() && physical.back() == '\\' && !text.empty();
    if (continued) physical.remove_suffix(1);
    // The indentation of a continued line is not part of the text: it stands within the list of
    // actions, where it would be trimmed anyway.
    logical += physical;
    if (continued) continue;
    Directive directive;
    directive.line = line;
    for (std::string_view rest = trimmed(logical); !rest.empty(); rest = trimmed(rest)) {
      HG_TRY(std::string word, next_word(rest), "quoting");
      directive.words.push_back(std::move(word));
    }
    if (!directive.words.empty()) directives.push_back(std::move(directive));
  }
  return directives;
}

Result<std::vector<Action>> split_actions(std::string_view text) {
  std::vector<Action> actions;
  for (std::string_view rest = trimmed(text); !rest.empty(); rest = trimmed(rest)) {
    Action action;
    std::size_t i = rest.find_first_of(":,");
    if (i == std::string_view::npos) i = rest.size();
    action.name = trimmed(rest.substr(0, i));
    if (i < rest.size() && rest[i] == ':') {
      rest.remove_prefix(i + 1);
      rest = trimmed(rest);
      i = 0;
      if (!rest.empty() && rest.front() == '\'') {
        for (i = 1; i < rest.size() && rest[i] != '\''; ++i) {
          if (rest[i] == '\\' && i + 1 < rest.size() && rest[i + 1] == '\'') ++i;
          action.value += rest[i];
        }
        if (i >= rest.size())
          return fail(Blame::Config, "the quote of {}:'{} has no end", action.name,
                      std::string_view(action.value).substr(0, 60));
        ++i;
      } else {
        i = std::min(rest.find(','), rest.size());
        action.value = trimmed(rest.substr(0, i));
      }
    }
    rest.remove_prefix(i);
    rest = trimmed(rest);
    if (!rest.empty() && rest.front() != ',')
      return fail(Blame::Config, "a comma is missing behind {}:{}", action.name,
                  std::string_view(action.value).substr(0, 60));
    if (!rest.empty()) rest.remove_prefix(1);
    // CRS has empty actions, where a comma stands at the end of a line and of the list.
    if (!action.name.empty()) actions.push_back(std::move(action));
  }
  return actions;
}

}  // namespace headgate::guard::waf
