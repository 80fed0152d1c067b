// SPDX-License-Identifier: MIT
// Texts that may stand alone or in a list, and IP sets.
#include "schema/fields/web_acl/parts.h"

#include <fmt/format.h>

#include "schema/fields/web_acl/networks.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

/// A map of names to lists of networks, or to `{file: PATH}`.
class IpSetsType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    auto& sets = *static_cast<std::vector<WafIpSet>*>(out);
    sets.clear();
    if (!node.is_map()) {
      wrong_type(node, "a map of names to lists of networks", decoder);
      return false;
    }
    bool good = true;
    for (const Node& child : node.children) {
      WafIpSet set;
      set.name = child.key;
      if (const std::string expected = kResourceName.check(set.name); !expected.empty()) {
        decoder.error(
            Code::Malformed, child.key_mark,
            fmt::format("{} is not {}: {}", in_quotes(child.key), kResourceName.name, expected));
        good = false;
      }
      good = (child.is_map() ? decode_networks_file(child, set.file, set.networks, decoder)
                             : decode_networks(child, set.networks, decoder)) &&
             good;
      sets.push_back(std::move(set));
    }
    return good;
  }

  Json encode(const void* value, const EncodeOptions&) const override {
    Json out = Json::object();
    for (const WafIpSet& set : *static_cast<const std::vector<WafIpSet>*>(value))
      out[set.name] = encode_networks(set.file, set.networks);
    return out;
  }

  Json json_schema(const Constraint&, SchemaWriter&) const override {
    const Json list = {{"type", "array"}, {"items", {{"type", "string"}}}};
    return {{"type", "object"},
            {"additionalProperties", {{"anyOf", Json::array({list, networks_file_schema()})}}}};
  }

  std::string label(const Constraint&) const override {
    return "map of lists of networks, or of `{file: PATH}`";
  }
};

}  // namespace

bool TextsType::decode(const Node& node, void* out, const Constraint& constraint,
                       Decoder& decoder) const {
  if (node.kind != Node::Kind::Scalar)
    return type_of<std::vector<std::string>>().decode(node, out, constraint, decoder);
  Constraint one = constraint;
  one.min_items = 0;
  auto& texts = *static_cast<std::vector<std::string>*>(out);
  texts.assign(1, "");
  return type_of<std::string>().decode(node, &texts.front(), one, decoder);
}

Json TextsType::encode(const void* value, const EncodeOptions&) const {
  const auto& texts = *static_cast<const std::vector<std::string>*>(value);
  return texts.size() == 1 ? Json(texts.front()) : Json(texts);
}

Json TextsType::json_schema(const Constraint& constraint, SchemaWriter& writer) const {
  Constraint one = constraint;
  one.min_items = 0;
  return {{"anyOf",
           Json::array({type_of<std::string>().json_schema(one, writer),
                        type_of<std::vector<std::string>>().json_schema(constraint, writer)})}};
}

std::string TextsType::label(const Constraint& constraint) const {
  return type_of<std::string>().label(constraint) + " or list of them";
}

const Type& texts_type() {
  static const TextsType type;
  return type;
}

const Type& waf_ip_sets_type() {
  static const IpSetsType type;
  return type;
}

}  // namespace headgate::schema
