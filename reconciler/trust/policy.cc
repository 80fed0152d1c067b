// SPDX-License-Identifier: MIT
// Who may change what: a signers.yaml, or the machine's own list of keys, made ready to judge
// commits by.
#include "reconciler/trust/policy.h"

#include <algorithm>

#include "schema/files/document.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr const char* kSshArmor = "-----BEGIN SSH SIGNATURE-----";
constexpr const char* kOpenPgpArmor = "-----BEGIN PGP SIGNATURE-----";

Identity unknown(std::string problem) {
  return {std::nullopt, schema::Code::SignerUnknown, std::move(problem)};
}

Identity invalid(std::string problem) {
  return {std::nullopt, schema::Code::SignatureInvalid, std::move(problem)};
}

/// The first segment of a path, without its slash.
std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return segment;
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) segments.push_back(take_segment(path));
  return segments;
}

/// `next[j]`: whether what of the pattern was read matches the first j items; one row of the usual
/// table, which cannot be made to backtrack.
template <class Many, class Matches>
bool matches_items(std::size_t pattern_size, std::size_t size, Many many, Matches matches) {
  std::vector<char> row(size + 1, 0);
  row[0] = 1;
  for (std::size_t i = 0; i < pattern_size; ++i) {
    std::vector<char> next(size + 1, 0);
    next[0] = static_cast<char>(row[0] != 0 && many(i));
    for (std::size_t j = 1; j <= size; ++j)
      next[j] = static_cast<char>(many(i) ? row[j] != 0 || next[j - 1] != 0
                                          : row[j - 1] != 0 && matches(i, j - 1));
    row = std::move(next);
  }
  return row[size] != 0;
}

bool matches_name(std::string_view pattern, std::string_view name) {
  return matches_items(
      pattern.size(), name.size(), [&](std::size_t i) { return pattern[i] == '*'; },
      [&](std::size_t i, std::size_t j) { return pattern[i] == '?' || pattern[i] == name[j]; });
}

}  // namespace

bool matches_path(std::string_view pattern, std::string_view path) {
  auto patterns = segments_of(pattern);
  // At the end it stands for the files of a folder, not for a file in the folder's place.
  if (!patterns.empty() && patterns.back() == "**") patterns.push_back("*");
  const auto names = segments_of(path);
  return matches_items(
      patterns.size(), names.size(), [&](std::size_t i) { return patterns[i] == "**"; },
      [&](std::size_t i, std::size_t j) { return matches_name(patterns[i], names[j]); });
}

Result<Policy> Policy::from(const schema::Signers& signers) {
  Policy policy;
  HG_TRY(std::vector<AllowedKey> keys, parse_allowed_signers(signers.allowed_signers),
         "allowedSigners");
  HG_CHECK(policy.add_ssh(std::move(keys)), "allowedSigners");
  for (const schema::OpenPgpSigner& each : signers.openpgp)
    HG_CHECK(policy.add_openpgp(each.signer, each.public_key), "openpgp, {}", each.signer);
  HG_CHECK(policy.add_groups(signers.groups), "groups");
  for (const schema::SignersRule& rule : signers.rules)
    HG_CHECK(policy.add_rule(rule), "the rule for {}", schema::join(rule.paths));
  return policy;
}

Result<Policy> Policy::parse(std::string_view text) {
  const schema::DecodedFile file =
      schema::decode_file(schema::kSignersFile, text, schema::Owner::Repository, nullptr);
  for (const schema::Diagnostic& diagnostic : file.diagnostics)
    if (diagnostic.severity == schema::Diagnostic::Severity::Error)
      return fail(Blame::Config, "line {}: {}", diagnostic.line, diagnostic.message);
  if (file.resources.size() == 1)
    if (const auto* signers =
            std::get_if<std::shared_ptr<const schema::Signers>>(&file.resources.front()->value))
      return from(**signers);
  return fail(Blame::Config, "it must hold one resource, of `kind: Signers`");
}

Result<Policy> Policy::of_machine(std::string_view allowed_signers, std::string_view keyring) {
  Policy policy;
  HG_TRY(std::vector<AllowedKey> keys, parse_allowed_signers(allowed_signers), "allowed signers");
  HG_CHECK(policy.add_ssh(std::move(keys)), "allowed signers");
  if (!keyring.empty()) HG_CHECK(policy.add_openpgp("", keyring), "OpenPGP keyring");
  if (policy.names_.empty()) return fail(Blame::Config, "there is no key in it");
  Rule everything;
  everything.paths = {"**"};
  for (std::size_t i = 0; i < policy.names_.size(); ++i) everything.signers.insert(i);
  policy.rules_.push_back(std::move(everything));
  return policy;
}

/// All names of one line are one signer's: also those that other lines have for it.
Result<std::size_t> Policy::signer_of(const std::vector<std::string>& names) {
  std::optional<std::size_t> known;
  for (const std::string& name : names) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) continue;
    if (known && *known != found->second)
      return fail(Blame::Config, "{} and {} are two signers already",
                  schema::in_quotes(names_[*known]), schema::in_quotes(name));
    known = found->second;
  }
  const std::size_t signer = known.value_or(names_.size());
  if (!known) names_.push_back(names.front());
  for (const std::string& name : names) by_name_.emplace(name, signer);
  return signer;
}

