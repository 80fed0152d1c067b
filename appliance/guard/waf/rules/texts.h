// SPDX-License-Identifier: MIT
// The texts of one request, by family, made when a rule first asks for them.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "appliance/guard/waf/rules/json.h"
#include "appliance/guard/waf/rules/program.h"
#include "appliance/guard/waf/rules/view.h"
#include "appliance/guard/waf/text/memo.h"

namespace headgate::guard::waf {

/// One name and its value; of a field that is no collection only a value.
struct Entry {
  static constexpr TextId kNoText = 0xffff'ffff;
  std::string_view name;
  std::string_view value;
  JsonPlaces::Id place = JsonPlaces::kRoot;  ///< of a JSON member
  bool has_name = true;
  bool has_value = true;
  TextId name_text = kNoText;
  TextId value_text = kNoText;
};

/// Threads: one.
class Texts {
 public:
  /// Forgets everything; `view` and `arena` live as long as what follows.
  void begin(const View& view, Arena& arena);
  std::vector<Entry>& of(Family family);
  /// Whether the body was JSON as far as it was read; after of(Family::Json).
  bool is_json() const { return is_json_; }
  /// Whether there is more, or deeper, than is kept of it; after of(family).
  bool is_cut(Family family) const { return cut_[static_cast<std::size_t>(family)]; }
  JsonPlaces& places() { return places_; }

 private:
  void fill(Family family, std::vector<Entry>& entries);
  void add(std::vector<Entry>& entries, std::string_view value);
  void add_pairs(std::string_view pairs, std::vector<Entry>& entries);
  void add_headers(std::vector<Entry>& entries);
  void add_cookies(std::vector<Entry>& entries);
  void add_form(std::vector<Entry>& entries);
  void add_json(std::vector<Entry>& entries);
  std::string_view header_order();
  std::string_view decoded(std::string_view text);

  const View* view_ = nullptr;
  Arena* arena_ = nullptr;
  std::array<std::vector<Entry>, kFamilies> entries_;
  std::array<bool, kFamilies> filled_{};
  std::array<bool, kFamilies> cut_{};
  JsonPlaces places_;
  bool is_json_ = false;
  std::string buffer_;
};

}  // namespace headgate::guard::waf
