// SPDX-License-Identifier: MIT
// OpenPGP signatures, checked by gpgv against a closed list of keys: no user's keyring, no agent,
// no network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/base/result.h"

namespace headgate::reconciler {

/// One public key with its subkeys, as RFC 4880 packs it.
struct OpenPgpKey {
  std::string fingerprint;  ///< of the primary key, upper-case hex
  std::string packets;
};

/// The keys of a file, armored or binary. Errors: Blame::Config for what holds none, secret keys,
/// and versions other than 4.
Result<std::vector<OpenPgpKey>> parse_openpgp_keys(std::string_view text);

/// Whose signature it is, or what is wrong with it.
struct OpenPgpVerdict {
  std::string fingerprint;   ///< of the primary key; empty: there is no good signature
  bool key_unknown = false;  ///< the key that it names is not among those that were given
  std::string problem;       ///< for people; empty when it is good
};

/// What gpgv said on its status descriptor (GnuPG's doc/DETAILS). Good is one signature that is
/// valid now, by a key that is.
OpenPgpVerdict read_gpgv_status(std::string_view status);

/// Whether one of `keys` made `signature` (armored) of `message`. Runs gpgv in a folder of its own
/// that is gone afterwards. Errors: Blame::Self with Retry::SameOrigin when gpgv
/// cannot be run. Threads: any.
Result<OpenPgpVerdict> verify_openpgp(const std::vector<OpenPgpKey>& keys,
                                      std::string_view signature, std::string_view message);

}  // namespace headgate::reconciler
