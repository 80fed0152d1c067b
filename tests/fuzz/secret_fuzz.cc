// SPDX-License-Identifier: MIT
// Fuzzes what a repository may hold as secrets: files of age and sops, and identities.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "appliance/snapshot/secret/age.h"
#include "appliance/snapshot/secret/bech32.h"
#include "appliance/snapshot/secret/sops.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace {

using namespace headgate;
using namespace headgate::snapshot;

void require(bool holds) {
  if (!holds) std::abort();
}

const std::vector<AgeIdentity>& identities() {
  static const auto made = parse_age_identities(schema::Redacted(
      "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"));
  require(made.has_value());
  return *made;
}

void bech32(std::string_view text) {
  const auto decoded = bech32_decode(text);
  if (!decoded) return;
  const auto again = bech32_decode(bech32_encode(decoded->prefix, decoded->octets));
  require(again && again->octets == decoded->octets);
}

/// Nobody can have encrypted anything for the key by chance.
void age(std::string_view octets) { require(!age_decrypt(octets, identities())); }

void sops(std::string_view text) {
  schema::Loader loader;
  const schema::MemoryTree tree({{"a.sops.yaml", std::string(text)}});
  const auto loaded = loader.load(tree);
  if (loaded.model == nullptr) return;
  for (const auto& [name, secret] : loaded.model->secrets)
    require(!sops_decrypt(*secret.file, identities()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  bech32(octets);
  age(octets);
  sops(octets);
  static_cast<void>(parse_age_identities(schema::Redacted(std::string(octets))));
  return 0;
}
