// SPDX-License-Identifier: MIT
// A request's memory pool as a std::pmr resource: freed with the request, all at once.
#pragma once

#include <memory_resource>
#include <string_view>

#include "appliance/server/h2o.h"

namespace headgate::server {

/// Threads: the request's loop.
class PoolMemory final : public std::pmr::memory_resource {
 public:
  explicit PoolMemory(h2o_mem_pool_t& pool) : pool_(pool) {}

  /// `text` for as long as the request lives.
  std::string_view persist(std::string_view text) {
    return view(h2o_strdup(&pool_, text.data(), text.size()));
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t) override {
    // h2o aligns to 16 octets, which is what everything here asks for at most.
    return h2o_mem_alloc_pool(&pool_, bytes);
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  h2o_mem_pool_t& pool_;
};

}  // namespace headgate::server
