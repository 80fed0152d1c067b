// SPDX-License-Identifier: MIT
// One stream of octets through one content coding, piece by piece.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/http/accept_encoding.h"

namespace headgate::compress {

/// How hard each coding works, in its library's own numbers.
struct Levels {
  int gzip = 6;    ///< 1–9
  int brotli = 5;  ///< 0–11
  int zstd = 6;    ///< 1–19: none of these needs a window above the 8 MiB that RFC 9659 allows
  int of(http::Coding coding) const {
    return coding == http::Coding::Brotli ? brotli : coding == http::Coding::Zstd ? zstd : gzip;
  }
  friend bool operator==(const Levels&, const Levels&) = default;
};

/// Threads: one at a time.
class Encoder {
 public:
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  /// Encodes `octets` after those of earlier calls and appends what has become of them so far to
  /// `out`; `last` ends the stream, and nothing may follow. False when the library has failed,
  /// which is out of memory or more octets than were announced: the stream is of no use any more.
  [[nodiscard]] virtual bool encode(std::string_view octets, bool last, std::string& out) = 0;

 protected:
  Encoder() = default;
};

/// For a stream of `length` octets, by which its memory is chosen. Null when there is no memory.
/// `coding` is not Identity.
std::unique_ptr<Encoder> make_encoder(http::Coding coding, int level, std::uint64_t length);

// One factory a library.
std::unique_ptr<Encoder> make_gzip_encoder(int level);
std::unique_ptr<Encoder> make_brotli_encoder(int quality, std::uint64_t length);
std::unique_ptr<Encoder> make_zstd_encoder(int level, std::uint64_t length);

}  // namespace headgate::compress
