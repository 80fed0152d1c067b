// SPDX-License-Identifier: MIT
// A value that must not be shown: given in clear, or by the name of where the edge finds it.
#pragma once

#include <string>
#include <utility>

namespace headgate::schema {

/// Text that no formatter, stream or diagnostic can print: the only way to it is `reveal()`, which
/// one can grep for.
class Redacted {
 public:
  Redacted() = default;
  explicit Redacted(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Redacted&, const Redacted&) = default;

 private:
  std::string text_;
};

/// `value: text` or `valueFrom: {file: PATH}`, `{env: NAME}`, `{credential: NAME}` (systemd's
/// $CREDENTIALS_DIRECTORY), `{secret: NAME}` (of a `*.sops.yaml` of the repository).
struct Secret {
  enum class Source { Inline, File, Env, Credential, Sops };
  Source source = Source::Inline;
  Redacted value;         ///< Inline: the text itself
  std::string reference;  ///< else: the path or name; not secret
  friend bool operator==(const Secret&, const Secret&) = default;
};

}  // namespace headgate::schema
