// SPDX-License-Identifier: MIT
// Header fields in less memory than they take on the wire: common names are one octet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::cache {

/// Octets that `pack` writes.
std::size_t packed_size(http::Fields fields);
/// Returns the end.
char* pack(http::Fields fields, char* to);

/// Fields unpacked: names are of this program or, as values are, views of what was packed. Up to
/// kFew cost no allocation. Converts to http::Fields. Threads: immutable.
class FieldList {
 public:
  static constexpr std::size_t kFew = 24;

  explicit FieldList(std::string_view packed);
  FieldList(const FieldList&) = delete;
  FieldList& operator=(const FieldList&) = delete;
  ~FieldList() {}

  const http::Field* data() const { return many_ != nullptr ? many_.get() : few_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const http::Field* begin() const { return data(); }
  const http::Field* end() const { return data() + size_; }

 private:
  std::size_t size_ = 0;
  std::unique_ptr<http::Field[]> many_;
  union {
    http::Field few_[kFew];  ///< the first size_ ones
  };
};

}  // namespace headgate::cache
