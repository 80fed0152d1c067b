// SPDX-License-Identifier: MIT
// The collections of one request: what rules read, by collection, in order.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/body/content.h"
#include "appliance/guard/waf/request.h"
#include "appliance/guard/waf/seclang/names.h"
#include "appliance/guard/waf/text/memo.h"

namespace headgate::guard::waf {

struct Value {
  std::string_view name;  ///< empty in collections of one value
  TextId text = 0;
};

/// Collections that are read from the request and the response. TX and its like are elsewhere.
/// Threads: one.
class Values {
 public:
  Values(Memo& memo, Arena& arena) : memo_(memo), arena_(arena) {}

  const std::vector<Value>& of(Collection collection) const {
    return by_collection_[static_cast<std::size_t>(collection)];
  }
  std::string_view octets(const Value& value) const { return memo_.output_text(value.text, 0); }

  /// `octets` must live as long as the request.
  void add(Collection collection, std::string_view name, std::string_view octets) {
    list(collection).push_back({name, memo_.add(octets)});
  }
  /// The same with one value, in place of what was there.
  void set(Collection collection, std::string_view octets);

  void add_request(const Request& request, const BodyLimits& limits);
  /// Of the query (`get`) or of the body.
  void add_arguments(const BodyContent& content, bool get);
  void add_body(const BodyContent& content);
  void add_response_head(const Response& response);

 private:
  std::vector<Value>& list(Collection collection) {
    return by_collection_[static_cast<std::size_t>(collection)];
  }
  void add_target(const Request& request);

  Memo& memo_;
  Arena& arena_;
  std::vector<Value> by_collection_[static_cast<std::size_t>(Collection::kCount)];
  std::size_t arguments_octets_ = 0;
};

}  // namespace headgate::guard::waf
