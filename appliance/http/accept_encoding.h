// SPDX-License-Identifier: MIT
// Content codings and what a client accepts of them: RFC 9110 sections 8.4.1 and 12.5.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "appliance/http/field.h"

namespace headgate::http {

/// The codings that the edge makes, in the order in which it prefers them, and none.
enum class Coding : std::uint8_t { Brotli, Zstd, Gzip, Identity };
inline constexpr std::size_t kCodings = 3;  ///< without Identity
inline constexpr std::array<Coding, kCodings> kEveryCoding = {Coding::Brotli, Coding::Zstd,
                                                              Coding::Gzip};

/// As in Content-Encoding: "br", "zstd", "gzip"; "identity".
std::string_view name_of(Coding coding);

/// A set of codings; Identity is in none.
class CodingSet {
 public:
  constexpr CodingSet() = default;
  constexpr CodingSet& add(Coding coding, bool condition = true) {
    if (condition && coding != Coding::Identity) bits_ |= bit(coding);
    return *this;
  }
  constexpr bool contains(Coding coding) const { return (bits_ & bit(coding)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::size_t index() const { return bits_; }  ///< in [0, 8)
  friend constexpr bool operator==(CodingSet, CodingSet) = default;

 private:
  static constexpr unsigned bit(Coding coding) {
    return coding == Coding::Identity ? 0U : 1U << static_cast<unsigned>(coding);
  }
  unsigned bits_ = 0;
};

/// The Accept-Encoding of a request, all its lines together.
/// Errors: none; a member with a malformed weight is not accepted, a repeated one counts where it
/// comes first.
class AcceptEncoding {
 public:
  explicit AcceptEncoding(Fields request);

  /// Whether there is the field at all: without one only Identity is safe to send.
  bool present() const { return present_; }
  /// In thousandths, 0 for not accepted. A coding that is not named has the weight of '*', Identity
  /// without that the least there is: nobody names it to say that it is welcome.
  int weight(Coding coding) const;
  /// Those of `offered` that are accepted.
  CodingSet among(CodingSet offered) const;
  /// The best of `available` and Identity: by weight, then Brotli, Zstandard, gzip, Identity.
  Coding choose(CodingSet available) const;

 private:
  static constexpr int kUnset = -1;
  void read(std::string_view member);

  bool present_ = false;
  std::array<int, kCodings + 1> weights_ = {kUnset, kUnset, kUnset, kUnset};
  int others_ = kUnset;  ///< of '*'
};

/// A set as a cache key and an origin see it: "br,gzip", "br,zstd,gzip", "gzip", or empty.
std::string_view to_field(CodingSet codings);

}  // namespace headgate::http
