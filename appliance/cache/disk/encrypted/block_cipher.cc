// SPDX-License-Identifier: MIT
#include "appliance/cache/disk/encrypted/block_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>
#include <string>

#include "appliance/base/assert.h"
#include "appliance/cache/disk/device.h"

namespace headgate::cache::disk {
namespace {

struct Free {
  void operator()(EVP_KDF* it) const { EVP_KDF_free(it); }
  void operator()(EVP_KDF_CTX* it) const { EVP_KDF_CTX_free(it); }
  void operator()(EVP_CIPHER_CTX* it) const { EVP_CIPHER_CTX_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// What the key is for: another use of the same octets gets other keys (RFC 5869 section 3.2).
constexpr std::string_view kPurpose = "headgate cache on disk, AES-256-XTS";

OSSL_PARAM octets(const char* name, std::string_view text) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(text.data()), text.size());
}

tl::unexpected<Error> openssl_fail(std::string_view what) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  return fail(Blame::Self, "{}: {}", what, ERR_error_string(code, nullptr));
}

}  // namespace

Result<BlockCipher> BlockCipher::make(std::string_view key) {
  const std::size_t end = key.find_last_not_of(" \t\r\n");
  key = key.substr(0, end == std::string_view::npos ? 0 : end + 1);
  if (key.size() < kLeastKeyBytes)
    return fail(Blame::Config, "a key of {} octets is too short: {} at least, as of `{}`",
                key.size(), kLeastKeyBytes, "openssl rand -base64 32");
  BlockCipher cipher;
  std::string digest = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_INFO, kPurpose),
      OSSL_PARAM_construct_end()};
  const Owned<EVP_KDF> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const Owned<EVP_KDF_CTX> context(EVP_KDF_CTX_new(kdf.get()));
  if (EVP_KDF_derive(context.get(), cipher.key_.data(), cipher.key_.size(), parameters) != 1)
    return openssl_fail("HKDF");
  return cipher;
}

BlockCipher::~BlockCipher() { OPENSSL_cleanse(key_.data(), key_.size()); }

Status BlockCipher::encrypt(std::uint64_t offset, std::span<const char> from,
                            std::span<char> into) const {
  return run(true, offset, from, into);
}

Status BlockCipher::decrypt(std::uint64_t offset, std::span<const char> from,
                            std::span<char> into) const {
  return run(false, offset, from, into);
}

Status BlockCipher::run(bool encrypts, std::uint64_t offset, std::span<const char> from,
                        std::span<char> into) const {
  constexpr std::uint64_t kBlock = Device::kBlockBytes;
  HG_ASSERT(offset % kBlock == 0 && from.size() % kBlock == 0 && from.size() == into.size());
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  const int way = encrypts ? 1 : 0;
  if (EVP_CipherInit_ex(context.get(), EVP_aes_256_xts(), nullptr, key_.data(), nullptr, way) != 1)
    return openssl_fail("AES-256-XTS");
  for (std::size_t at = 0; at < from.size(); at += kBlock) {
    // The tweak: the block's number, least significant octet first.
    std::array<unsigned char, 16> tweak{};
    std::uint64_t number = (offset + at) / kBlock;
    for (unsigned char& octet : tweak) {
      octet = static_cast<unsigned char>(number);
      number >>= 8;
    }
    int written = 0;
    if (EVP_CipherInit_ex(context.get(), nullptr, nullptr, nullptr, tweak.data(), way) != 1 ||
        EVP_CipherUpdate(context.get(), reinterpret_cast<unsigned char*>(into.data() + at),
                         &written, reinterpret_cast<const unsigned char*>(from.data() + at),
                         static_cast<int>(kBlock)) != 1)
      return openssl_fail("AES-256-XTS");
  }
  return {};
}

}  // namespace headgate::cache::disk
