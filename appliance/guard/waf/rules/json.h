// SPDX-License-Identifier: MIT
// The members of a JSON text, and where each of them stands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/text/arena.h"

namespace headgate::guard::waf {

struct Entry;

/// Where members stand: for each the place above it and its own part of the pointer (RFC 6901).
/// Whole pointers would repeat long names for every item below them. Threads: one.
class JsonPlaces {
 public:
  using Id = std::uint32_t;
  static constexpr Id kRoot = 0;

  JsonPlaces() { clear(); }
  void clear() { places_.assign(1, {kRoot, {}}); }
  /// `part`, not escaped, lives as long as what follows.
  Id add(Id above, std::string_view part);
  std::size_t size() const { return places_.size(); }
  std::string pointer(Id place) const;

  /// Finds the places that one of `pointers` names, and all below them; linear in size().
  void select(const std::vector<std::string>& pointers);
  bool is_selected(Id place) const { return selected_[place]; }
  /// Gives memory back that only large texts need.
  void shrink();

 private:
  struct Place {
    Id above;
    std::string_view part;
  };
  std::vector<Place> places_;          ///< above before below
  std::vector<std::size_t> followed_;  ///< octets of a pointer that a place takes up, or kNot
  std::vector<bool> selected_;
};

enum class JsonEnd : std::uint8_t {
  Read,     ///< of a beginning, too: all of it but for what its end cuts through
  Broken,   ///< it is no JSON from somewhere on
  TooDeep,  ///< more than 256
  TooMany,  ///< 65536 members and items
};

/// Adds the members of a JSON text to `entries`, scalars as they would be written, in `arena`, as
/// far as it can be read. `complete`: an end that is missing is an error. Linear time and memory.
JsonEnd read_json(std::string_view text, bool complete, Arena& arena, JsonPlaces& places,
                  std::vector<Entry>& entries);

}  // namespace headgate::guard::waf
