// SPDX-License-Identifier: MIT
#include "appliance/origin/curl/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "appliance/origin/curl/response_head.h"

namespace headgate::origin {
namespace {

constexpr long kDnsCacheSeconds = 60;
constexpr long kReadBufferOctets = 32 * 1024;

/// What this file or libcurl writes itself, or what is about one connection only (RFC 9110
/// section 7.6.1).
constexpr std::array<std::string_view, 10> kOurs = {
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
    "te",   "trailer",        "upgrade",           "expect"};

bool is_ours(std::string_view name) {
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [&](std::string_view ours) { return http::equals_ignoring_case(name, ours); });
}

bool ends_a_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

/// No spaces and no control characters: either would be another request line.
bool is_target(std::string_view target) {
  if (target != "*" && target.substr(0, 1) != "/") return false;
  return std::all_of(target.begin(), target.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet > 0x20 && octet != 0x7f;
  });
}

Status check(const Request& request) {
  if (!http::is_token(request.method) || request.method == "CONNECT") {
    return fail(Blame::Self, "the method cannot be sent to an origin");
  }
  if (!is_target(request.target)) return fail(Blame::Self, "the request target is not a path");
  if (request.host_header.empty() || ends_a_line(request.host_header)) {
    return fail(Blame::Self, "the Host field is empty or has a line end");
  }
  if (request.body != nullptr && request.method == "HEAD") {
    return fail(Blame::Self, "HEAD with a body cannot be sent to an origin");
  }
  for (const http::Field& field : request.fields.fields()) {
    if (!http::is_token(field.name)) return fail(Blame::Self, "a field name is no token");
    if (ends_a_line(field.value)) {
      return fail(Blame::Self, "the value of {} has a line end", field.name);
    }
  }
  return {};
}

void append(Slist& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) std::abort();  // out of memory
  (void)list.release();
  list.reset(longer);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t") == std::string_view::npos;
}

Slist header_list(const Request& request) {
  Slist list;
  append(list, fmt::format("Host: {}", request.host_header));
  bool has_accept = false;
  for (const http::Field& field : request.fields.fields()) {
    if (is_ours(field.name)) continue;
    has_accept = has_accept || http::equals_ignoring_case(field.name, "accept");
    // libcurl's notation for an empty value; with a colon it would remove the field.
    append(list, is_blank(field.value) ? fmt::format("{};", field.name)
                                       : fmt::format("{}: {}", field.name, field.value));
  }
  // A colon and nothing: not to be sent. libcurl would add these by itself.
  if (!has_accept) append(list, "Accept:");
  append(list, "Expect:");
  const std::string& method = request.method;
  if (request.body == nullptr && (method == "POST" || method == "PUT" || method == "PATCH")) {
    append(list, "Content-Length: 0");  // RFC 9110 section 8.6
  }
  return list;
}

std::string in_url(const std::string& host) {
  return host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
}

/// The URL's host is what libcurl puts into SNI and verifies; CONNECT_TO says where that is.
void set_address(CURL* easy, const Endpoint& endpoint, Scheme scheme, RequestLists& lists) {
  const bool tls = scheme == Scheme::Https;
  const int port = tls ? endpoint.https_port : endpoint.http_port;
  const std::string host = in_url(endpoint.host);
  const bool other_name = tls && !endpoint.sni.empty() && endpoint.sni != endpoint.host;
  const std::string name = other_name ? in_url(endpoint.sni) : host;
  curl_easy_setopt(easy, CURLOPT_URL,
                   fmt::format("{}://{}:{}/", tls ? "https" : "http", name, port).c_str());
  if (!other_name) return;
  append(lists.connect_to, fmt::format("{}:{}:{}:{}", name, port, host, port));
  curl_easy_setopt(easy, CURLOPT_CONNECT_TO, lists.connect_to.get());
}

long lowest_tls(std::string_view version) {
  if (version == "1.0") return CURL_SSLVERSION_TLSv1_0;
  if (version == "1.1") return CURL_SSLVERSION_TLSv1_1;
  if (version == "1.3") return CURL_SSLVERSION_TLSv1_3;
  return CURL_SSLVERSION_TLSv1_2;
}

long highest_tls(std::string_view version) {
  if (version == "1.0") return CURL_SSLVERSION_MAX_TLSv1_0;
  if (version == "1.1") return CURL_SSLVERSION_MAX_TLSv1_1;
  if (version == "1.2") return CURL_SSLVERSION_MAX_TLSv1_2;
  return CURL_SSLVERSION_MAX_DEFAULT;
}

void set_tls(CURL* easy, const Endpoint& endpoint) {
  curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                   lowest_tls(endpoint.min_tls) | highest_tls(endpoint.max_tls));
  if (endpoint.min_tls == "1.0" || endpoint.min_tls == "1.1") {
    // Debian's OpenSSL offers neither at its default security level.
    curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:@SECLEVEL=0");
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, endpoint.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, endpoint.verify ? 2L : 0L);
  // The system's bundle is parsed once and kept by the multi, but only when no directory is given
  // beside it.
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  if (!endpoint.ca_bundle_pem.empty()) {
    curl_blob blob{};
    // libcurl takes a mutable pointer but, without CURL_BLOB_COPY, only reads.
    blob.data = const_cast<char*>(endpoint.ca_bundle_pem.data());
    blob.len = endpoint.ca_bundle_pem.size();
    blob.flags = CURL_BLOB_NOCOPY;
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
  }
}

void set_connecting(CURL* easy, const Endpoint& endpoint) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  const auto timeout = std::max<Duration::rep>(1, endpoint.connect_timeout.count());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout));
  curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, kDnsCacheSeconds);
  // Else a cancelled transfer waits for its resolver thread, and the loop with it.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReadBufferOctets);
  const auto idle = std::chrono::duration_cast<std::chrono::seconds>(endpoint.keepalive_timeout);
  if (endpoint.keepalive_timeout <= Duration::zero()) {
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  } else {
    // Idle time is counted in whole seconds and compared by "greater than".
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
                     std::max<long>(0, static_cast<long>(idle.count()) - 1));
  }
}

/// libcurl sends a request again, up to five times and whatever its method, when a reused
/// connection dies before the first octet. What this option means for RTSP is nothing to HTTP,
/// except that it turns that off; Exchange repeats what may be repeated.
void forbid_hidden_retries(CURL* easy) {
  if (curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, CURL_RTSPREQ_RECEIVE) != CURLE_OK) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  }
}

void set_method(CURL* easy, const Request& request) {
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.body != nullptr) {
    const auto length = request.body->length();
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     length ? static_cast<curl_off_t>(*length) : static_cast<curl_off_t>(-1));
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

}  // namespace

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",   "OPTIONS",
                                                        "PUT", "DELETE", "TRACE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

Result<RequestLists> set_request(CURL* easy, const Endpoint& endpoint, const Request& request) {
  HG_CHECK(check(request), "request for origin {}", endpoint.id);
  RequestLists lists;
  set_address(easy, endpoint, request.scheme, lists);
  set_tls(easy, endpoint);
  set_connecting(easy, endpoint);
  forbid_hidden_retries(easy);
  set_method(easy, request);
  curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request.target.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  lists.headers = header_list(request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lists.headers.get());
  return lists;
}

}  // namespace headgate::origin
