// SPDX-License-Identifier: MIT
// The head of an HTTP/3 request while its fields come in, and whether it is one.
#pragma once

#include <cstdint>
#include <string_view>

#include "appliance/server/h2o.h"

namespace headgate::server {

/// nghttp3 refuses what RFC 9114 section 4.1.2 calls malformed (pseudo-fields that are missing,
/// repeated or late, names in upper case, fields of a connection); what is left is checked as
/// libh2o checks it for HTTP/2.
class RequestHead {
 public:
  /// Fields go into `request`, and into its pool.
  RequestHead(h2o_req_t& request, std::uint32_t max_size, std::uint32_t max_fields)
      : request_(request), max_size_(max_size), max_fields_(max_fields) {}

  /// `token`: nghttp3's number of the name.
  void add(std::int32_t token, std::string_view name, std::string_view value);

  /// 0, or the status that answers what is not a request; `reason` then says why.
  int verdict(const char*& reason);
  /// SIZE_MAX: not known.
  std::size_t content_length() const { return content_length_; }
  bool is_head() const { return view(request_.input.method) == "HEAD"; }

 private:
  h2o_req_t& request_;
  const std::uint32_t max_size_;
  const std::uint32_t max_fields_;
  std::size_t size_ = 0;
  std::size_t fields_ = 0;
  std::size_t content_length_ = SIZE_MAX;
  std::string_view host_;
  bool too_large_ = false;
  bool scheme_known_ = false;
};

}  // namespace headgate::server
