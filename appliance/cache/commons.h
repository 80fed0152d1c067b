// SPDX-License-Identifier: MIT
// What the responses of one Store have in common, for as long as any of them lives.
#pragma once

#include <cstdint>

#include "appliance/base/ref.h"
#include "appliance/cache/account.h"
#include "appliance/cache/packed/shared_texts.h"

namespace headgate::cache {

/// Threads: any.
struct Commons final : base::RefCounted<Commons> {
  explicit Commons(std::uint64_t budget_bytes) : texts(budget_bytes) {}

  const base::Ref<MemoryAccount> account = base::make_ref<MemoryAccount>();
  SharedTexts texts;
};

}  // namespace headgate::cache
