// SPDX-License-Identifier: MIT
// How scalars are read and written.
#include "schema/table/scalar.h"

#include <charconv>
#include <cmath>

namespace headgate::schema {
namespace {

std::string range_text(std::int64_t low, std::int64_t high, bool low_open, bool high_open,
                       std::string (*show)(std::int64_t)) {
  if (high_open) return fmt::format("at least {}", show(low));
  if (low_open) return fmt::format("at most {}", show(high));
  return fmt::format("{} to {}", show(low), show(high));
}

std::string show_number(std::int64_t value) { return fmt::format("{}", value); }
std::string show_duration(std::int64_t value) { return format_duration(Duration(value)); }
std::string show_size(std::int64_t value) { return format_size(static_cast<std::uint64_t>(value)); }

bool in_range(const Node& node, std::int64_t value, const Constraint& constraint,
              std::string (*show)(std::int64_t), Decoder& decoder) {
  std::int64_t low = constraint.minimum.value_or(std::numeric_limits<std::int64_t>::min());
  std::int64_t high = constraint.maximum.value_or(std::numeric_limits<std::int64_t>::max());
  if (value >= low && value <= high) return true;
  decoder.error(Code::OutOfRange, node.mark,
                fmt::format("{} is {}, it must be {}", subject(node, decoder), show(value),
                            range_text(low, high, !constraint.minimum, !constraint.maximum, show)));
  return false;
}

std::string range_label(const Constraint& constraint, std::string (*show)(std::int64_t)) {
  if (constraint.minimum && constraint.maximum)
    return fmt::format(", {}–{}", show(*constraint.minimum), show(*constraint.maximum));
  if (constraint.minimum && *constraint.minimum != 0)
    return fmt::format(", ≥ {}", show(*constraint.minimum));
  if (constraint.maximum) return fmt::format(", ≤ {}", show(*constraint.maximum));
  return {};
}

}  // namespace

void wrong_type(const Node& node, std::string_view expected, Decoder& decoder, std::string hint) {
  decoder.error(
      Code::WrongType, node.mark,
      fmt::format("{} must be {}, not {}", subject(node, decoder), expected, describe(node)),
      std::move(hint));
}

std::string subject(const Node& node, const Decoder& decoder) {
  if (!node.key.empty()) return fmt::format("`{}`", escape_control(node.key.substr(0, 80)));
  if (decoder.list.empty()) return "the document";
  return fmt::format("an item of `{}`", escape_control(decoder.list.substr(0, 80)));
}

bool BooleanType::decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const {
  if (node.is_plain() && plain_meaning(node.text) == Plain::Boolean) {
    *static_cast<bool*>(out) = node.text[0] == 't' || node.text[0] == 'T';
    return true;
  }
  wrong_type(node, "true or false", decoder);
  return false;
}

Json BooleanType::encode(const void* value, const EncodeOptions&) const {
  return *static_cast<const bool*>(value);
}

Json BooleanType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", "boolean"}};
}

std::string BooleanType::label(const Constraint&) const { return "boolean"; }

bool IntegerType::decode(const Node& node, void* out, const Constraint& constraint,
                         Decoder& decoder) const {
  if (!node.is_plain() || plain_meaning(node.text) != Plain::Integer) {
    wrong_type(node, "a whole number", decoder,
               node.kind == Node::Kind::Scalar && plain_meaning(node.text) == Plain::Integer
                   ? "remove the quotes"
                   : "");
    return false;
  }
  std::string_view digits = node.text;
  bool negative = digits[0] == '-';
  if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
  if (digits.size() > 1 && digits[0] == '0') {
    decoder.error(
        Code::Malformed, node.mark,
        fmt::format("{} starts with a zero, which some tools read as octal",
                    subject(node, decoder)),
        fmt::format("write {}", digits.find_first_not_of("0123456789") == std::string_view::npos
                                    ? "it without leading zeros"
                                    : "a decimal number"));
    return false;
  }
  std::int64_t value = 0;
  auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  Constraint bounds = constraint;
  bounds.minimum = std::max(lowest(), constraint.minimum.value_or(lowest()));
  bounds.maximum = std::min(highest(), constraint.maximum.value_or(highest()));
  if (error != std::errc{}) value = std::numeric_limits<std::int64_t>::max();
  if (negative) value = -value;
  if (!in_range(node, value, bounds, show_number, decoder)) return false;
  const std::vector<int>& allowed = constraint.numbers;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    decoder.error(Code::NotAChoice, node.mark,
                  fmt::format("{} cannot be {}", subject(node, decoder), value),
                  fmt::format("one of {}", fmt::join(allowed, ", ")));
    return false;
  }
  store(out, value);
  return true;
}

