// SPDX-License-Identifier: MIT
// Fuzzes what web ACLs read of strangers: first handshake messages, JSON bodies, proofs.
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <string>
#include <string_view>

#include "appliance/guard/waf/challenge/challenge.h"
#include "appliance/guard/waf/fingerprint/client_hello.h"
#include "appliance/guard/waf/rules/texts.h"

namespace {

using namespace headgate::guard::waf;

void require(bool holds) {
  if (!holds) std::abort();
}

void hello(std::string_view octets) {
  const auto parsed = parse_client_hello(octets);
  if (!parsed) return;
  require(ja3(*parsed).size() == 32);
  require(ja4(*parsed).size() == 36);
}

void body(std::string_view octets) {
  Arena arena;
  std::vector<Entry> entries;
  const bool whole = read_json(octets, true, arena, entries);
  require(whole || entries.empty());
  for (const Entry& entry : entries) require(entry.pointer.empty() || entry.pointer[0] == '/');
  entries.clear();
  read_json(octets, false, arena, entries);
}

void proof(std::string_view octets) {
  static const Challenges challenges("0123456789abcdef");
  const ChallengeSubject subject = {"example.com", {}, ""};
  require(!challenges.accepts(octets, subject, 1, {}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  hello(octets);
  body(octets);
  proof(octets);
  return 0;
}
