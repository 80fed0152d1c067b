// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/tags.h"

#include <algorithm>
#include <cstring>

#include "appliance/base/hash.h"

namespace headgate::cache {

std::uint64_t label_hash(std::string_view lower_case) { return base::hash128(lower_case).low; }

TagSet::TagSet(http::Fields fields) {
  for (const http::Field& field : fields) {
    if (field.name == "surrogate-key") add_all(field.value, ' ');
    if (field.name == "cache-tag") add_all(field.value, ',');
  }
}

void TagSet::add_all(std::string_view value, char separator) {
  while (!value.empty() && !contains_all()) {
    const std::size_t end = std::min(value.find(separator), value.size());
    add(http::trim(value.substr(0, end)));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

void TagSet::add(std::string_view tag) {
  if (tag.empty()) return;
  std::array<char, kMaxTagOctets> lower;
  if (tag.size() > lower.size() || count_ == hashes_.size()) {
    count_ = kAll;
    return;
  }
  std::transform(tag.begin(), tag.end(), lower.begin(), http::to_lower);
  hashes_[count_++] = label_hash({lower.data(), tag.size()});
}

TagSet TagSet::stored(const char* from, std::uint8_t count) {
  TagSet tags;
  tags.count_ = count;
  if (const std::size_t bytes = stored_bytes(count); bytes != 0)
    std::memcpy(tags.hashes_.data(), from, bytes);
  return tags;
}

char* TagSet::store(char* to) const {
  return std::copy_n(reinterpret_cast<const char*>(hashes_.data()), stored_bytes(), to);
}

bool TagSet::contains(std::uint64_t hash) const {
  if (contains_all()) return true;
  return std::find(hashes_.begin(), hashes_.begin() + count_, hash) != hashes_.begin() + count_;
}

}  // namespace headgate::cache
