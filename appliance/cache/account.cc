// SPDX-License-Identifier: MIT
#include "appliance/cache/account.h"

namespace headgate::cache {

Charge::~Charge() {
  if (account_) account_->live_bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
}

void Charge::set(const base::Ref<MemoryAccount>& account, std::uint64_t bytes) {
  if (taken_.exchange(true, std::memory_order_relaxed)) return;
  account->live_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  account_ = account;
  bytes_ = bytes;
}

}  // namespace headgate::cache
