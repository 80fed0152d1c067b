// SPDX-License-Identifier: MIT
// Who may change what: a signers.yaml, or the machine's own list of keys, made ready to judge
// commits by.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/trust/commit_object.h"
#include "reconciler/trust/signature/allowed_signers.h"
#include "reconciler/trust/signature/openpgp.h"
#include "schema/codes.h"
#include "schema/model/signers.h"

namespace headgate::reconciler {

/// Whose signature a commit has, or what is wrong with it.
struct Identity {
  std::optional<std::size_t> signer;
  schema::Code code{};  ///< when there is no signer
  std::string problem;
};

/// Threads: immutable.
class Policy {
 public:
  struct Rule {
    std::vector<std::string> paths;
    std::set<std::size_t> signers;
    std::size_t required = 1;
    std::vector<std::string> kinds;  ///< empty: any
  };

  /// Errors: Blame::Config, one line that says what in the resource is wrong.
  static Result<Policy> from(const schema::Signers& signers);
  /// From the text of signers.yaml. Errors: the same.
  static Result<Policy> parse(std::string_view text);
  /// Every key of the machine's files may change everything. Either text may be empty.
  static Result<Policy> of_machine(std::string_view allowed_signers, std::string_view keyring);

  /// Errors: Blame::Self when gpgv cannot be run.
  Result<Identity> identify(const CommitObject& commit) const;
  /// The first that names `path`; null when none does.
  const Rule* rule_of(std::string_view path) const;

  /// The paths of a rule that asks for more signers than signers.yaml needs to be changed; empty
  /// when there is none.
  std::string stricter_than_signers() const;

  /// For messages.
  const std::string& name_of(std::size_t signer) const { return names_[signer]; }
  std::vector<std::string> names_of(const std::set<std::size_t>& signers) const;

 private:
  Status add_ssh(std::vector<AllowedKey> keys);
  Status add_openpgp(const std::string& signer, std::string_view public_keys);
  Result<std::size_t> signer_of(const std::vector<std::string>& names);
  Status add_groups(const std::vector<schema::SignersGroup>& groups);
  Status add_rule(const schema::SignersRule& rule);
  Identity identify_ssh(const CommitObject& commit) const;
  Result<Identity> identify_openpgp(const CommitObject& commit) const;

  struct SshEntry {
    AllowedKey allowed;
    std::size_t signer = 0;
  };
  std::vector<std::string> names_;              ///< by signer
  std::map<std::string, std::size_t> by_name_;  ///< also other principals of theirs
  std::map<std::string, std::set<std::size_t>> groups_;
  std::map<std::string, SshEntry> ssh_;  ///< by blob
  std::vector<OpenPgpKey> openpgp_;
  std::map<std::string, std::size_t> openpgp_signers_;  ///< by primary fingerprint
  std::vector<Rule> rules_;
};

/// Whether `pattern` names `path`: `*` and `?` within one name, `**` for any number of folders.
/// Takes time in proportion to the product of their lengths.
bool matches_path(std::string_view pattern, std::string_view path);

}  // namespace headgate::reconciler
