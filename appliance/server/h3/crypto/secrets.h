// SPDX-License-Identifier: MIT
// What only this edge can make: connection ids that say which worker they belong to, reset tokens,
// address tokens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "appliance/server/edge.h"
#include "appliance/server/h3/quic/library.h"

namespace headgate::server {

/// ```
/// connection id:  | worker: 2 | random: 8 | code: 8 |      octets
/// ```
/// `worker` is any number (in network byte order) whose remainder by the number of workers is the
/// worker's; the code is the beginning of HMAC-SHA256 over what stands before it. The kernel picks
/// a worker's socket by that number; a worker that gets a packet of another one sees by the code
/// that it is worth passing on.
///
/// Benefits: no table shared by workers; a packet with a made-up id costs one HMAC and nothing
/// more. Downsides: the number of workers is part of what an id means, so ids do not outlive a
/// change of it; whoever watches a client sees which of its ids share a worker.
///
/// Threads: immutable.
class QuicSecrets {
 public:
  static constexpr std::size_t kIdSize = 18;

  explicit QuicSecrets(const QuicSeed& seed);

  /// A new id for a connection of `worker`, one of `workers`, at most 65536.
  ngtcp2_cid make_id(unsigned worker, unsigned workers) const;
  /// Whose the id is; none when it is not one of ours.
  std::optional<unsigned> worker_of(std::span<const std::uint8_t> id, unsigned workers) const;
  /// A key for `label` that only who knows the seed can make.
  static std::array<std::uint8_t, 64> derive_wide(const QuicSeed& seed, std::string_view label);
  /// RFC 9000 section 10.3. `out` has room for NGTCP2_STATELESS_RESET_TOKENLEN octets.
  void make_reset_token(const ngtcp2_cid& id, std::uint8_t* out) const;

  /// RFC 9000 section 8.1.2: proves `client`'s address, for ten seconds. `retry_id` is the id that
  /// the client is to use, `original_id` the one it chose.
  std::vector<std::uint8_t> make_retry_token(std::uint32_t version, const ngtcp2_addr& client,
                                             const ngtcp2_cid& retry_id,
                                             const ngtcp2_cid& original_id) const;
  /// RFC 9000 section 8.1.3: for later connections from the same address, for a day.
  std::vector<std::uint8_t> make_new_token(const ngtcp2_addr& client) const;

  enum class Token { None, Retry, New };
  /// What `header`'s token proves; `original_id` is filled in for Retry.
  Token verify_token(const ngtcp2_pkt_hd& header, const ngtcp2_addr& client,
                     ngtcp2_cid& original_id) const;

 private:
  using Key = std::array<std::uint8_t, 32>;
  static Key derive(const QuicSeed& seed, std::string_view label);
  void make_code(const std::uint8_t* id, std::uint8_t* out) const;

  Key id_key_;
  Key reset_key_;
  Key token_key_;
};

}  // namespace headgate::server
