// SPDX-License-Identifier: MIT
// `kind: Signers`, the file signers.yaml: whose signatures commits need.
#pragma once

#include <string>
#include <vector>

namespace headgate::schema {

/// Who may change the files of some paths, and what these files may hold.
struct SignersRule {
  std::vector<std::string> paths;    ///< patterns; `**` crosses folders
  std::vector<std::string> signers;  ///< of signers and groups
  int required = 1;                  ///< how many of them, each counted once
  std::vector<std::string> kinds;    ///< of resources; empty: any file
};

struct SignersGroup {
  std::string name;
  std::vector<std::string> members;  ///< signers
};

struct OpenPgpSigner {
  std::string signer;
  std::string public_key;  ///< armored
};

/// The one file that the kind belongs into.
inline constexpr const char* kSignersFile = "signers.yaml";

/// The text is as written; reconciler/trust/policy makes keys of it.
struct Signers {
  std::string name;             ///< metadata.name; may be empty
  std::string allowed_signers;  ///< ssh-keygen(1), ALLOWED SIGNERS
  std::vector<OpenPgpSigner> openpgp;
  std::vector<SignersGroup> groups;
  std::vector<SignersRule> rules;  ///< the first that matches a path holds
};

}  // namespace headgate::schema
