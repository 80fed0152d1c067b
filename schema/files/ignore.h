// SPDX-License-Identifier: MIT
// Which files of a tree are configuration: every *.yaml and *.yml but for hidden ones, overlays and
// what .headgateignore names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headgate::schema {

/// The rules of one `.headgateignore`, in the language of gitignore(5): `#` comments, `!` takes
/// back, a trailing `/` means folders, a `/` elsewhere anchors at the repository's root, `*` and
/// `?` stay within a name, `**` crosses folders. Threads: immutable.
class IgnoreRules {
 public:
  static constexpr const char* kFileName = ".headgateignore";

  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text);

  /// Whether a file, or a folder it is in, is named; the last rule that speaks counts.
  bool ignores(std::string_view path) const;

 private:
  struct Rule {
    std::string pattern;
    bool taken_back = false;
    bool folders_only = false;
    bool anchored = false;
  };
  bool matches(const Rule& rule, std::string_view path, bool folder) const;
  std::vector<Rule> rules_;
};

/// Whether a file is read as YAML before `.headgateignore` is asked.
bool is_configuration(std::string_view path);
/// Whether it is in a folder that is not looked into: one with a dot before its name, or
/// `overlays`; or has a dot before its own.
bool is_hidden(std::string_view path);

}  // namespace headgate::schema
