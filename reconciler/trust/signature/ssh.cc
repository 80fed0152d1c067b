// SPDX-License-Identifier: MIT
// SSH keys and the signatures that ssh-keygen -Y sign, and so git, makes with them.
#include "reconciler/trust/signature/ssh.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>

#include "reconciler/trust/signature/encoding.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 16384;
constexpr std::size_t kMaxExponentOctets = 8;

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;
using Key = std::shared_ptr<EVP_PKEY>;

const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Owned<BIGNUM> number_of(std::string_view octets) {
  return {BN_bin2bn(octets_of(octets), static_cast<int>(octets.size()), nullptr), BN_free};
}

struct Curve {
  std::string_view type;
  std::string_view name;    ///< in the key's blob
  const char* group;        ///< OpenSSL's
  const EVP_MD* (*hash)();  ///< RFC 5656 section 6.2.1
};
constexpr std::array<Curve, 3> kCurves = {{
    {"ecdsa-sha2-nistp256", "nistp256", "prime256v1", EVP_sha256},
    {"ecdsa-sha2-nistp384", "nistp384", "secp384r1", EVP_sha384},
    {"ecdsa-sha2-nistp521", "nistp521", "secp521r1", EVP_sha512},
}};

const Curve* curve_of(std::string_view type) {
  const auto* found = std::find_if(kCurves.begin(), kCurves.end(),
                                   [&](const Curve& curve) { return curve.type == type; });
  return found == kCurves.end() ? nullptr : found;
}

/// A key that OpenSSL accepts: for curves, also that the point is on it.
Key make_key(const char* kind, OSSL_PARAM_BLD* parts) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(parts), OSSL_PARAM_free);
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr),
                                    EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  Key key(made, EVP_PKEY_free);
  const Owned<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr),
                                  EVP_PKEY_CTX_free);
  return check != nullptr && EVP_PKEY_public_check_quick(check.get()) == 1 ? key : nullptr;
}

Key read_ed25519(SshReader& reader) {
  const std::string_view point = reader.text();
  if (!reader.done() || point.size() != 32) return nullptr;
  return {EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets_of(point), point.size()),
          EVP_PKEY_free};
}

Key read_ecdsa(SshReader& reader, const Curve& curve) {
  const std::string_view name = reader.text();
  const std::string_view point = reader.text();
  if (!reader.done() || name != curve.name || point.empty() || point.front() != 4) return nullptr;
  const Owned<OSSL_PARAM_BLD> parts(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (parts == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(parts.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(parts.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1)
    return nullptr;
  return make_key("EC", parts.get());
}

Result<Key> read_rsa(SshReader& reader) {
  const std::string_view exponent = reader.natural();
  const std::string_view modulus = reader.natural();
  if (!reader.done() || exponent.empty() || exponent.size() > kMaxExponentOctets ||
      modulus.size() > kMaxRsaBits / 8)
    return fail(Blame::Config, "it is not an RSA key of {} to {} bits", kMinRsaBits, kMaxRsaBits);
  const Owned<BIGNUM> e = number_of(exponent);
  const Owned<BIGNUM> n = number_of(modulus);
  const Owned<OSSL_PARAM_BLD> parts(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (e == nullptr || n == nullptr || parts == nullptr || !BN_is_odd(e.get()) ||
      !BN_is_odd(n.get()) || BN_is_one(e.get()))
    return fail(Blame::Config, "it is not an RSA key");
  if (BN_num_bits(n.get()) < kMinRsaBits)
    return fail(Blame::Config, "an RSA key of {} bits; at least {} are needed",
                BN_num_bits(n.get()), kMinRsaBits);
  if (OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1)
    return fail(Blame::Self, "out of memory");
  return make_key("RSA", parts.get());
}

/// r and s (RFC 5656 section 3.1.2) as OpenSSL wants them; empty when they are none.
std::string der_of(std::string_view blob) {
  SshReader reader(blob);
  const std::string_view r = reader.natural();
  const std::string_view s = reader.natural();
  if (!reader.done() || r.empty() || s.empty() || r.size() > 66 || s.size() > 66) return {};
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  Owned<BIGNUM> r_number = number_of(r);
  Owned<BIGNUM> s_number = number_of(s);
  if (signature == nullptr || r_number == nullptr || s_number == nullptr ||
      ECDSA_SIG_set0(signature.get(), r_number.get(), s_number.get()) != 1)
    return {};
  static_cast<void>(r_number.release());
  static_cast<void>(s_number.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify(EVP_PKEY* key, const EVP_MD* hash, std::string_view signature,
            std::string_view octets) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), octets_of(signature), signature.size(), octets_of(octets),
                          octets.size()) == 1;
}

std::string digest(const EVP_MD* hash, std::string_view octets) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(hash)), '\0');
  if (EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(out.data()),
                 nullptr, hash, nullptr) != 1)
    out.clear();
  return out;
}

}  // namespace

