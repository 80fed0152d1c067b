// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "appliance/base/ip_address.h"

namespace headgate::snapshot {
namespace {

struct BioDelete {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDelete>;

BioPtr memory_bio(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string openssl_error() {
  char text[256] = "unknown error";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

std::string subject_alternative_names(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    if (!list.empty()) list += ',';
    list += base::IpAddress::parse(name) ? "IP:" : "DNS:";
    list += name;
  }
  return list;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

base::WallTime wall_time(const ASN1_TIME* time) {
  std::tm broken_down{};
  ASN1_TIME_to_tm(time, &broken_down);
  return std::chrono::time_point_cast<Duration>(
      std::chrono::system_clock::from_time_t(timegm(&broken_down)));
}

}  // namespace

Result<std::shared_ptr<const Certificate>> Certificate::parse(const std::string& name,
                                                              const std::string& chain_pem,
                                                              const schema::Redacted& key_pem) {
  auto certificate = std::make_shared<Certificate>();
  const BioPtr chain = memory_bio(chain_pem);
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr))
    certificate->chain_.emplace_back(next);
  ERR_clear_error();  // the end of the input is an error to OpenSSL
  if (certificate->chain_.empty())
    return fail(Blame::Config, "certificate {}: no PEM certificate in its file", name);

  // The null password call-back keeps an encrypted key from asking on a terminal.
  const BioPtr key = memory_bio(key_pem.reveal());
  certificate->key_.reset(PEM_read_bio_PrivateKey(
      key.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr));
  if (certificate->key_ == nullptr)
    return fail(Blame::Config, "certificate {}: its private key is not an unencrypted PEM key ({})",
                name, openssl_error());
  if (X509_check_private_key(certificate->leaf(), certificate->key()) != 1)
    return fail(Blame::Config, "certificate {}: the private key does not belong to the certificate",
                name);
  return std::shared_ptr<const Certificate>(std::move(certificate));
}

Result<std::shared_ptr<const Certificate>> Certificate::self_signed(
    const std::vector<std::string>& names) {
  auto certificate = std::make_shared<Certificate>();
  certificate->key_.reset(EVP_EC_gen("P-256"));
  certificate->chain_.emplace_back(X509_new());
  X509* leaf = certificate->leaf();
  if (certificate->key_ == nullptr || leaf == nullptr)
    return fail(Blame::Self, "making a self-signed certificate: {}", openssl_error());

  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf), serial >> 1);
  X509_set_version(leaf, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(leaf), -3600);
  X509_gmtime_adj(X509_getm_notAfter(leaf), 365L * 24 * 3600);
  X509_set_pubkey(leaf, certificate->key());
  X509_NAME* subject = X509_get_subject_name(leaf);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("headgate self-signed"), -1, -1,
                             0);
  X509_set_issuer_name(leaf, subject);
  if (!add_extension(leaf, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(leaf, NID_subject_alt_name, subject_alternative_names(names)) ||
      X509_sign(leaf, certificate->key(), EVP_sha256()) == 0)
    return fail(Blame::Self, "making a self-signed certificate: {}", openssl_error());
  return std::shared_ptr<const Certificate>(std::move(certificate));
}

base::WallTime Certificate::not_after() const {
  return wall_time(X509_get0_notAfter(chain_.front().get()));
}

Result<Validity> validity_for(const std::string& chain_pem, const std::string& host) {
  const BioPtr chain = memory_bio(chain_pem);
  const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (leaf == nullptr) return fail(Blame::Config, "no PEM certificate ({})", openssl_error());
  const bool is_address = base::IpAddress::parse(host).has_value();
  return Validity{
      wall_time(X509_get0_notBefore(leaf.get())), wall_time(X509_get0_notAfter(leaf.get())),
      (is_address ? X509_check_ip_asc(leaf.get(), host.c_str(), 0)
                  : X509_check_host(leaf.get(), host.data(), host.size(), 0, nullptr)) == 1};
}

}  // namespace headgate::snapshot
