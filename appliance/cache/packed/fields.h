// SPDX-License-Identifier: MIT
// Header fields in less memory than they take on the wire: common names are one octet, and what
// many responses have is kept once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/cache/packed/shared_texts.h"
#include "appliance/http/field.h"

namespace headgate::cache {

/// `texts`: null, or where they are shared: a use of each is taken, for `give_back`.
std::string pack(http::Fields fields, SharedTexts* texts);
/// Of all that `pack` has taken.
void give_back(std::string_view packed, SharedTexts& texts);

/// Fields unpacked: names are of this program or, as values are, views of what was packed or is
/// shared. Up to kFew cost no allocation. Converts to http::Fields. Threads: immutable.
class FieldList {
 public:
  static constexpr std::size_t kFew = 24;

  /// `texts`: with which they were packed.
  FieldList(std::string_view packed, const SharedTexts* texts);
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
