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

/// Whether a text is said to end or to break off, what was read of it has places that exist.
void body(std::string_view octets, bool complete) {
  Arena arena;
  JsonPlaces places;
  std::vector<Entry> entries;
  read_json(octets, complete, arena, places, entries);
  require(entries.size() <= 65536 && places.size() <= octets.size() + 1);
  for (const Entry& entry : entries) require(entry.place < places.size());
  if (entries.empty()) return;
  const std::string pointer = places.pointer(entries.back().place);
  require(pointer.empty() || pointer[0] == '/');
  places.select({pointer});
  require(places.is_selected(entries.back().place));
  places.shrink();
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
  body(octets, true);
  body(octets, false);
  proof(octets);
  return 0;
}
