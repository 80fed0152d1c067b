// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <climits>
#include <memory>

#include "appliance/base/assert.h"

namespace headgate::snapshot {
namespace {

struct Free {
  void operator()(EVP_PKEY* it) const { EVP_PKEY_free(it); }
  void operator()(EVP_PKEY_CTX* it) const { EVP_PKEY_CTX_free(it); }
  void operator()(EVP_CIPHER_CTX* it) const { EVP_CIPHER_CTX_free(it); }
  void operator()(EVP_KDF* it) const { EVP_KDF_free(it); }
  void operator()(EVP_KDF_CTX* it) const { EVP_KDF_CTX_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

std::uint8_t* octets(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

/// An authenticated cipher whose nonce and tag are of the sizes given.
std::optional<std::string> open_sealed(const EVP_CIPHER* cipher, View key, View nonce, View sealed,
                                       View tag, std::string_view additional) {
  if (sealed.size() > INT_MAX || additional.size() > INT_MAX || nonce.empty() ||
      key.size() != static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)))
    return std::nullopt;
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  std::string out(sealed.size(), '\0');
  std::array<std::uint8_t, 16> expected{};
  if (tag.size() != expected.size()) return std::nullopt;
  std::copy(tag.begin(), tag.end(), expected.begin());
  int size = 0;
  const View more = view_of(additional);
  const bool good =
      EVP_DecryptInit_ex(context.get(), cipher, nullptr, nullptr, nullptr) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(nonce.size()),
                          nullptr) == 1 &&
      EVP_DecryptInit_ex(context.get(), nullptr, nullptr, key.data(), nonce.data()) == 1 &&
      (more.empty() || EVP_DecryptUpdate(context.get(), nullptr, &size, more.data(),
                                         static_cast<int>(more.size())) == 1) &&
      EVP_DecryptUpdate(context.get(), octets(out), &size, sealed.data(),
                        static_cast<int>(sealed.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(expected.size()),
                          expected.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), octets(out) + size, &size) == 1;
  if (good) return out;
  wipe(out);
  return std::nullopt;
}

Owned<EVP_PKEY> private_key(const Octets32& secret) {
  return Owned<EVP_PKEY>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(), secret.size()));
}

}  // namespace

View view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Octets32 hkdf_sha256(View key, View salt, std::string_view info) {
  const Owned<EVP_KDF> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const Owned<EVP_KDF_CTX> context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256";
  const auto given = [](const char* name, View octets) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(octets.data()),
                                             octets.size());
  };
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      given(OSSL_KDF_PARAM_KEY, key), given(OSSL_KDF_PARAM_INFO, view_of(info)),
      // None is as good as one of zeros (RFC 5869 section 2.2); OpenSSL takes no empty one.
      salt.empty() ? OSSL_PARAM_construct_end() : given(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_end()};
  Octets32 out{};
  HG_ASSERT(EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1);
  return out;
}

Octets32 hmac_sha256(View key, std::string_view text) {
  Octets32 out{};
  unsigned size = 0;
  const View message = view_of(text);
  HG_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                 message.size(), out.data(), &size) != nullptr);
  return out;
}

bool equal_in_constant_time(View a, View b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<Octets32> x25519(const Octets32& secret, View point) {
  const Owned<EVP_PKEY> ours = private_key(secret);
  const Owned<EVP_PKEY> theirs(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.data(), point.size()));
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(ours.get(), nullptr));
  Octets32 out{};
  std::size_t size = out.size();
  // OpenSSL refuses a result of zero.
  if (EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
      EVP_PKEY_derive(context.get(), out.data(), &size) != 1 || size != out.size())
    return std::nullopt;
  return out;
}

Octets32 x25519_public(const Octets32& secret) {
  const Owned<EVP_PKEY> key = private_key(secret);
  Octets32 out{};
  std::size_t size = out.size();
  HG_ASSERT(EVP_PKEY_get_raw_public_key(key.get(), out.data(), &size) == 1);
  return out;
}

std::optional<std::string> open_chacha20_poly1305(const Octets32& key, View nonce, View sealed) {
  constexpr std::size_t kTag = 16;
  if (sealed.size() < kTag) return std::nullopt;
  return open_sealed(EVP_chacha20_poly1305(), key, nonce, sealed.first(sealed.size() - kTag),
                     sealed.last(kTag), {});
}

std::optional<std::string> open_aes256_gcm(View key, View nonce, View sealed, View tag,
                                           std::string_view additional) {
  return open_sealed(EVP_aes_256_gcm(), key, nonce, sealed, tag, additional);
}

void wipe(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace headgate::snapshot