Result<SshKey> SshKey::parse(std::string_view blob) {
  SshReader reader(blob);
  const std::string type(reader.text());
  Key key;
  if (type == "ssh-ed25519") {
    key = read_ed25519(reader);
  } else if (const Curve* curve = curve_of(type); curve != nullptr) {
    key = read_ecdsa(reader, *curve);
  } else if (type == "ssh-rsa") {
    HG_TRY(key, read_rsa(reader), "ssh-rsa");
  } else {
    return fail(Blame::Config, "keys of the type {} are not supported; ed25519, ecdsa and rsa are",
                schema::in_quotes(type));
  }
  if (key == nullptr) return fail(Blame::Config, "the key is damaged ({})", type);
  return SshKey(std::string(blob), type, std::move(key));
}

bool SshKey::verifies(std::string_view algorithm, std::string_view signature,
                      std::string_view octets) const {
  if (type_ == "ssh-ed25519")
    return algorithm == type_ && signature.size() == 64 &&
           verify(key_.get(), nullptr, signature, octets);
  if (const Curve* curve = curve_of(type_); curve != nullptr)
    return algorithm == type_ && verify(key_.get(), curve->hash(), der_of(signature), octets);
  const EVP_MD* hash = algorithm == "rsa-sha2-512"   ? EVP_sha512()
                       : algorithm == "rsa-sha2-256" ? EVP_sha256()
                                                     : nullptr;
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
  if (hash == nullptr || signature.size() > size) return false;
  // Leading zeros may be left out.
  const std::string padded = std::string(size - signature.size(), '\0') + std::string(signature);
  return verify(key_.get(), hash, padded, octets);
}

std::string SshKey::fingerprint() const { return ssh_fingerprint(blob_); }

std::string ssh_fingerprint(std::string_view blob) {
  const std::string hash = digest(EVP_sha256(), blob);
  std::string text(4 * ((hash.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), octets_of(hash),
                                   static_cast<int>(hash.size()));
  text.resize(static_cast<std::size_t>(size));
  while (!text.empty() && text.back() == '=') text.pop_back();
  return "SHA256:" + text;
}

Result<SshSignature> parse_ssh_signature(std::string_view armored) {
  std::string_view rest;
  HG_TRY(const std::string blob, decode_armor(armored, "SSH SIGNATURE", &rest), "SSH signature");
  if (!rest.empty()) return fail(Blame::Config, "SSH signature: something follows it");
  SshReader reader(blob);
  reader.skip("SSHSIG");
  const std::uint32_t version = reader.number();
  if (reader.good() && version != 1)
    return fail(Blame::Config, "SSH signature: version {}; 1 is supported", version);
  SshSignature out;
  out.key = reader.text();
  out.name_space = reader.text();
  out.reserved = reader.text();
  out.hash = reader.text();
  const std::string_view packed = reader.text();
  SshReader inner(packed);
  out.algorithm = inner.text();
  out.signature = inner.text();
  if (!reader.done() || !inner.done()) return fail(Blame::Config, "SSH signature: it is damaged");
  return out;
}

bool verifies(const SshKey& key, const SshSignature& signature, std::string_view name_space,
              std::string_view message) {
  const EVP_MD* hash = signature.hash == "sha512"   ? EVP_sha512()
                       : signature.hash == "sha256" ? EVP_sha256()
                                                    : nullptr;
  if (hash == nullptr || key.blob() != signature.key || signature.name_space != name_space)
    return false;
  const std::string octets = "SSHSIG" + ssh_text(signature.name_space) +
                             ssh_text(signature.reserved) + ssh_text(signature.hash) +
                             ssh_text(digest(hash, message));
  return key.verifies(signature.algorithm, signature.signature, octets);
}

}  // namespace headgate::reconciler