Status Policy::add_ssh(std::vector<AllowedKey> keys) {
  for (AllowedKey& allowed : keys) {
    HG_TRY(const std::size_t signer, signer_of(allowed.names), "names");
    const std::string blob = allowed.key.blob();
    const auto [known, fresh] = ssh_.emplace(blob, SshEntry{std::move(allowed), signer});
    if (!fresh)
      return fail(Blame::Config, "the key {} stands there twice, for {} and {}",
                  known->second.allowed.key.fingerprint(), names_[known->second.signer],
                  names_[signer]);
  }
  return {};
}

/// Without a name, each key is a signer under its fingerprint.
Status Policy::add_openpgp(const std::string& signer, std::string_view public_keys) {
  HG_TRY(std::vector<OpenPgpKey> keys, parse_openpgp_keys(public_keys), "publicKey");
  if (!signer.empty() && keys.size() != 1)
    return fail(Blame::Config, "{} keys; it must be one", keys.size());
  for (OpenPgpKey& key : keys) {
    HG_TRY(const std::size_t owner, signer_of({signer.empty() ? key.fingerprint : signer}),
           "names");
    if (!openpgp_signers_.emplace(key.fingerprint, owner).second)
      return fail(Blame::Config, "the key {} stands there twice", key.fingerprint);
    openpgp_.push_back(std::move(key));
  }
  return {};
}

Status Policy::add_groups(const std::vector<schema::SignersGroup>& groups) {
  for (const schema::SignersGroup& group : groups) {
    if (by_name_.count(group.name) > 0)
      return fail(Blame::Config, "{} is the name of a signer", schema::in_quotes(group.name));
    const auto [at, fresh] = groups_.emplace(group.name, std::set<std::size_t>());
    if (!fresh)
      return fail(Blame::Config, "there are two groups {}", schema::in_quotes(group.name));
    for (const std::string& member : group.members) {
      const auto found = by_name_.find(member);
      if (found == by_name_.end())
        return fail(Blame::Config, "{}: there is no key of {}", group.name,
                    schema::in_quotes(member));
      at->second.insert(found->second);
    }
  }
  return {};
}

Status Policy::add_rule(const schema::SignersRule& rule) {
  Rule made;
  made.paths = rule.paths;
  made.required = static_cast<std::size_t>(rule.required);
  made.kinds = rule.kinds;
  for (const std::string& name : rule.signers) {
    const auto signer = by_name_.find(name);
    const auto group = groups_.find(name);
    if (signer == by_name_.end() && group == groups_.end())
      return fail(Blame::Config, "there is no signer or group {}", schema::in_quotes(name));
    if (signer != by_name_.end()) made.signers.insert(signer->second);
    if (group != groups_.end()) made.signers.insert(group->second.begin(), group->second.end());
  }
  if (made.required > made.signers.size())
    return fail(Blame::Config, "{} signers are required, and there are {}", made.required,
                made.signers.size());
  rules_.push_back(std::move(made));
  return {};
}

const Policy::Rule* Policy::rule_of(std::string_view path) const {
  for (const Rule& rule : rules_)
    if (std::any_of(rule.paths.begin(), rule.paths.end(),
                    [&](const std::string& pattern) { return matches_path(pattern, path); }))
      return &rule;
  return nullptr;
}

std::string Policy::stricter_than_signers() const {
  const Rule* own = rule_of(schema::kSignersFile);
  for (const Rule& rule : rules_)
    if (own != nullptr && rule.required > own->required) return schema::join(rule.paths);
  return {};
}

std::vector<std::string> Policy::names_of(const std::set<std::size_t>& signers) const {
  std::vector<std::string> names;
  for (const std::size_t signer : signers) names.push_back(names_[signer]);
  return names;
}

Result<Identity> Policy::identify(const CommitObject& commit) const {
  if (commit.signature.empty())
    return Identity{std::nullopt, schema::Code::CommitUnsigned, "is not signed"};
  if (commit.signature.starts_with(kSshArmor)) return identify_ssh(commit);
  if (commit.signature.starts_with(kOpenPgpArmor)) return identify_openpgp(commit);
  return invalid("has a signature that is neither SSH's nor OpenPGP's");
}

Identity Policy::identify_ssh(const CommitObject& commit) const {
  const auto signature = parse_ssh_signature(commit.signature);
  if (!signature)
    return invalid("has a signature that cannot be read: " + signature.error().context);
  const auto found = ssh_.find(signature->key);
  if (found == ssh_.end())
    return unknown(fmt::format("is signed with the SSH key {}, which is none of the signers'",
                               ssh_fingerprint(signature->key)));
  const AllowedKey& allowed = found->second.allowed;
  if (!verifies(allowed.key, *signature, "git", commit.payload))
    return invalid(
        fmt::format("has a signature that {} did not make for it", names_[found->second.signer]));
  if ((allowed.valid_after && commit.time < *allowed.valid_after) ||
      (allowed.valid_before && commit.time >= *allowed.valid_before))
    return unknown(fmt::format("is signed with a key of {} that was not valid at its time",
                               names_[found->second.signer]));
  return {found->second.signer, {}, ""};
}

Result<Identity> Policy::identify_openpgp(const CommitObject& commit) const {
  HG_TRY(const OpenPgpVerdict verdict, verify_openpgp(openpgp_, commit.signature, commit.payload),
         "OpenPGP");
  if (verdict.key_unknown) return unknown("has an OpenPGP signature: " + verdict.problem);
  if (!verdict.problem.empty()) return invalid("has an OpenPGP signature: " + verdict.problem);
  const auto found = openpgp_signers_.find(verdict.fingerprint);
  if (found == openpgp_signers_.end())
    return unknown("is signed with the OpenPGP key " + verdict.fingerprint);
  return Identity{found->second, {}, ""};
}

}  // namespace headgate::reconciler
