// SPDX-License-Identifier: MIT
// Secrets of the repository that sops has encrypted for this edge (https://getsops.io).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/snapshot/secret/age.h"
#include "schema/base/result.h"
#include "schema/model/model.h"

namespace headgate::snapshot {

/// The values of `file`, each in its place, empty where one is not encrypted. What sops signs is
/// checked: the MAC, and that every value stands where it stood. Errors: Blame::Config.
Result<std::vector<schema::Redacted>> sops_decrypt(const schema::SopsFile& file,
                                                   const std::vector<AgeIdentity>& identities);

/// Decrypts each file of a model once, when a secret of it is first asked for; nothing of it is
/// written anywhere. Threads: one.
class SopsSecrets {
 public:
  /// `identity`: where the edge's age identities are; nothing: it has none. Both outlive this.
  SopsSecrets(const schema::Model& model, const std::optional<schema::Secret>& identity)
      : model_(model), identity_(identity) {}

  /// Errors: Blame::Config, with the file and why it cannot be read.
  Result<schema::Redacted> find(const std::string& name);

 private:
  Result<std::vector<schema::Redacted>> open(const schema::SopsFile& file);

  const schema::Model& model_;
  const std::optional<schema::Secret>& identity_;
  std::map<const schema::SopsFile*, std::vector<schema::Redacted>> opened_;
};

}  // namespace headgate::snapshot
