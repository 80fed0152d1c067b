// SPDX-License-Identifier: MIT
// What is wrong with a repository, where, and what to do about it.
#pragma once

#include <string>
#include <vector>

namespace headgate::schema {

/// Prints as `distributions/shop.yaml:14:5: error: [HG1042] unknown field "originn"` and a line `
/// hint: did you mean "origin"?`.
struct Diagnostic {
  enum class Severity { Error, Warning };
  std::string file;
  int line = 0;    ///< from 1; 0: the whole file
  int column = 0;  ///< from 1
  Severity severity = Severity::Error;
  int code = 0;  ///< printed as HG%04d; never reused for another meaning
  std::string message;
  std::string hint;  ///< may be empty

  std::string text() const;
};

bool has_errors(const std::vector<Diagnostic>& diagnostics);

}  // namespace headgate::schema
