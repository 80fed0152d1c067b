// SPDX-License-Identifier: MIT
// TX: the variables of one request. Those that rules name have a slot; the others a list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace headgate::guard::waf {

using TxSlot = std::uint16_t;

/// Names that a program writes out. Slots 0 to 9 are "0" to "9", the captures.
/// Threads: const members are safe everywhere.
class TxNames {
 public:
  TxNames();
  /// `name` in lower case.
  TxSlot intern(std::string_view name);
  std::optional<TxSlot> find(std::string_view name) const;
  const std::string& name(TxSlot slot) const { return names_[slot]; }
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, TxSlot> slots_;
};

/// Names and values are views: what they are views of must outlive it. A value that is unset has no
/// data, an empty one has.
/// Threads: one.
class Tx {
 public:
  explicit Tx(const TxNames& names) : names_(names), values_(names.size()) {}

  /// Null when it is not set.
  const std::string_view* get(TxSlot slot) const {
    return values_[slot].data() == nullptr ? nullptr : &values_[slot];
  }
  const std::string_view* get(std::string_view name) const;
  void set(TxSlot slot, std::string_view value) {
    values_[slot] = value.data() == nullptr ? std::string_view("") : value;
  }
  /// `name` in any letter case. At most kMostOthers names that no rule writes out; more are
  /// dropped.
  void set(std::string_view name, std::string_view value);
  void unset(TxSlot slot) { values_[slot] = {}; }
  void unset(std::string_view name);

  /// Calls `visit(name, value)` for all that are set.
  template <class Visit>
  void each(Visit&& visit) const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i].data() != nullptr)
        visit(std::string_view(names_.name(static_cast<TxSlot>(i))), values_[i]);
    }
    each_other(visit);
  }
  /// The same for those without a slot.
  template <class Visit>
  void each_other(Visit&& visit) const {
    for (const auto& other : others_) visit(other.first, other.second);
  }

 private:
  static constexpr std::size_t kMostOthers = 4096;
  const TxNames& names_;
  std::vector<std::string_view> values_;
  std::vector<std::pair<std::string_view, std::string_view>> others_;
  std::unordered_map<std::string, std::size_t> other_at_;  ///< lower-case name to index
};

}  // namespace headgate::guard::waf
