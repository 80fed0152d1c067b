// SPDX-License-Identifier: MIT
// What rules are compiled to: conditions on texts, each known by a number and asked once, and
// expressions over them.
//
// A FieldTarget says which texts of a request are looked at; texts belong to a Family, and a family
// has one pattern database for all that any rule looks for in it. A Condition is a target, a chain
// of transformations and a matcher. Expressions are nodes whose operands stand one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "appliance/guard/geo.h"
#include "appliance/guard/waf/match/ip_set.h"
#include "appliance/guard/waf/match/pattern_set.h"
#include "appliance/guard/waf/match/regex.h"
#include "appliance/guard/waf/text/chain.h"
#include "schema/model/web_acl.h"

namespace headgate::guard::waf {

enum class Family : std::uint8_t {
  Method,
  Path,
  Uri,
  Query,
  Fragment,
  Args,
  Headers,
  HeaderOrder,
  Cookies,
  Body,
  Form,
  Json,
  Ja3,
  Ja4,
  kCount,
};
inline constexpr std::size_t kFamilies = static_cast<std::size_t>(Family::kCount);

/// Whether its texts are made of the body.
constexpr bool is_of_body(Family family) {
  return family == Family::Body || family == Family::Form || family == Family::Json;
}

struct FieldTarget {
  Family family = Family::Path;
  std::string name;  ///< the only one that counts; empty: all, but for `only` and `except`
  schema::WafPart part = schema::WafPart::All;
  std::vector<std::string> only;
  std::vector<std::string> except;
  std::vector<std::string> pointers;
  schema::WafInvalidJson invalid = schema::WafInvalidJson::EvaluateAsString;
  schema::WafFallback fallback = schema::WafFallback::NoMatch;

  bool takes(std::string_view entry) const;
  std::string text() const;  ///< "header user-agent", for people
};

struct Condition {
  FieldTarget target;
  ChainId chain = 0;
  std::vector<schema::WafTransform> transform;
  schema::WafMatcher matcher = schema::WafMatcher::Exact;
  std::vector<std::string> texts;  ///< of Exact in order
  std::vector<Regex> regexes;      ///< of Regex, one a text
  std::vector<bool> refused;       ///< texts that are not in the family's pattern set
  schema::WafSize size;
  schema::WafOversize oversize = schema::WafOversize::Continue;
};

/// What a pattern of a family's set stands for.
struct PatternUse {
  std::uint32_t condition;
  std::uint32_t text;
};

struct FamilyPatterns {
  PatternSet set;
  std::vector<PatternUse> uses;  ///< by the pattern's id
};

struct ForwardedAddress {
  std::string header;
  schema::WafForwardedIp::Position position = schema::WafForwardedIp::Position::First;
  schema::WafFallback fallback = schema::WafFallback::NoMatch;
};

/// A node of an expression. Operands of All, Any and Not are the nodes `first` to `first + count`.
struct Expression {
  enum class Kind : std::uint8_t { All, Any, Not, Condition, Ip, ForwardedIp, Geo, Asn, Label };
  Kind kind = Kind::All;
  std::uint32_t first = 0;  ///< or the number of the condition
  std::uint32_t count = 0;
  std::vector<std::shared_ptr<const IpSet>> sets;
  ForwardedAddress forwarded;
  GeoRule countries;
  std::vector<std::uint32_t> asns;  ///< in order
  std::string label;
};

/// Yes, no, or not before there is a body.
enum class Truth : std::uint8_t { No, Yes, Unknown };

}  // namespace headgate::guard::waf
