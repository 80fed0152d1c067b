// SPDX-License-Identifier: MIT
#include "appliance/server/h3/http/request_head.h"

#include <algorithm>
#include <charconv>

#include "appliance/server/h3/quic/library.h"

namespace headgate::server {
namespace {

/// RFC 9114 section 4.2.2: what a field counts beside its octets.
constexpr std::size_t kFieldOverhead = 32;

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

/// RFC 3986 has no place for controls, spaces and fragments in what is sent; octets above 0x7F are
/// passed on as with HTTP/1.
bool is_target(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet <= 0x20 || octet == 0x7f || c == '#';
  });
}

}  // namespace

void RequestHead::add(std::int32_t token, std::string_view name, std::string_view value) {
  size_ += name.size() + value.size() + kFieldOverhead;
  ++fields_;
  too_large_ = too_large_ || size_ > max_size_ || fields_ > max_fields_;
  if (too_large_) return;
  h2o_mem_pool_t* pool = &request_.pool;
  // nghttp3's octets go when the call-back returns.
  const h2o_iovec_t copy = h2o_strdup(pool, value.data(), value.size());
  switch (token) {
    case NGHTTP3_QPACK_TOKEN__METHOD:
      request_.input.method = copy;
      return;
    case NGHTTP3_QPACK_TOKEN__PATH:
      request_.input.path = copy;
      return;
    case NGHTTP3_QPACK_TOKEN__AUTHORITY:
      request_.input.authority = copy;
      return;
    case NGHTTP3_QPACK_TOKEN__SCHEME:
      scheme_known_ = value == "https" || value == "http";
      if (value == "http") request_.input.scheme = &H2O_URL_SCHEME_HTTP;
      return;
    case NGHTTP3_QPACK_TOKEN_HOST:
      host_ = view(copy);
      return;
    case NGHTTP3_QPACK_TOKEN_CONTENT_LENGTH: {
      // nghttp3 has checked that it is one number, and compares it with what comes.
      std::size_t length = 0;
      if (std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc())
        content_length_ = length;
      return;
    }
    default:
      break;
  }
  if (const h2o_token_t* known = h2o_lookup_token(name.data(), name.size())) {
    h2o_add_header(pool, &request_.headers, known, nullptr, copy.base, copy.len);
  } else {
    const h2o_iovec_t own = h2o_strdup(pool, name.data(), name.size());
    h2o_add_header_by_str(pool, &request_.headers, own.base, own.len, 0, nullptr, copy.base,
                          copy.len);
  }
}

int RequestHead::verdict(const char*& reason) {
  if (too_large_) {
    reason = "the request's header section is too large";
    return 431;
  }
  auto& input = request_.input;
  // RFC 9114 section 4.3.1: one of them must be there, and both must be the same.
  if (input.authority.base == nullptr && host_.data() != nullptr) input.authority = iovec(host_);
  const bool is_connect = view(input.method) == "CONNECT";
  // What a page about the error needs.
  if (input.path.base == nullptr) input.path = h2o_iovec_init(H2O_STRLIT("/"));
  if (is_connect) {
    reason = "CONNECT is not supported";
    return 501;
  }
  if (!is_token(view(input.method))) {
    reason = "invalid method";
  } else if (!is_target(view(input.path))) {
    reason = "invalid path";
  } else if (!scheme_known_) {
    reason = "unsupported scheme";
  } else if (h2o_url_is_hostport(input.authority.base, input.authority.len, 0) == 0) {
    reason = "missing or invalid authority";
  } else if (host_.data() != nullptr && host_ != view(input.authority)) {
    reason = "host is not :authority";
  } else {
    return 0;
  }
  return 400;
}

}  // namespace headgate::server
