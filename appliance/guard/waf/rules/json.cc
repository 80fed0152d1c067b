// SPDX-License-Identifier: MIT
// JSON bodies: a parser that keeps nothing but where it is.
#include "appliance/guard/waf/rules/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "appliance/guard/waf/body/json_text.h"
#include "appliance/guard/waf/rules/texts.h"

namespace headgate::guard::waf {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kMaxPlaces = 65536;
constexpr std::size_t kKeptPlaces = 4096;
constexpr std::size_t kNot = static_cast<std::size_t>(-1);

/// Where `pointer` goes on behind "/part" at `at`, or kNot.
std::size_t follow(std::string_view pointer, std::size_t at, std::string_view part) {
  if (at == pointer.size() || pointer[at] != '/') return kNot;
  ++at;
  for (const char c : part) {
    std::string_view escaped(&c, 1);
    if (c == '~') escaped = "~0";
    if (c == '/') escaped = "~1";
    if (!pointer.substr(at).starts_with(escaped)) return kNot;
    at += escaped.size();
  }
  return at == pointer.size() || pointer[at] == '/' ? at : kNot;
}

class Reader final : public nlohmann::json_sax<json> {
 public:
  Reader(Arena& arena, JsonPlaces& places, std::vector<Entry>& entries)
      : arena_(arena), places_(places), entries_(entries) {}

  bool null() override { return value("null"); }
  bool boolean(bool truth) override { return value(truth ? "true" : "false"); }
  bool number_integer(number_integer_t number) override { return value(fmt::format("{}", number)); }
  bool number_unsigned(number_unsigned_t number) override {
    return value(fmt::format("{}", number));
  }
  bool number_float(number_float_t, const string_t& text) override { return value(text); }
  bool string(string_t& text) override { return value(text); }
  bool binary(binary_t&) override { return false; }  // of other formats than JSON
  bool start_object(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool key(string_t& text) override {
    const std::string_view name = arena_.persist(text);
    if (!go_to(levels_.back().place, name)) return false;
    Entry entry;
    entry.name = name;
    entry.place = at_;
    entry.has_value = false;
    entries_.push_back(entry);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_position_ = position;
    return false;
  }

  JsonEnd end() const { return end_; }
  std::size_t error_position() const { return error_position_; }

 private:
  struct Level {
    JsonPlaces::Id place;
    std::size_t items;
    bool is_list;
  };

  bool go_to(JsonPlaces::Id above, std::string_view part) {
    if (places_.size() == kMaxPlaces) {
      end_ = JsonEnd::TooMany;
      return false;
    }
    at_ = places_.add(above, part);
    return true;
  }
  /// The next item of a list has a place of its own.
  bool enter() {
    if (levels_.empty() || !levels_.back().is_list) return true;
    Level& list = levels_.back();
    return go_to(list.place, arena_.persist(std::to_string(list.items++)));
  }
  bool open(bool is_list) {
    if (!enter()) return false;
    if (levels_.size() == kMaxDepth) {
      end_ = JsonEnd::TooDeep;
      return false;
    }
    levels_.push_back({at_, 0, is_list});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  bool value(std::string_view text) {
    if (!enter()) return false;
    Entry entry;
    entry.value = arena_.persist(text);
    entry.has_name = false;
    entry.place = at_;
    entries_.push_back(entry);
    return true;
  }

  Arena& arena_;
  JsonPlaces& places_;
  std::vector<Entry>& entries_;
  std::vector<Level> levels_;
  JsonPlaces::Id at_ = JsonPlaces::kRoot;
  JsonEnd end_ = JsonEnd::Broken;
  std::size_t error_position_ = 0;
};

}  // namespace

JsonPlaces::Id JsonPlaces::add(Id above, std::string_view part) {
  places_.push_back({above, part});
  return static_cast<Id>(places_.size() - 1);
}

std::string JsonPlaces::pointer(Id place) const {
  std::vector<std::string_view> parts;
  for (; place != kRoot; place = places_[place].above) parts.push_back(places_[place].part);
  std::string text;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    text += '/';
    for (const char c : *part) {
      if (c == '~')
        text += "~0";
      else if (c == '/')
        text += "~1";
      else
        text += c;
    }
  }
  return text;
}

void JsonPlaces::select(const std::vector<std::string>& pointers) {
  selected_.assign(places_.size(), false);
  followed_.resize(places_.size());
  for (const std::string& pointer : pointers) {
    followed_[kRoot] = 0;
    for (Id place = kRoot; place < places_.size(); ++place) {
      const std::size_t above = followed_[places_[place].above];
      if (place != kRoot && above != kNot && above != pointer.size())
        followed_[place] = follow(pointer, above, places_[place].part);
      else
        followed_[place] = above;
      if (followed_[place] == pointer.size()) selected_[place] = true;
    }
  }
}

void JsonPlaces::shrink() {
  if (places_.capacity() > kKeptPlaces) places_ = std::vector<Place>();
  if (followed_.capacity() > kKeptPlaces) followed_ = std::vector<std::size_t>();
  clear();
}

JsonEnd read_json(std::string_view text, bool complete, Arena& arena, JsonPlaces& places,
                  std::vector<Entry>& entries) {
  text = readable_json(text, arena);
  Reader reader(arena, places, entries);
  if (json::sax_parse(text.begin(), text.end(), &reader)) return JsonEnd::Read;
  // Of a beginning, what stands before its end has been read.
  const bool at_end = reader.error_position() >= text.size();
  if (reader.end() == JsonEnd::Broken && !complete && at_end && !entries.empty())
    return JsonEnd::Read;
  return reader.end();
}

}  // namespace headgate::guard::waf
