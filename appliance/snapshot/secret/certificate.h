// SPDX-License-Identifier: MIT
// A certificate chain with its key, parsed and checked, ready to be given to a handshake.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "appliance/base/time.h"
#include "schema/base/result.h"
#include "schema/model/secret.h"

namespace headgate::snapshot {

struct OpensslDelete {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using X509Ptr = std::unique_ptr<X509, OpensslDelete>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDelete>;

/// Threads: immutable; handshakes on any thread take references of their own.
class Certificate {
 public:
  /// Errors: Blame::Config when the chain or the key is not PEM, or when they do not belong
  /// together.
  static Result<std::shared_ptr<const Certificate>> parse(const std::string& name,
                                                          const std::string& chain_pem,
                                                          const schema::Redacted& key_pem);
  /// A new key and a certificate for `names`, signed by itself, valid for a year.
  static Result<std::shared_ptr<const Certificate>> self_signed(
      const std::vector<std::string>& names);

  X509* leaf() const { return chain_.front().get(); }
  EVP_PKEY* key() const { return key_.get(); }
  /// The leaf first.
  const std::vector<X509Ptr>& chain() const { return chain_; }
  base::WallTime not_after() const;

 private:
  std::vector<X509Ptr> chain_;  ///< the leaf first
  KeyPtr key_;
};

/// What clients look at before they trust a certificate.
struct Validity {
  base::WallTime not_before{};
  base::WallTime not_after{};
  bool names_host = false;
};
/// Of the first certificate of `chain_pem`, for `host` (lower case, without port). Errors:
/// Blame::Config when there is none.
Result<Validity> validity_for(const std::string& chain_pem, const std::string& host);

}  // namespace headgate::snapshot
