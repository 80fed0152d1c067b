// SPDX-License-Identifier: MIT
// Fields of `kind: Certificate`.
#include "schema/fields/distribution/files.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"

namespace headgate::schema {

const ObjectType& certificate_table() {
  static const SecretType key(false);
  static const Object<Certificate> table(
      "Certificate", "A chain of certificates, and where its private key is.",
      [](Object<Certificate>& o) {
        envelope(o, "Certificate", Labels::No);
        o.nest("spec", "CertificateSpec", "The chain and its key.", [](Object<Certificate>& s) {
          s.whole("certificate", std::make_unique<CertificateChainType>(),
                  "The chain in PEM, the server's certificate first: text, or a file of the "
                  "repository.")
              .required();
          s.field("privateKey", &Certificate::private_key, key,
                  "Where the edge finds the private key in PEM; keys are never in the repository.")
              .required();
          s.later("acme");
        });
      });
  return table;
}

}  // namespace headgate::schema
