// SPDX-License-Identifier: MIT
// How lists and maps are read and written.
#include "schema/table/composite.h"

namespace headgate::schema {
namespace {

/// The constraint of a list without what is about the list itself.
Constraint of_items(Constraint constraint) {
  constraint.min_items = 0;
  constraint.max_items = std::numeric_limits<std::size_t>::max();
  constraint.unique = false;
  return constraint;
}

bool check_count(const Node& node, const Constraint& constraint, Decoder& decoder) {
  std::size_t count = node.children.size();
  if (count >= constraint.min_items && count <= constraint.max_items) return true;
  std::string asked = constraint.max_items == std::numeric_limits<std::size_t>::max()
                          ? fmt::format("at least {}", constraint.min_items)
                          : fmt::format("{} to {}", constraint.min_items, constraint.max_items);
  decoder.error(Code::ItemCount, node.mark,
                fmt::format("{} has {} item{}, it must have {}", subject(node, decoder), count,
                            count == 1 ? "" : "s", asked));
  return false;
}

}  // namespace

bool ListType::decode(const Node& node, void* out, const Constraint& constraint,
                      Decoder& decoder) const {
  if (!node.is_sequence()) {
    wrong_type(node, "a list", decoder,
               node.kind == Node::Kind::Scalar
                   ? fmt::format("write [{}]", escape_control(node.text.substr(0, 60)))
                   : "");
    return false;
  }
  clear(out);
  Constraint each = of_items(constraint);
  bool good = check_count(node, constraint, decoder);
  std::string_view outer = decoder.list;
  decoder.list = node.key;
  std::set<std::string> seen;
  for (const Node& child : node.children) {
    // An item with an error keeps its place, empty: checks find the nodes of items by their index.
    void* item = append(out);
    if (!item_.decode(child, item, each, decoder)) {
      good = false;
    } else if (constraint.unique && !seen.insert(item_.encode(item, {}).dump()).second) {
      decoder.error(
          Code::DuplicateItem, child.mark,
          fmt::format("`{}` names {} twice", escape_control(node.key), in_quotes(child.text)));
      good = false;
    }
  }
  decoder.list = outer;
  return good;
}

Json ListType::encode(const void* value, const EncodeOptions& options) const {
  Json out = Json::array();
  for (std::size_t i = 0; i < size(value); ++i) out.push_back(item_.encode(at(value, i), options));
  return out;
}

Json ListType::json_schema(const Constraint& constraint, SchemaWriter& writer) const {
  Json schema = {{"type", "array"}, {"items", item_.json_schema(of_items(constraint), writer)}};
  if (constraint.min_items > 0) schema["minItems"] = constraint.min_items;
  if (constraint.max_items != std::numeric_limits<std::size_t>::max())
    schema["maxItems"] = constraint.max_items;
  if (constraint.unique) schema["uniqueItems"] = true;
  return schema;
}

std::string ListType::label(const Constraint& constraint) const {
  std::string count;
  if (constraint.max_items != std::numeric_limits<std::size_t>::max())
    count = fmt::format(", {}–{} items", constraint.min_items, constraint.max_items);
  else if (constraint.min_items > 1)
    count = fmt::format(", ≥ {} items", constraint.min_items);
  return fmt::format("list of {}{}", item_.label(of_items(constraint)), count);
}

bool TextMapType::decode(const Node& node, void* out, const Constraint& constraint,
                         Decoder& decoder) const {
  if (!node.is_map()) {
    wrong_type(node, "a map of texts", decoder);
    return false;
  }
  Constraint value_constraint = of_items(constraint);
  value_constraint.key_format = nullptr;
  Pairs pairs;
  bool good = true;
  for (const Node& child : node.children) {
    std::string key = child.key;
    if (constraint.key_format != nullptr) {
      if (std::string expected = constraint.key_format->check(key); !expected.empty()) {
        decoder.error(Code::Malformed, child.key_mark,
                      fmt::format("{} is not {}: {}", in_quotes(child.key),
                                  constraint.key_format->name, expected));
        good = false;
        continue;
      }
    }
    std::string text;
    good = type_of<std::string>().decode(child, &text, value_constraint, decoder) && good;
    pairs.emplace_back(std::move(key), std::move(text));
  }
  store(out, std::move(pairs));
  return good;
}

Json TextMapType::encode(const void* value, const EncodeOptions&) const {
  Json out = Json::object();
  for (const auto& [key, text] : load(value)) out[key] = text;
  return out;
}

Json TextMapType::json_schema(const Constraint&, SchemaWriter&) const {
  return {{"type", "object"},
          {"additionalProperties", {{"type", Json::array({"string", "number"})}}}};
}

std::string TextMapType::label(const Constraint&) const { return "map of text"; }

}  // namespace headgate::schema
