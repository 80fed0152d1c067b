// SPDX-License-Identifier: MIT
// Whether a TLS connection ended by close_notify: libcurl 7.88 takes a cut one for the end of a
// body that has no other end.
#pragma once

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <unordered_map>

namespace headgate::origin {

/// RFC 9112 section 9.8: a body that only the end of the connection ends is incomplete without
/// close_notify. Threads: one.
class TlsEnds {
 public:
  /// CURLOPT_SSL_CTX_FUNCTION; `self` is the TlsEnds. Must outlive the connections.
  static CURLcode install(CURL* easy, void* ssl_ctx, void* self);

  /// From now on the end of `easy`'s connection is watched; null for plain TCP. For call-backs of
  /// libcurl's.
  const SSL* watch(CURL* easy);
  /// Whether close_notify has come; ends the watch.
  bool take(const SSL* ssl);

 private:
  static void on_info(const SSL* ssl, int where, int value);

  std::unordered_map<const SSL*, bool> notified_;
};

}  // namespace headgate::origin
