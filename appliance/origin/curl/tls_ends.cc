// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/tls_ends.h"

namespace headgate::origin {

CURLcode TlsEnds::install(CURL*, void* ssl_ctx, void* self) {
  SSL_CTX* ctx = static_cast<SSL_CTX*>(ssl_ctx);
  SSL_CTX_set_app_data(ctx, self);
  SSL_CTX_set_info_callback(ctx, &TlsEnds::on_info);
  return CURLE_OK;
}

const SSL* TlsEnds::watch(CURL* easy) {
  const curl_tlssessioninfo* info = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == nullptr)
    return nullptr;
  const SSL* ssl =
      info->backend == CURLSSLBACKEND_OPENSSL ? static_cast<const SSL*>(info->internals) : nullptr;
  if (ssl != nullptr) notified_[ssl] = false;
  return ssl;
}

bool TlsEnds::take(const SSL* ssl) {
  const auto found = notified_.find(ssl);
  if (found == notified_.end()) return false;
  const bool notified = found->second;
  notified_.erase(found);
  return notified;
}

void TlsEnds::on_info(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
    return;
  TlsEnds& ends = *static_cast<TlsEnds*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (const auto found = ends.notified_.find(ssl); found != ends.notified_.end())
    found->second = true;
}

}  // namespace headgate::origin
