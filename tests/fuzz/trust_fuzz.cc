// SPDX-License-Identifier: MIT
// Fuzzes what verification reads of strangers: commits, signatures, lists of keys, patterns.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "reconciler/trust/commit_object.h"
#include "reconciler/trust/policy.h"
#include "reconciler/trust/signature/encoding.h"

namespace {

using namespace headgate::reconciler;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_commit(std::string_view octets) {
  const auto commit = parse_commit("id", octets);
  if (!commit) return;
  require(commit->tree.size() == 40 && commit->time >= 0);
  require(commit->payload.size() <= octets.size());
  if (commit->signature.empty()) require(commit->payload == octets);
  // What is signed is a commit too, the same but for the signature.
  const auto again = parse_commit("id", commit->payload);
  require(again && again->signature.empty() && again->tree == commit->tree &&
          again->parents == commit->parents && again->payload == commit->payload);
}

void check_signature(const SshKey& key, std::string_view octets) {
  const auto signature = parse_ssh_signature(octets);
  if (signature) require(!verifies(key, *signature, "git", "what nobody signed"));
  const auto parsed = SshKey::parse(octets);
  if (parsed) require(parsed->blob() == octets);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = parse_allowed_signers(
      "alice ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnxKAODlxzgCZiaYGxf+dWDzdoTSr2MzQYkzmwtkXVW");
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  check_commit(octets);
  check_signature(key->front().key, octets);
  if (const auto keys = parse_allowed_signers(octets))
    for (const AllowedKey& allowed : *keys) require(!allowed.names.empty());
  if (const auto keys = parse_openpgp_keys(octets))
    for (const OpenPgpKey& each : *keys)
      require(each.fingerprint.size() == 40 && !each.packets.empty());
  const OpenPgpVerdict verdict = read_gpgv_status(octets);
  require(verdict.fingerprint.empty() != verdict.problem.empty());
  static_cast<void>(Policy::parse(octets));
  if (size < 4096) {
    const std::string_view path = octets.substr(size / 2);
    static_cast<void>(matches_path(octets.substr(0, size / 2), path));
    require(matches_path("**", path) == !path.empty());
  }
  return 0;
}
