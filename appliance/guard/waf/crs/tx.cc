// SPDX-License-Identifier: MIT
// TX's names and values.
#include "appliance/guard/waf/crs/tx.h"

#include "appliance/base/assert.h"
#include "appliance/guard/waf/text/octets.h"

namespace headgate::guard::waf {
namespace {

std::string lowercased(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = text::to_lower(c);
  return lower;
}

}  // namespace

TxNames::TxNames() {
  for (char digit = '0'; digit <= '9'; ++digit) intern(std::string(1, digit));
}

TxSlot TxNames::intern(std::string_view name) {
  const auto [at, added] =
      slots_.try_emplace(std::string(name), static_cast<TxSlot>(names_.size()));
  if (added) {
    HG_ASSERT(names_.size() < 65535);
    names_.emplace_back(name);
  }
  return at->second;
}

std::optional<TxSlot> TxNames::find(std::string_view name) const {
  const auto found = slots_.find(std::string(name));
  if (found == slots_.end()) return std::nullopt;
  return found->second;
}

const std::string_view* Tx::get(std::string_view name) const {
  const std::string lower = lowercased(name);
  if (const auto slot = names_.find(lower)) return get(*slot);
  const auto found = other_at_.find(lower);
  return found == other_at_.end() ? nullptr : &others_[found->second].second;
}

void Tx::set(std::string_view name, std::string_view value) {
  std::string lower = lowercased(name);
  if (const auto slot = names_.find(lower)) return set(*slot, value);
  const auto found = other_at_.find(lower);
  if (found != other_at_.end()) {
    others_[found->second].second = value;
  } else if (others_.size() < kMostOthers) {
    other_at_.emplace(std::move(lower), others_.size());
    others_.emplace_back(name, value);
  }
}

void Tx::unset(std::string_view name) {
  const std::string lower = lowercased(name);
  if (const auto slot = names_.find(lower)) return unset(*slot);
  const auto found = other_at_.find(lower);
  if (found == other_at_.end()) return;
  const std::size_t at = found->second;
  other_at_.erase(found);
  if (at + 1 != others_.size()) {
    others_[at] = others_.back();
    other_at_[lowercased(others_[at].first)] = at;
  }
  others_.pop_back();
}

}  // namespace headgate::guard::waf
