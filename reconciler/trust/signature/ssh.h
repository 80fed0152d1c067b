// SPDX-License-Identifier: MIT
// SSH keys and the signatures that ssh-keygen -Y sign, and so git, makes with them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/base/result.h"

struct evp_pkey_st;

namespace headgate::reconciler {

/// A public key: Ed25519 (RFC 8709), ECDSA on the NIST curves (RFC 5656), RSA of 2048 to 16384 bits
/// (RFC 8332). Threads: immutable.
class SshKey {
 public:
  /// `blob`: as in the second column of a .pub file, decoded. Errors: Blame::Config for kinds that
  /// are not supported, and what is none.
  static Result<SshKey> parse(std::string_view blob);

  /// Identity: two keys are the same when their blobs are.
  const std::string& blob() const { return blob_; }
  /// "SHA256:…", as ssh-keygen -l prints it.
  std::string fingerprint() const;
  /// Whether `signature` (of `algorithm`, as RFC 4253 section 6.6 packs it) of `octets` was made
  /// with this key. SHA-1 is not accepted.
  bool verifies(std::string_view algorithm, std::string_view signature,
                std::string_view octets) const;

 private:
  SshKey(std::string blob, std::string type, std::shared_ptr<evp_pkey_st> key)
      : blob_(std::move(blob)), type_(std::move(type)), key_(std::move(key)) {}
  std::string blob_;
  std::string type_;
  std::shared_ptr<evp_pkey_st> key_;
};

/// A signature as OpenSSH's PROTOCOL.sshsig has it. It names its key, which says nothing about
/// whose it is.
struct SshSignature {
  std::string key;  ///< blob
  std::string name_space;
  std::string reserved;
  std::string hash;  ///< "sha256" or "sha512"
  std::string algorithm;
  std::string signature;
};

/// From `-----BEGIN SSH SIGNATURE-----`. Errors: Blame::Config.
Result<SshSignature> parse_ssh_signature(std::string_view armored);

/// Whether `key` is the one that `signature` names and made it for `message` in `name_space`.
bool verifies(const SshKey& key, const SshSignature& signature, std::string_view name_space,
              std::string_view message);

/// "SHA256:…" of a key's blob.
std::string ssh_fingerprint(std::string_view blob);

}  // namespace headgate::reconciler
