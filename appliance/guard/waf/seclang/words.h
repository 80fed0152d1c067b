// SPDX-License-Identifier: MIT
// SecLang's outer form: lines that go on behind a backslash, words and quotes, lists of actions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/base/result.h"

namespace headgate::guard::waf {

/// A directive: its first line's number and its words, quotes taken off.
struct Directive {
  int line = 0;
  std::vector<std::string> words;
};

/// Takes `text` (a file) apart. Errors: a quote without its end, with the line number in `line`.
Result<std::vector<Directive>> split_directives(std::string_view text, int& line);

/// One action: "phase:2" is {"phase", "2"}; "chain" has no value.
struct Action {
  std::string name;
  std::string value;
};

/// Takes "id:1,msg:'a, b',chain" apart. Errors: a quote without its end, text behind a quote.
Result<std::vector<Action>> split_actions(std::string_view text);

/// Without white space at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace headgate::guard::waf
