// SPDX-License-Identifier: MIT
// Reads SecLang files into a program. What is not supported is a problem, never left out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/seclang/program.h"
#include "schema/base/result.h"

namespace headgate::guard::waf {

/// Where the reader gets files from.
class RuleFiles {
 public:
  virtual ~RuleFiles() = default;
  virtual Result<std::string> read(const std::string& path) const = 0;
  /// Files that `pattern` (a path, a folder, or a path whose last part has '*') names, sorted.
  virtual std::vector<std::string> list(const std::string& pattern) const = 0;
};

/// Files of the file system; at most 4 MiB each.
std::unique_ptr<RuleFiles> rule_files_on_disk();

/// Directives: SecRule, SecAction, SecMarker, SecDefaultAction, SecRuleRemoveById,
/// SecRuleRemoveByTag, SecCollectionTimeout, SecComponentSignature, Include, IncludeOptional.
/// Threads: one.
class Reader {
 public:
  explicit Reader(const RuleFiles& files) : files_(files) {}

  /// Adds what `pattern` names; it has to name something.
  void read(const std::string& pattern);
  /// Adds `text` as if it stood in `file`.
  void read_text(std::string_view text, const std::string& file);

  /// What has been read, and everything that was wrong with it, by file and line.
  Program take_program();
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  void directive(const std::vector<std::string>& words, const Location& location);
  void rule(const std::vector<std::string>& words, const Location& location);
  void action(const std::vector<std::string>& words, const Location& location);
  void add(Rule rule);
  void default_action(const std::vector<std::string>& words, const Location& location);
  void remove(const std::vector<std::string>& words, const Location& location, bool by_tag);
  void include(const std::string& pattern, const Location& location, bool optional);
  Result<Operator> parse_operator(std::string_view text, const Location& location) const;
  void problem(const Location& location, std::string message);

  const RuleFiles& files_;
  Program program_;
  std::vector<Problem> problems_;
  bool in_chain_ = false;
  int chain_phase_ = 2;
  int depth_ = 0;
};

}  // namespace headgate::guard::waf
