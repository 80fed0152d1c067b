// SPDX-License-Identifier: MIT
// Certificates for tests, made when they are needed.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "appliance/base/assert.h"

namespace headgate::test {

/// A self-signed certificate and its key, as PEM.
struct Certificate {
  std::string certificate_pem;
  std::string key_pem;
};

namespace detail {
inline std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}
}  // namespace detail

/// `alt_names` as openssl.cnf has them: "DNS:origin.test,IP:127.0.0.1".
inline Certificate make_certificate(const std::string& alt_names) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), X509_free);
  HG_ASSERT(key != nullptr && x509 != nullptr);
  X509_set_version(x509.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), key.get());
  X509_NAME* name = X509_get_subject_name(x509.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("headgate test"), -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alt_names.c_str());
  HG_ASSERT(extension != nullptr);
  X509_add_ext(x509.get(), extension, -1);
  X509_EXTENSION_free(extension);
  HG_ASSERT(X509_sign(x509.get(), key.get(), EVP_sha256()) > 0);

  const std::unique_ptr<BIO, decltype(&BIO_free)> cert_out(BIO_new(BIO_s_mem()), BIO_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(cert_out.get(), x509.get());
  PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {detail::bio_text(cert_out.get()), detail::bio_text(key_out.get())};
}

}  // namespace headgate::test