Json IntegerType::encode(const void* value, const EncodeOptions&) const { return load(value); }

Json IntegerType::json_schema(const Constraint& constraint, SchemaWriter&) const {
  Json schema = {{"type", "integer"}};
  if (!constraint.numbers.empty()) {
    schema["enum"] = constraint.numbers;
    return schema;
  }
  schema["minimum"] = std::max(lowest(), constraint.minimum.value_or(lowest()));
  schema["maximum"] = std::min(highest(), constraint.maximum.value_or(highest()));
  return schema;
}

std::string IntegerType::label(const Constraint& constraint) const {
  if (!constraint.numbers.empty())
    return fmt::format("one of {}", fmt::join(constraint.numbers, " "));
  return fmt::format("whole number{}", range_label(constraint, show_number));
}

bool NumberType::decode(const Node& node, void* out, const Constraint& constraint,
                        Decoder& decoder) const {
  Plain meaning = node.is_plain() ? plain_meaning(node.text) : Plain::Text;
  double value = std::numeric_limits<double>::quiet_NaN();
  if (meaning == Plain::Integer || meaning == Plain::Float) {
    std::string_view text = node.text;
    if (text.starts_with('+')) text.remove_prefix(1);
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || rest != text.data() + text.size())
      value = std::numeric_limits<double>::quiet_NaN();
  }
  if (!std::isfinite(value)) {
    wrong_type(node, "a number", decoder);
    return false;
  }
  auto low = static_cast<double>(constraint.minimum.value_or(std::numeric_limits<int>::min()));
  auto high = static_cast<double>(constraint.maximum.value_or(std::numeric_limits<int>::max()));
  if (value < low || value > high) {
    decoder.error(
        Code::OutOfRange, node.mark,
        fmt::format("{} is {}, it must be {} to {}", subject(node, decoder), value, low, high));
    return false;
  }
  *static_cast<double*>(out) = value;
  return true;
}

Json NumberType::encode(const void* value, const EncodeOptions&) const {
  return *static_cast<const double*>(value);
}

Json NumberType::json_schema(const Constraint& constraint, SchemaWriter&) const {
  Json schema = {{"type", "number"}};
  if (constraint.minimum) schema["minimum"] = *constraint.minimum;
  if (constraint.maximum) schema["maximum"] = *constraint.maximum;
  return schema;
}

std::string NumberType::label(const Constraint& constraint) const {
  return fmt::format("number{}", range_label(constraint, show_number));
}

bool TextType::decode(const Node& node, void* out, const Constraint& constraint,
                      Decoder& decoder) const {
  Plain meaning = node.is_plain() ? plain_meaning(node.text) : Plain::Text;
  if (node.kind == Node::Kind::Null || meaning == Plain::Boolean || meaning == Plain::Null) {
    decoder.error(Code::BooleanForText, node.mark,
                  fmt::format("{} must be text, not {}", subject(node, decoder), describe(node)),
                  node.kind == Node::Kind::Null ? "remove the field, or write \"\" for empty text"
                                                : fmt::format("quote it: \"{}\"", node.text));
    return false;
  }
  if (node.kind != Node::Kind::Scalar) {
    wrong_type(node, "text", decoder);
    return false;
  }
  if (node.text.size() > constraint.max_length) {
    decoder.error(Code::OutOfRange, node.mark,
                  fmt::format("{} has {} octets, at most {} are allowed", subject(node, decoder),
                              node.text.size(), constraint.max_length));
    return false;
  }
  std::string text = node.text;
  if (constraint.format != nullptr) {
    if (std::string expected = constraint.format->check(text); !expected.empty()) {
      decoder.error(
          Code::Malformed, node.mark,
          fmt::format("{} is not {}: {}", in_quotes(node.text), constraint.format->name, expected));
      return false;
    }
  }
  *static_cast<std::string*>(out) = std::move(text);
  return true;
}

Json TextType::encode(const void* value, const EncodeOptions&) const {
  return *static_cast<const std::string*>(value);
}

Json TextType::json_schema(const Constraint& constraint, SchemaWriter&) const {
  // A plain number is taken as text, so editors must not mark it.
  Json schema = {{"type", Json::array({"string", "number"})}};
  if (constraint.format != nullptr && constraint.format->pattern != nullptr)
    schema["pattern"] = constraint.format->pattern;
  if (constraint.max_length != std::numeric_limits<std::size_t>::max())
    schema["maxLength"] = constraint.max_length;
  return schema;
}

std::string TextType::label(const Constraint& constraint) const {
  std::string name = constraint.format != nullptr ? constraint.format->name : "text";
  for (std::string_view article : {"a ", "an "})
    if (name.starts_with(article)) name.erase(0, article.size());
  if (constraint.max_length != std::numeric_limits<std::size_t>::max())
    name += fmt::format(", ≤ {} octets", constraint.max_length);
  return name;
}

