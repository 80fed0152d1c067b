// SPDX-License-Identifier: MIT
// Decoding and encoding by a table of fields.
#include "schema/table/object.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/text.h"

namespace headgate::schema {

const Field* ObjectType::find_field(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name == name) return &field;
    for (const std::string& synonym : field.synonyms)
      if (synonym == name) return &field;
  }
  return nullptr;
}

bool ObjectType::has_required() const {
  return std::any_of(fields_.begin(), fields_.end(), [](const Field& f) { return f.required; });
}

bool ObjectType::decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const {
  if (!node.is_map()) {
    wrong_type(node, "a map", decoder,
               node.kind == Node::Kind::Null ? "remove it, or write {} for all defaults" : "");
    return false;
  }
  bool good = true;
  for (const Node& child : node.children) good = decode_child(child, out, decoder) && good;
  for (const Field& field : fields_) {
    if (!field.required || field.reported_elsewhere) continue;
    bool present = std::any_of(node.children.begin(), node.children.end(),
                               [&](const Node& child) { return find_field(child.key) == &field; });
    if (present) continue;
    Mark mark = node.key.empty() ? node.mark : node.key_mark;
    decoder.error(Code::FieldMissing, mark,
                  node.key.empty() ? fmt::format("the required field `{}` is missing", field.name)
                                   : fmt::format("{} lacks the required field `{}`",
                                                 subject(node, decoder), field.name),
                  field.doc);
    good = false;
  }
  const bool has_one =
      one_of_.empty() ||
      std::any_of(node.children.begin(), node.children.end(), [&](const Node& child) {
        return std::find(one_of_.begin(), one_of_.end(), child.key) != one_of_.end();
      });
  if (!has_one) {
    decoder.error(Code::FieldMissing, node.key.empty() ? node.mark : node.key_mark,
                  fmt::format("{} needs one of {}", subject(node, decoder), join(one_of_)));
    good = false;
  }
  for (const Check& check : checks_) check(out, node, decoder);
  return good;
}

bool ObjectType::decode_child(const Node& child, void* out, Decoder& decoder) const {
  const Field* field = find_field(child.key);
  if (field == nullptr) return report_unknown(child, decoder);
  return field->type->decode(child, field->member(out), field->constraint, decoder);
}

bool ObjectType::report_unknown(const Node& child, Decoder& decoder) const {
  for (const LaterField& later : later_) {
    if (later.name != child.key) continue;
    if (!later.accepted.empty() && child.is_plain() && child.text == later.accepted) return true;
    decoder.error(
        Code::FieldNotSupported, child.key_mark,
        fmt::format("{} is not supported by this version of headgate", subject(child, decoder)),
        later.accepted.empty() ? "remove it"
                               : fmt::format("remove it or write {}", later.accepted));
    return false;
  }
  std::vector<std::string> known;
  for (const Field& field : fields_) known.push_back(field.name);
  decoder.error(Code::FieldUnknown, child.key_mark,
                fmt::format("unknown field {}", in_quotes(child.key)),
                did_you_mean(child.key, known, fmt::format("known here: {}", join(known))));
  return false;
}

Json ObjectType::encode(const void* value, const EncodeOptions& options) const {
  Json out = Json::object();
  for (const Field& field : fields_) {
    // The accessor serves decoding too, hence the cast; encoding only reads.
    const void* member = field.member(const_cast<void*>(value));
    if (options.defaults == Defaults::LeftOut && !field.required) {
      EncodeOptions whole = options;
      whole.defaults = Defaults::Included;
      if (field.type->encode(member, whole) == field.default_value) continue;
    }
    Json encoded = field.type->encode(member, options);
    if (!encoded.is_null()) out[field.name] = std::move(encoded);
  }
  return out;
}

Json ObjectType::json_schema(const Constraint&, SchemaWriter& writer) const {
  return writer.reference(*this);
}

std::string ObjectType::label(const Constraint&) const { return name_; }

Json ObjectType::definition(SchemaWriter& writer) const {
  Json schema = {{"type", "object"}, {"description", doc_}, {"additionalProperties", false}};
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field& field : fields_) {
    Json property = field.type->json_schema(field.constraint, writer);
    // Draft 7 ignores what stands beside a $ref, so it is wrapped.
    if (property.contains("$ref")) property = {{"allOf", Json::array({property})}};
    property["description"] = field.doc;
    bool shown = !field.default_value.is_null() && !field.default_value.is_structured();
    if (shown && !field.required && field.default_value != "")
      property["default"] = field.default_value;
    properties[field.name] = property;
    for (const std::string& synonym : field.synonyms) properties[synonym] = property;
    if (field.required) required.push_back(field.name);
  }
  for (const LaterField& later : later_) {
    if (later.accepted.empty()) continue;
    Json accepted = later.accepted == "false" ? Json(false) : Json(later.accepted);
    properties[later.name] = {{"const", std::move(accepted)}};
  }
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  for (const std::string& name : one_of_)
    schema["anyOf"].push_back({{"required", Json::array({name})}});
  return schema;
}

Json SchemaWriter::reference(const ObjectType& object) {
  if (!definitions_.contains(object.name())) {
    definitions_[object.name()] = true;  // ends a recursion
    Json definition = object.definition(*this);
    definitions_[object.name()] = std::move(definition);
  }
  return {{"$ref", "#/definitions/" + object.name()}};
}

}  // namespace headgate::schema
