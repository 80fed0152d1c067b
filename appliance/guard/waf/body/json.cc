// SPDX-License-Identifier: MIT
// JSON by nlohmann's event parser.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "appliance/guard/waf/body/json_text.h"
#include "appliance/guard/waf/body/parsers.h"

namespace headgate::guard::waf {
namespace {

// Names: "json", then ".key" for each object and ".array_N" for each array on the way.
class Events final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Events(const BodyLimits& limits, Arena& arena, BodyContent& content)
      : limits_(limits), arena_(arena), content_(content), path_("json") {}

  bool null() override { return add(""); }
  bool boolean(bool value) override { return add(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return add(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return add(text); }
  bool string(string_t& value) override { return add(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    Level& level = levels_.back();
    path_.resize(level.path_size);
    path_ += '.';
    path_ += value;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    content_.error = fmt::format("JSON: not well-formed at octet {}", position);
    position_ = position;
    return false;
  }
  std::size_t error_position() const { return position_; }

 private:
  struct Level {
    std::size_t path_size;  ///< of the container's own name
    bool array;
    std::size_t elements = 0;
  };

  // In an array, the name of what comes next.
  void enter_element() {
    if (levels_.empty() || !levels_.back().array) return;
    Level& level = levels_.back();
    path_.resize(level.path_size);
    path_ += fmt::format(".array_{}", level.elements++);
  }
  bool open(bool array) {
    enter_element();
    if (levels_.size() >= limits_.depth) {
      content_.too_many_arguments = true;
      content_.error = fmt::format("JSON: deeper than {}", limits_.depth);
      return false;
    }
    levels_.push_back({path_.size(), array});
    return true;
  }
  bool close() {
    path_.resize(levels_.back().path_size);
    levels_.pop_back();
    return true;
  }
  bool add(std::string_view value) {
    enter_element();
    if (content_.arguments.size() >= limits_.arguments) {
      content_.too_many_arguments = true;
      return false;
    }
    // Names repeat their parents': what they may take together is bounded by the text, too.
    names_octets_ += path_.size();
    if (names_octets_ > kGreatestNames) {
      content_.too_many_arguments = true;
      return false;
    }
    const std::string_view name = arena_.persist(path_);
    content_.arguments.push_back({name, arena_.persist(value)});
    return true;
  }

  static constexpr std::size_t kGreatestNames = 1 << 20;
  const BodyLimits& limits_;
  Arena& arena_;
  BodyContent& content_;
  std::string path_;
  std::vector<Level> levels_;
  std::size_t names_octets_ = 0;
  std::size_t position_ = 0;
};

}  // namespace

void parse_json(std::string_view text, bool whole, const BodyLimits& limits, Arena& arena,
                BodyContent& content) {
  text = readable_json(text, arena);
  Events events(limits, arena, content);
  try {
    nlohmann::json::sax_parse(text.begin(), text.end(), &events);
  } catch (const std::exception& error) {  // memory apart, the event parser throws nothing
    content.error = fmt::format("JSON: {}", error.what());
  }
  if (!whole && events.error_position() >= text.size()) content.error.clear();
}

}  // namespace headgate::guard::waf
