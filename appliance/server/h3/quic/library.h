// SPDX-License-Identifier: MIT
// ngtcp2, nghttp3 and GnuTLS as C++ sees them. Only this folder includes them.
#pragma once

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include <chrono>
#include <cstdint>
#include <cstring>

#include "appliance/base/block_pool.h"
#include "schema/base/units.h"

namespace headgate::server {

/// ngtcp2's clock: nanoseconds that never go backwards.
inline ngtcp2_tstamp quic_now() {
  return static_cast<ngtcp2_tstamp>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

/// Nanoseconds since 1970, for what must mean the same after a restart: the age of tokens.
inline ngtcp2_tstamp quic_wall_now() {
  return static_cast<ngtcp2_tstamp>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

inline ngtcp2_duration quic_duration(Duration duration) {
  return static_cast<ngtcp2_duration>(std::chrono::nanoseconds(duration).count());
}

inline base::BlockPool& pool_of(void* user) { return *static_cast<base::BlockPool*>(user); }

/// An allocator as ngtcp2 and nghttp3 want it (their `ngtcp2_mem` and `nghttp3_mem` are alike) that
/// takes from `pool`.
template <class Mem>
Mem memory_of(base::BlockPool& pool) {
  return {.user_data = &pool,
          .malloc = [](std::size_t size, void* user) { return pool_of(user).allocate(size); },
          .free = [](void* block, void* user) { pool_of(user).release(block); },
          .calloc = [](std::size_t count, std::size_t size, void* user) -> void* {
            if (size != 0 && count > SIZE_MAX / size) return nullptr;
            return pool_of(user).allocate_zeros(count * size);
          },
          .realloc = [](void* block, std::size_t size,
                        void* user) { return pool_of(user).resize(block, size); }};
}

/// A socket address by value.
struct QuicAddress {
  ngtcp2_sockaddr_union raw{};
  ngtcp2_socklen size = 0;

  static QuicAddress of(const ngtcp2_addr& address) {
    QuicAddress copy;
    copy.size = address.addrlen;
    std::memcpy(&copy.raw, address.addr, address.addrlen);
    return copy;
  }
  /// Points into this. ngtcp2 takes pointers to mutable memory that it does not change.
  ngtcp2_addr view() const {
    return {.addr = const_cast<ngtcp2_sockaddr*>(&raw.sa), .addrlen = size};
  }
};

/// A pair of addresses by value.
struct QuicPath {
  QuicAddress local;
  QuicAddress remote;

  static QuicPath of(const ngtcp2_path& path) {
    return {.local = QuicAddress::of(path.local), .remote = QuicAddress::of(path.remote)};
  }
  ngtcp2_path view() const {
    return {.local = local.view(), .remote = remote.view(), .user_data = nullptr};
  }
};

}  // namespace headgate::server
