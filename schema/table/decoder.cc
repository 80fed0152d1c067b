// SPDX-License-Identifier: MIT
// Diagnostics and referenced files of one file.
#include "schema/table/decoder.h"

#include <fmt/format.h>

#include "schema/text.h"

namespace headgate::schema {

std::optional<ReferencedFile> Decoder::read_referenced(const Node& where, std::string_view path) {
  ReferencedFile file;
  FileProblem problem;
  if (files_ == nullptr) {
    error(Code::FileMissing, where.mark, "this file cannot refer to other files");
  } else if (files_->read(path, file_of(where.mark), file, problem)) {
    return file;
  } else {
    error(problem.code, where.mark, std::move(problem.message), std::move(problem.hint));
  }
  return std::nullopt;
}

void Decoder::report(Diagnostic::Severity severity, Code code, Mark mark, std::string message,
                     std::string hint) {
  if (++reported_ > kMaxDiagnostics) {
    if (reported_ == kMaxDiagnostics + 1) {
      overflow_ = out_.size();
      Diagnostic rest;
      rest.file = file_;
      rest.severity = Diagnostic::Severity::Warning;
      rest.code = static_cast<int>(Code::TooManyProblems);
      rest.message = fmt::format("the file has more than {} problems; the others are not shown",
                                 kMaxDiagnostics);
      out_.push_back(std::move(rest));
    }
    if (severity == Diagnostic::Severity::Error) out_[overflow_].severity = severity;
    return;
  }
  Diagnostic diagnostic;
  diagnostic.file = file_of(mark);
  diagnostic.line = static_cast<int>(mark.line);
  diagnostic.column = static_cast<int>(mark.column);
  diagnostic.severity = severity;
  diagnostic.code = static_cast<int>(code);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  out_.push_back(std::move(diagnostic));
}

}  // namespace headgate::schema
