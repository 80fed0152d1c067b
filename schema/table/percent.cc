// SPDX-License-Identifier: MIT
// Shares, written as `0.5%`.
#include "schema/table/percent.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace headgate::schema {
namespace {

/// Digits, with or without a point and more digits, and the sign.
std::optional<double> parse(std::string_view text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  text.remove_suffix(1);
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos)
    return std::nullopt;
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::string show(double value) { return fmt::format("{}%", value); }

}  // namespace

bool PercentType::decode(const Node& node, void* out, const Constraint& constraint,
                         Decoder& decoder) const {
  const auto value = node.kind == Node::Kind::Scalar ? parse(node.text) : std::nullopt;
  if (!value) {
    wrong_type(node, "a percentage", decoder, "such as 0.5% or 50%");
    return false;
  }
  const auto low = static_cast<double>(constraint.minimum.value_or(0));
  const auto high = static_cast<double>(constraint.maximum.value_or(100));
  if (*value < low || *value > high) {
    decoder.error(Code::OutOfRange, node.mark,
                  fmt::format("{} is {}, it must be {} to {}", subject(node, decoder), show(*value),
                              show(low), show(high)));
    return false;
  }
  *static_cast<double*>(out) = *value;
  return true;
}

Json PercentType::encode(const void* value, const EncodeOptions&) const {
  return show(*static_cast<const double*>(value));
}

Json PercentType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", "string"}, {"pattern", R"(^[0-9]+(\.[0-9]+)?%$)"}};
}

std::string PercentType::label(const Constraint& constraint) const {
  return fmt::format("percentage, {}–{}", show(static_cast<double>(constraint.minimum.value_or(0))),
                     show(static_cast<double>(constraint.maximum.value_or(100))));
}

}  // namespace headgate::schema
