// SPDX-License-Identifier: MIT
// Which form of a stored response a viewer gets, and what its head says of that. See exchange.h.
#include <algorithm>
#include <array>

#include "appliance/server/exchange/exchange.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

/// Fields that speak of the octets as the origin sent them: wrong beside any others.
bool digests_octets(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"content-md5", "digest", "repr-digest",
                                                      "content-digest"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool names_accept_encoding(std::string_view vary) {
  for (std::string_view member; http::next_list_member(vary, member);)
    if (member == "*" || http::equals_ignoring_case(member, "accept-encoding")) return true;
  return false;
}

}  // namespace

/// The response's own body, or one of its encodings; then `reply` is that of the form that was
/// chosen. Ranges are of the body as the origin sent it, so a request for one gets that.
base::Ref<cache::Body> Exchange::select_body(const cache::StoredResponse& response, Reply& reply) {
  const base::Ref<cache::Body>& body = response.body();
  if (!decision_.uses_cache || decision_.behavior->codings.empty() || response.sliced())
    return body;
  const auto length =
      body->complete() ? std::optional<std::uint64_t>(body->size()) : body->expected_length();
  if (response.encodings().empty()) {
    if (!compress::eligible(response.status(), response.fields(), length,
                            decision_.distribution->compression.types()))
      return body;
    if (reply.outcome == observe::CacheOutcome::FreshHit) encode_stored(response);
  }
  const cache::EncodedBody* chosen = nullptr;
  if (facts_.http_version >= 0x101 && !http::find(facts_.fields, "range")) {
    http::CodingSet available;
    for (const auto& encoding : response.encodings())
      available.add(encoding.coding, decision_.behavior->codings.contains(encoding.coding) &&
                                         !encoding.body->failed());
    const http::Coding best = http::AcceptEncoding(facts_.fields).choose(available);
    for (const auto& encoding : response.encodings())
      if (encoding.coding == best) chosen = &encoding;
  }
  reply.fields =
      fields_of(reply.fields, chosen == nullptr ? http::Coding::Identity : chosen->coding);
  if (chosen == nullptr) return body;
  coding_ = chosen->coding;
  identity_length_ = length.value_or(0);
  return chosen->body;
}

/// What was stored before it was to be compressed, or while there was no room for that, is made up
/// for once: those who come later get the encodings.
void Exchange::encode_stored(const cache::StoredResponse& response) {
  if (!response.body()->storable() || !response.claim_encoding()) return;
  auto& commons = worker_.commons();
  const auto type = http::find(response.fields(), "content-type").value_or("");
  const auto encoding =
      commons.encodings.begin(response.body(), response.body()->size(), decision_.behavior->codings,
                              decision_.distribution->compression.levels(type));
  if (encoding == nullptr) return response.release_encoding();
  encoding->stored(commons.store, decision_.key);
}

/// The fields of an eligible response in `coding`: Vary names Accept-Encoding whatever the form; a
/// strong ETag is of the origin's octets only, and is weak beside others (RFC 9110 section 8.8.1).
http::Fields Exchange::fields_of(http::Fields stored, http::Coding coding) {
  const bool encoded = coding != http::Coding::Identity;
  std::pmr::vector<http::Field> fields(&memory_);
  fields.reserve(stored.size() + 2);
  std::pmr::string vary(&memory_);
  for (const auto& field : stored) {
    if (field.name == "vary") {
      if (!vary.empty()) vary += ", ";
      vary += field.value;
    } else if (encoded && digests_octets(field.name)) {
      continue;
    } else if (encoded && field.name == "etag" && field.value.starts_with('"')) {
      std::pmr::string weak("W/", &memory_);
      weak += field.value;
      fields.push_back({"etag", memory_.persist(weak)});
    } else {
      fields.push_back(field);
    }
  }
  if (!names_accept_encoding(vary)) vary += vary.empty() ? "Accept-Encoding" : ", Accept-Encoding";
  fields.push_back({"vary", memory_.persist(vary)});
  if (encoded) fields.push_back({"content-encoding", http::name_of(coding)});
  // The memory is the pool's and outlives the vector.
  return {fields.data(), fields.size()};
}

}  // namespace headgate::server
