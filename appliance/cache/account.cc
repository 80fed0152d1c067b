// SPDX-License-Identifier: MIT
#include "appliance/cache/account.h"

namespace headgate::cache {

Charge::~Charge() {
  if (account_) account_->remove(bytes_);
}

void Charge::set(const base::Ref<MemoryAccount>& account, std::uint64_t bytes) {
  if (taken_.exchange(true, std::memory_order_relaxed)) return;
  account->add(bytes);
  account_ = account;
  bytes_ = bytes;
}

}  // namespace headgate::cache
