// SPDX-License-Identifier: MIT
#include "appliance/cache/purge/tags.h"

#include <algorithm>
#include <array>

#include "appliance/base/hash.h"

namespace headgate::cache {
namespace {

/// Gathers tags in place: most responses have none.
class Gatherer {
 public:
  void add_all(std::string_view value, char separator) {
    while (!value.empty()) {
      const std::size_t end = std::min(value.find(separator), value.size());
      add(http::trim(value.substr(0, end)));
      value.remove_prefix(std::min(end + 1, value.size()));
    }
  }
  bool overflows() const { return overflows_; }
  std::size_t size() const { return size_; }
  const std::uint64_t* begin() const { return hashes_.data(); }
  const std::uint64_t* end() const { return hashes_.data() + size_; }

 private:
  void add(std::string_view tag) {
    if (tag.empty()) return;
    std::array<char, TagSet::kMaxTagOctets> lower;
    if (tag.size() > lower.size() || size_ == hashes_.size()) {
      overflows_ = true;
      return;
    }
    std::transform(tag.begin(), tag.end(), lower.begin(), http::to_lower);
    hashes_[size_++] = label_hash({lower.data(), tag.size()});
  }

  std::array<std::uint64_t, TagSet::kMaxTags> hashes_;
  std::size_t size_ = 0;
  bool overflows_ = false;
};

}  // namespace

std::uint64_t label_hash(std::string_view lower_case) { return base::hash128(lower_case).low; }

TagSet::TagSet(http::Fields fields) {
  Gatherer tags;
  for (const http::Field& field : fields) {
    if (field.name == "surrogate-key") tags.add_all(field.value, ' ');
    if (field.name == "cache-tag") tags.add_all(field.value, ',');
  }
  if (tags.overflows()) {
    hashes_ = std::make_unique<std::uint64_t[]>(1);
    hashes_[0] = kAll;
  } else if (tags.size() > 0) {
    hashes_ = std::make_unique<std::uint64_t[]>(tags.size() + 1);
    hashes_[0] = tags.size();
    std::copy(tags.begin(), tags.end(), &hashes_[1]);
  }
}

bool TagSet::contains(std::uint64_t hash) const {
  if (empty()) return false;
  if (contains_all()) return true;
  return std::find(&hashes_[1], &hashes_[1] + hashes_[0], hash) != &hashes_[1] + hashes_[0];
}

std::size_t TagSet::memory_bytes() const {
  if (empty()) return 0;
  return sizeof(std::uint64_t) * (contains_all() ? 1 : 1 + hashes_[0]);
}

}  // namespace headgate::cache
