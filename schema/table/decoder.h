// SPDX-License-Identifier: MIT
// What decoding needs beside the node: where diagnostics go, and the files that a resource refers
// to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/codes.h"
#include "schema/diagnostic.h"
#include "schema/yaml/node.h"

namespace headgate::schema {

/// The contents of a file that a resource refers to.
struct ReferencedFile {
  std::string path;  ///< from the repository's root
  std::string content;
};

/// Why a referenced file could not be had.
struct FileProblem {
  Code code = Code::FileMissing;
  std::string message;
  std::string hint;
};

/// Finds the files that resources of one file refer to.
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// `path` as it is written in the file `from`. Exactly one of `file` and `problem` is filled.
  virtual bool read(std::string_view path, const std::string& from, ReferencedFile& file,
                    FileProblem& problem) = 0;
};

/// Collects the diagnostics of one file. `files` may be null: then nothing can be referred to.
class Decoder {
 public:
  Decoder(std::string file, FileSource* files, std::vector<Diagnostic>& out)
      : file_(std::move(file)), files_(files), out_(out) {}
  /// Some of what is decoded is from an overlay, whose files these are (see Mark::origin); they
  /// must outlive this.
  Decoder(std::string file, const std::vector<std::string>& overlay_files, FileSource* files,
          std::vector<Diagnostic>& out)
      : file_(std::move(file)), overlay_files_(&overlay_files), files_(files), out_(out) {}

  void error(Code code, Mark mark, std::string message, std::string hint = {}) {
    report(Diagnostic::Severity::Error, code, mark, std::move(message), std::move(hint));
  }
  void warning(Code code, Mark mark, std::string message, std::string hint = {}) {
    report(Diagnostic::Severity::Warning, code, mark, std::move(message), std::move(hint));
  }

  /// The content of the file that `where` names by `path`; reports and returns nothing when it
  /// cannot be had.
  std::optional<ReferencedFile> read_referenced(const Node& where, std::string_view path);

  const std::string& file() const { return file_; }
  /// The one that `mark` is in.
  const std::string& file_of(Mark mark) const {
    return mark.origin == 0 || overlay_files_ == nullptr ? file_
                                                         : overlay_files_->at(mark.origin - 1);
  }

  /// The field whose list is being decoded: its items have no name of their own.
  std::string_view list;

 private:
  void report(Diagnostic::Severity severity, Code code, Mark mark, std::string message,
              std::string hint);

  static constexpr std::size_t kMaxDiagnostics = 200;

  std::string file_;
  const std::vector<std::string>* overlay_files_ = nullptr;
  FileSource* files_;
  std::vector<Diagnostic>& out_;
  std::size_t reported_ = 0;
  std::size_t overflow_ = 0;  ///< index in out_ of the one that stands for the rest
};

}  // namespace headgate::schema
