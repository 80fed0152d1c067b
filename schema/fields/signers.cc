// SPDX-License-Identifier: MIT
// Fields of `kind: Signers`: whose signatures commits need, by path.
#include <fmt/format.h>

#include <algorithm>

#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxKeysOctets = 256 << 10;
constexpr std::size_t kMaxSigners = 1000;
constexpr std::size_t kMaxRules = 1000;

void check_rule(SignersRule& rule, const Node& node, Decoder& decoder) {
  std::vector<std::string> names;
  for (const Kind& kind : kinds())
    if (kind.in_repository) names.emplace_back(kind.name);
  for (std::size_t i = 0; i < rule.kinds.size(); ++i)
    if (std::find(names.begin(), names.end(), rule.kinds[i]) == names.end())
      decoder.error(Code::NotAChoice, node.locate(fmt::format("kinds.{}", i)).mark,
                    fmt::format("there is no kind {}", in_quotes(rule.kinds[i])),
                    did_you_mean(rule.kinds[i], names, fmt::format("one of {}", join(names))));
}

const Type& openpgp_type() {
  static const Object<OpenPgpSigner> type(
      "OpenPgpSigner", "A signer with an OpenPGP key.", [](Object<OpenPgpSigner>& o) {
        o.field("signer", &OpenPgpSigner::signer, "The name that groups and rules use.")
            .required()
            .format(kSignerName);
        o.field("publicKey", &OpenPgpSigner::public_key,
                "What `gpg --armor --export` prints of one key.")
            .required()
            .max_length(kMaxKeysOctets);
      });
  static const ListOf<OpenPgpSigner> list(type);
  return list;
}

const Type& groups_type() {
  static const Object<SignersGroup> type(
      "SignersGroup", "Signers under one name.", [](Object<SignersGroup>& o) {
        o.field("name", &SignersGroup::name, "The name that rules use.")
            .required()
            .format(kResourceName);
        o.field("members", &SignersGroup::members, "Names of signers.")
            .required()
            .items(1, kMaxSigners)
            .unique()
            .format(kSignerName);
      });
  static const ListOf<SignersGroup> list(type);
  return list;
}

const Type& rules_type() {
  static const Object<SignersRule> type(
      "SignersRule", "Who may change which files.", [](Object<SignersRule>& o) {
        o.field("paths", &SignersRule::paths,
                "Files, from the root of the repository: `*` and `?` stand for characters of one "
                "name, `**` for any folders.")
            .required()
            .items(1, kMaxRules)
            .unique()
            .format(kFilePattern);
        o.field("signers", &SignersRule::signers, "Names of signers and groups.")
            .required()
            .items(1, kMaxSigners)
            .unique()
            .format(kSignerName);
        o.field("required", &SignersRule::required,
                "How many of them must have signed what changes such a file.")
            .range(1, static_cast<int>(kMaxSigners));
        o.field("kinds", &SignersRule::kinds,
                "The kinds of resources that such a file may hold; without it, anything.")
            .items(1)
            .unique();
        o.check(check_rule);
      });
  static const ListOf<SignersRule> list(type);
  return list;
}

}  // namespace

const ObjectType& signers_table() {
  static const Object<Signers> table(
      "Signers",
      "Whose signatures commits need, in the file signers.yaml; for edges with `verify` in their "
      "own file. Each commit is judged by the version before it.",
      [](Object<Signers>& o) {
        envelope(o, "Signers", Labels::No, false);
        o.nest("spec", "SignersSpec", "The signers, and what each may change.",
               [](Object<Signers>& s) {
                 s.field("allowedSigners", &Signers::allowed_signers,
                         "A line a key, as in ssh-keygen's ALLOWED SIGNERS and git's "
                         "`gpg.ssh.allowedSignersFile`: `NAME ssh-ed25519 AAAA…`.")
                     .max_length(kMaxKeysOctets);
                 s.field("openpgp", &Signers::openpgp, openpgp_type(), "Signers with OpenPGP keys.")
                     .items(1, kMaxSigners);
                 s.field("groups", &Signers::groups, groups_type(), "Groups of signers.")
                     .items(1, kMaxSigners);
                 s.field("rules", &Signers::rules, rules_type(),
                         "Who may change which files: the first rule that names a file holds; what "
                         "none names, nobody may change.")
                     .required()
                     .items(1, kMaxRules);
                 s.require_one_of({"allowedSigners", "openpgp"});
               });
      });
  return table;
}

}  // namespace headgate::schema
