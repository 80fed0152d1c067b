// SPDX-License-Identifier: MIT
// One regular expression in Perl's syntax, over octets, with bounded work.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/guard/waf/match/workspace.h"
#include "schema/base/result.h"

struct pcre2_real_code_8;

namespace headgate::guard::waf {

/// What a matcher found.
enum class Found : std::uint8_t {
  No,
  Yes,
  Exhausted,  ///< gave up: the work allowed for one text is done. Neither yes nor no.
};

/// The whole match and the first nine groups; views into the text that was searched, a group that
/// took no part being empty.
struct Captures {
  std::array<std::string_view, 10> groups;
  std::size_t count = 0;  ///< 1 + the greatest group that took part; 0 without a match
};

/// PCRE2, compiled to machine code where that is possible. '.' matches newlines, '$' only the end,
/// as ModSecurity 2 has it.
/// Threads: const members are safe everywhere, each thread with its own Workspace.
class Regex {
 public:
  /// Errors: a pattern that is not one, with PCRE2's words and the offset in it.
  static Result<Regex> compile(std::string_view pattern);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// Searches `text` for a match. `captures` may be null.
  Found search(std::string_view text, Workspace& workspace, Captures* captures = nullptr) const;

  /// Looks for a match around the place where one is known to end: within some thousand octets
  /// before `end` and some hundred behind it. No means only that there is none there.
  Found search_near(std::string_view text, std::size_t end, Workspace& workspace,
                    Captures* captures = nullptr) const;

 private:
  explicit Regex(pcre2_real_code_8* code) : code_(code) {}
  // Matches that begin from `start` to `last`.
  Found search_from(std::string_view text, std::size_t start, std::size_t last,
                    Workspace& workspace, Captures* captures) const;
  pcre2_real_code_8* code_ = nullptr;
};

}  // namespace headgate::guard::waf
