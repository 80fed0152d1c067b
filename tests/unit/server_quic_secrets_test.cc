// SPDX-License-Identifier: MIT
// Connection ids and tokens that only the edge can make.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <set>

#include "appliance/server/h3/crypto/secrets.h"

using headgate::server::QuicAddress;
using headgate::server::QuicSecrets;
using headgate::server::QuicSeed;

namespace {

QuicSeed seed_of(std::uint8_t octet) {
  QuicSeed seed;
  seed.fill(octet);
  return seed;
}

QuicAddress client(const char* text, std::uint16_t port) {
  QuicAddress address;
  address.raw.in.sin_family = AF_INET;
  address.raw.in.sin_port = htons(port);
  REQUIRE(inet_pton(AF_INET, text, &address.raw.in.sin_addr) == 1);
  address.size = sizeof address.raw.in;
  return address;
}

std::span<const std::uint8_t> octets(const ngtcp2_cid& id) { return {id.data, id.datalen}; }

ngtcp2_pkt_hd header_with(const std::vector<std::uint8_t>& token, const ngtcp2_cid& to) {
  ngtcp2_pkt_hd header{};
  header.version = NGTCP2_PROTO_VER_V1;
  header.token = token.data();
  header.tokenlen = token.size();
  header.dcid = to;
  return header;
}

}  // namespace

TEST_CASE("a connection id says whose it is, to the edge that made it and to nobody else") {
  const QuicSecrets ours(seed_of(1));
  const QuicSecrets theirs(seed_of(2));
  std::set<std::vector<std::uint8_t>> seen;
  for (const unsigned workers : {1U, 2U, 7U, 1024U}) {
    for (unsigned i = 0; i < 50; ++i) {
      const unsigned worker = i % workers;
      const ngtcp2_cid id = ours.make_id(worker, workers);
      CHECK(id.datalen == QuicSecrets::kIdSize);
      CHECK(ours.worker_of(octets(id), workers) == worker);
      // What the kernel's program computes.
      CHECK(((unsigned{id.data[0]} << 8) | id.data[1]) % workers == worker);
      CHECK_FALSE(theirs.worker_of(octets(id), workers).has_value());
      CHECK(seen.emplace(id.data, id.data + id.datalen).second);
    }
  }
}

TEST_CASE("an id that was changed anywhere, or is of another length, is nobody's") {
  const QuicSecrets secrets(seed_of(1));
  const ngtcp2_cid id = secrets.make_id(1, 4);
  for (std::size_t i = 0; i < id.datalen; ++i) {
    ngtcp2_cid changed = id;
    changed.data[i] ^= 0x10;
    CHECK_FALSE(secrets.worker_of(octets(changed), 4).has_value());
  }
  CHECK_FALSE(secrets.worker_of({id.data, id.datalen - 1}, 4).has_value());
  CHECK_FALSE(secrets.worker_of({}, 4).has_value());
}

TEST_CASE("reset tokens are the same for one id and one seed, and differ for others") {
  const auto token = [](const QuicSecrets& secrets, const ngtcp2_cid& id) {
    std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> out;
    secrets.make_reset_token(id, out.data());
    return out;
  };
  const QuicSecrets secrets(seed_of(1));
  const ngtcp2_cid id = secrets.make_id(0, 1);
  CHECK(token(secrets, id) == token(QuicSecrets(seed_of(1)), id));
  CHECK(token(secrets, id) != token(QuicSecrets(seed_of(2)), id));
  CHECK(token(secrets, id) != token(secrets, secrets.make_id(0, 1)));
}

TEST_CASE("a Retry token proves one address and one id, and names the id before it") {
  const QuicSecrets secrets(seed_of(1));
  const auto here = client("192.0.2.1", 4433);
  const ngtcp2_cid retry_id = secrets.make_id(0, 1);
  ngtcp2_cid chosen{};
  ngtcp2_cid_init(&chosen, reinterpret_cast<const std::uint8_t*>("chosen by client"), 16);
  const auto token = secrets.make_retry_token(NGTCP2_PROTO_VER_V1, here.view(), retry_id, chosen);
  REQUIRE_FALSE(token.empty());
  ngtcp2_cid original{};
  CHECK(secrets.verify_token(header_with(token, retry_id), here.view(), original) ==
        QuicSecrets::Token::Retry);
  CHECK(ngtcp2_cid_eq(&original, &chosen) != 0);
  CHECK(secrets.verify_token(header_with(token, retry_id), client("192.0.2.2", 4433).view(),
                             original) == QuicSecrets::Token::None);
  CHECK(secrets.verify_token(header_with(token, chosen), here.view(), original) ==
        QuicSecrets::Token::None);
  CHECK(QuicSecrets(seed_of(2)).verify_token(header_with(token, retry_id), here.view(), original) ==
        QuicSecrets::Token::None);
}

TEST_CASE(
    "a token for later connections proves an address, whatever its port; noise proves nothing") {
  const QuicSecrets secrets(seed_of(1));
  const auto here = client("192.0.2.1", 4433);
  const ngtcp2_cid id = secrets.make_id(0, 1);
  const auto token = secrets.make_new_token(here.view());
  ngtcp2_cid original{};
  CHECK(secrets.verify_token(header_with(token, id), client("192.0.2.1", 5555).view(), original) ==
        QuicSecrets::Token::New);
  CHECK(secrets.verify_token(header_with(token, id), client("192.0.2.9", 4433).view(), original) ==
        QuicSecrets::Token::None);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, token.size() - 1}) {
    const std::vector<std::uint8_t> part(token.begin(),
                                         token.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(secrets.verify_token(header_with(part, id), here.view(), original) ==
          QuicSecrets::Token::None);
  }
}
