// SPDX-License-Identifier: MIT
#include "appliance/server/h3/crypto/secrets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "appliance/base/assert.h"

namespace headgate::server {
namespace {

constexpr std::size_t kCodeSize = 8;
constexpr std::size_t kCodeAt = QuicSecrets::kIdSize - kCodeSize;
constexpr ngtcp2_duration kRetryTokenLife = 10 * NGTCP2_SECONDS;
constexpr ngtcp2_duration kNewTokenLife = 24 * 3600 * NGTCP2_SECONDS;

void fill_random(std::uint8_t* out, std::size_t size) {
  // It fails only when the system has no randomness to give; then nothing here is safe.
  HG_ASSERT(RAND_bytes(out, static_cast<int>(size)) == 1);
}

}  // namespace

QuicSeed random_quic_seed() {
  QuicSeed seed;
  fill_random(seed.data(), seed.size());
  return seed;
}

QuicSecrets::QuicSecrets(const QuicSeed& seed)
    : id_key_(derive(seed, "headgate quic connection id")),
      reset_key_(derive(seed, "headgate quic stateless reset")),
      token_key_(derive(seed, "headgate quic address token")) {}

QuicSecrets::Key QuicSecrets::derive(const QuicSeed& seed, std::string_view label) {
  Key key;
  unsigned size = 0;
  HMAC(EVP_sha256(), seed.data(), static_cast<int>(seed.size()),
       reinterpret_cast<const unsigned char*>(label.data()), label.size(), key.data(), &size);
  HG_ASSERT(size == key.size());
  return key;
}

std::array<std::uint8_t, 64> QuicSecrets::derive_wide(const QuicSeed& seed,
                                                      std::string_view label) {
  std::array<std::uint8_t, 64> key;
  unsigned size = 0;
  HMAC(EVP_sha512(), seed.data(), static_cast<int>(seed.size()),
       reinterpret_cast<const unsigned char*>(label.data()), label.size(), key.data(), &size);
  HG_ASSERT(size == key.size());
  return key;
}

void QuicSecrets::make_code(const std::uint8_t* id, std::uint8_t* out) const {
  std::uint8_t digest[32];
  unsigned size = 0;
  HMAC(EVP_sha256(), id_key_.data(), static_cast<int>(id_key_.size()), id, kCodeAt, digest, &size);
  std::copy_n(digest, kCodeSize, out);
}

ngtcp2_cid QuicSecrets::make_id(unsigned worker, unsigned workers) const {
  ngtcp2_cid id{};
  id.datalen = kIdSize;
  fill_random(id.data, kCodeAt);
  // Any multiple of `workers` that leaves room for every remainder.
  const unsigned multiple = ((id.data[0] << 8) | id.data[1]) % (65536 / workers);
  const unsigned number = multiple * workers + worker;
  id.data[0] = static_cast<std::uint8_t>(number >> 8);
  id.data[1] = static_cast<std::uint8_t>(number);
  make_code(id.data, id.data + kCodeAt);
  return id;
}

std::optional<unsigned> QuicSecrets::worker_of(std::span<const std::uint8_t> id,
                                               unsigned workers) const {
  if (id.size() != kIdSize) return std::nullopt;
  std::uint8_t code[kCodeSize];
  make_code(id.data(), code);
  if (CRYPTO_memcmp(code, id.data() + kCodeAt, kCodeSize) != 0) return std::nullopt;
  return ((unsigned{id[0]} << 8) | id[1]) % workers;
}

void QuicSecrets::make_reset_token(const ngtcp2_cid& id, std::uint8_t* out) const {
  HG_ASSERT(ngtcp2_crypto_generate_stateless_reset_token(out, reset_key_.data(), reset_key_.size(),
                                                         &id) == 0);
}

std::vector<std::uint8_t> QuicSecrets::make_retry_token(std::uint32_t version,
                                                        const ngtcp2_addr& client,
                                                        const ngtcp2_cid& retry_id,
                                                        const ngtcp2_cid& original_id) const {
  std::vector<std::uint8_t> token(NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2);
  const auto size = ngtcp2_crypto_generate_retry_token2(
      token.data(), token_key_.data(), token_key_.size(), version, client.addr, client.addrlen,
      &retry_id, &original_id, quic_wall_now());
  token.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return token;
}

std::vector<std::uint8_t> QuicSecrets::make_new_token(const ngtcp2_addr& client) const {
  std::vector<std::uint8_t> token(NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN);
  const auto size =
      ngtcp2_crypto_generate_regular_token(token.data(), token_key_.data(), token_key_.size(),
                                           client.addr, client.addrlen, quic_wall_now());
  token.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return token;
}

QuicSecrets::Token QuicSecrets::verify_token(const ngtcp2_pkt_hd& header, const ngtcp2_addr& client,
                                             ngtcp2_cid& original_id) const {
  if (header.tokenlen == 0) return Token::None;
  if (header.token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2)
    return ngtcp2_crypto_verify_retry_token2(&original_id, header.token, header.tokenlen,
                                             token_key_.data(), token_key_.size(), header.version,
                                             client.addr, client.addrlen, &header.dcid,
                                             kRetryTokenLife, quic_wall_now()) == 0
               ? Token::Retry
               : Token::None;
  if (header.token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR)
    return ngtcp2_crypto_verify_regular_token(header.token, header.tokenlen, token_key_.data(),
                                              token_key_.size(), client.addr, client.addrlen,
                                              kNewTokenLife, quic_wall_now()) == 0
               ? Token::New
               : Token::None;
  return Token::None;
}

}  // namespace headgate::server
