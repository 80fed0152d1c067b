// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/failure.h"

#include <cerrno>

namespace headgate::origin {
namespace {

Failure failure_to_connect(CURL* easy, CURLcode code) {
  if (code == CURLE_OPERATION_TIMEDOUT) {
    curl_off_t resolved = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    return resolved == 0 ? Failure::DnsTimeout : Failure::ConnectionTimeout;
  }
  long error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
  if (error == ETIMEDOUT) return Failure::ConnectionTimeout;
  return error == EMFILE || error == ENFILE ? Failure::Internal : Failure::ConnectionRefused;
}

}  // namespace

Failure failure_of(CURL* easy, CURLcode code, std::string_view details, bool connected,
                   bool has_head) {
  // libcurl has one code for malformed chunks and for a broken connection.
  if (details.find("chunked-encoding") != std::string_view::npos) return Failure::HttpProtocolError;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return Failure::DnsError;
    case CURLE_COULDNT_CONNECT:
      return failure_to_connect(easy, code);
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? Failure::HttpResponseTimeout : failure_to_connect(easy, code);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
      return Failure::TlsProtocolError;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return Failure::TlsCertificateError;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
      return Failure::HttpProtocolError;
    case CURLE_URL_MALFORMAT:
      return Failure::HttpRequestError;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2_STREAM:
      return has_head ? Failure::HttpResponseIncomplete : Failure::ConnectionTerminated;
    default:
      return Failure::Internal;
  }
}

}  // namespace headgate::origin
