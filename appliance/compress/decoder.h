// SPDX-License-Identifier: MIT
// What an origin has encoded, read piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::compress {

/// Its memory is bounded by the window of its coding: 32 KiB, 16 MiB of brotli, 8 MiB of zstd
/// (RFC 9659). Threads: one at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Decodes `octets` after those of earlier calls and appends what becomes of them to `out`, until
  /// that has `most` octets: then the rest is dropped, and the decoder is of no use any more. False
  /// when they are malformed. What stands behind the end of the stream is dropped.
  [[nodiscard]] virtual bool decode(std::string_view octets, std::size_t most,
                                    std::string& out) = 0;

 protected:
  Decoder() = default;
};

/// For a response with these fields; null when it is not encoded, see `is_encoded`, or in a coding
/// that is not known, or in several.
/// RFC:     9110 section 8.4.1
std::unique_ptr<Decoder> make_decoder(http::Fields response);

}  // namespace headgate::compress