bool DurationType::decode(const Node& node, void* out, const Constraint& constraint,
                          Decoder& decoder) const {
  if (node.kind != Node::Kind::Scalar || node.text.empty()) {
    wrong_type(node, "a duration", decoder, "such as 250ms, 30s, 5m, 24h or 30d");
    return false;
  }
  Result<Duration> value = parse_duration(node.text);
  if (!value) {
    decoder.error(
        Code::Malformed, node.mark,
        fmt::format("{} is not a duration: {}", in_quotes(node.text), value.error().context));
    return false;
  }
  if (!in_range(node, value->count(), constraint, show_duration, decoder)) return false;
  *static_cast<Duration*>(out) = *value;
  return true;
}

Json DurationType::encode(const void* value, const EncodeOptions&) const {
  return format_duration(*static_cast<const Duration*>(value));
}

Json DurationType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", Json::array({"string", "integer"})},
          {"pattern", "^[0-9]+(ms|s|m|h|d)?$"},
          {"minimum", 0}};
}

std::string DurationType::label(const Constraint& constraint) const {
  return fmt::format("duration{}", range_label(constraint, show_duration));
}

bool TimestampType::decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const {
  if (node.kind == Node::Kind::Scalar) {
    if (const Result<Timestamp> value = parse_timestamp(node.text)) {
      *static_cast<Timestamp*>(out) = *value;
      return true;
    }
  }
  wrong_type(node, "a moment", decoder, "such as 2026-11-20T10:00:00Z");
  return false;
}

Json TimestampType::encode(const void* value, const EncodeOptions&) const {
  return format_timestamp(*static_cast<const Timestamp*>(value));
}

Json TimestampType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", "string"}, {"format", "date-time"}};
}

std::string TimestampType::label(const Constraint&) const { return "moment (RFC 3339)"; }

bool SizeType::decode(const Node& node, void* out, const Constraint& constraint,
                      Decoder& decoder) const {
  if (node.kind != Node::Kind::Scalar || node.text.empty()) {
    wrong_type(node, "a size", decoder, "such as 512, 64KiB, 1MiB or 10GiB");
    return false;
  }
  Result<std::uint64_t> value = parse_size(node.text);
  if (!value) {
    decoder.error(Code::Malformed, node.mark,
                  fmt::format("{} is not a size: {}", in_quotes(node.text), value.error().context));
    return false;
  }
  if (!in_range(node, static_cast<std::int64_t>(*value), constraint, show_size, decoder))
    return false;
  *static_cast<std::uint64_t*>(out) = *value;
  return true;
}

Json SizeType::encode(const void* value, const EncodeOptions&) const {
  return format_size(*static_cast<const std::uint64_t*>(value));
}

Json SizeType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", Json::array({"string", "integer"})},
          {"pattern", "^[0-9]+([KMGT]iB|[kMGT]B|B)?$"},
          {"minimum", 0}};
}

std::string SizeType::label(const Constraint& constraint) const {
  return fmt::format("size{}", range_label(constraint, show_size));
}

bool ChoiceType::decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const {
  if (node.kind != Node::Kind::Scalar) {
    wrong_type(node, "one of " + join(names_), decoder);
    return false;
  }
  auto found = std::find(names_.begin(), names_.end(), node.text);
  if (found != names_.end()) {
    store(out, static_cast<std::size_t>(found - names_.begin()));
    return true;
  }
  if (std::find(later_.begin(), later_.end(), node.text) != later_.end()) {
    decoder.error(Code::NotSupportedValue, node.mark,
                  fmt::format("{} {} is not supported by this version of headgate",
                              subject(node, decoder), in_quotes(node.text)),
                  fmt::format("one of {}", join(names_)));
    return false;
  }
  std::string near = nearest(node.text, names_);
  decoder.error(Code::NotAChoice, node.mark,
                fmt::format("{} cannot be {}", subject(node, decoder), describe(node)),
                near.empty() ? fmt::format("one of {}", join(names_))
                             : fmt::format("did you mean \"{}\"? one of {}", near, join(names_)));
  return false;
}

Json ChoiceType::encode(const void* value, const EncodeOptions&) const {
  std::size_t index = load(value);
  return index < names_.size() ? Json(names_[index]) : Json();
}

Json ChoiceType::json_schema(const Constraint&, SchemaWriter&) const { return {{"enum", names_}}; }

std::string ChoiceType::label(const Constraint&) const {
  std::string out;
  for (const std::string& name : names_) out += fmt::format("{}`{}`", out.empty() ? "" : " ", name);
  return out;
}

}  // namespace headgate::schema
