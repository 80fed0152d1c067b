// SPDX-License-Identifier: MIT
// Writes the JSON Schema and the reference from the tables of fields.
#include "schema/reference/reference.h"

#include <fmt/format.h>

#include <set>

#include "schema/fields/kinds.h"
#include "schema/model/known_bots.h"
#include "schema/model/managed.h"
#include "schema/model/streaming.h"

namespace headgate::schema {
namespace {

bool is_envelope(const Field& field) { return field.name == "apiVersion" || field.name == "kind"; }

/// Text that may stand in a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string default_cell(const Field& field) {
  if (field.required) return "required";
  if (!field.default_text.empty()) return fmt::format("`{}`", field.default_text);
  const Json& value = field.default_value;
  if (value.is_null() || value == "" || (value.is_structured() && value.empty())) return "";
  if (value.is_structured()) return "";
  return fmt::format("`{}`", value.is_string() ? value.get<std::string>() : value.dump());
}

/// GitHub's anchor of a heading.
std::string anchor(const std::string& heading) {
  std::string out;
  for (char c : heading) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string type_cell(const Field& field) {
  std::string label = field.type->label(field.constraint);
  const ObjectType* object = field.type->object();
  if (object == nullptr) return cell(label);
  std::size_t at = label.rfind(object->name());
  std::string link = fmt::format("[{}](#{})", object->name(), anchor(object->name()));
  if (at == std::string::npos) return cell(label);
  return cell(label.substr(0, at)) + link + cell(label.substr(at + object->name().size()));
}

class Reference {
 public:
  std::string take() { return std::move(out_); }

  void kind(const Kind& kind) {
    const ObjectType& table = kind.table();
    out_ += fmt::format("### {}\n\n{}\n\n```yaml\n{}```\n\n", kind.name, table.doc(), kind.example);
    seen_.insert(table.name());
    rows(table);
    nested(table);
  }

 private:
  void rows(const ObjectType& table) {
    out_ += "| field | type | default | meaning |\n|---|---|---|---|\n";
    for (const Field& field : table.fields()) {
      if (is_envelope(field)) continue;
      out_ += fmt::format("| `{}` | {} | {} | {} |\n", field.name, type_cell(field),
                          default_cell(field), cell(field.doc));
    }
    out_ += "\n";
  }

  /// The maps within, in the order of their fields, each once in the whole reference.
  void nested(const ObjectType& table) {
    std::vector<const ObjectType*> next;
    for (const Field& field : table.fields())
      for (const ObjectType* object : field.type->objects())
        if (seen_.insert(object->name()).second) next.push_back(object);
    for (const ObjectType* object : next) {
      if (object->fields().empty()) {
        out_ += fmt::format("#### {}\n\n{}\n\n", object->name(), object->doc());
        continue;
      }
      out_ += fmt::format("#### {}\n\n{}\n\n", object->name(), object->doc());
      rows(*object);
      nested(*object);
    }
  }

  std::string out_;
  std::set<std::string> seen_;
};

constexpr const char* kStreamingProfiles =
    "`profile: hls` in a behavior for `/live/*` makes two of it, which are what `headgate explain` "
    "and `headgate diff` show: `/live/*.m3u8` with the cache policy `Headgate-HLSPlaylists`, and "
    "`/live/*` with `Headgate-MediaSegments`. With `profile: dash` they are `/live/*.mpd` with "
    "`Headgate-DASHManifests`, and `/live/*`. All else that the behavior says holds for both. In "
    "the default behavior the first one is `*.m3u8` or `*.mpd`, after all others. The pattern ends "
    "with `*`; one that ends with `.m3u8` or `.mpd` makes the first behavior alone, so that both "
    "profiles can share segments. `cachePolicy` and `compress: true` are refused beside it.\n\n"
    "Playlists are fetched once for all who ask at a time, and again after at most 3 s, or sooner "
    "if the origin says so. Query strings that are not in the key do not reach the origin, unless "
    "an origin request policy forwards them.\n\n";

}  // namespace

std::string json_schema() {
  SchemaWriter writer;
  Json names = Json::array();
  Json choices = Json::array();
  for (const Kind& kind : kinds()) {
    names.push_back(kind.name);
    choices.push_back({{"if",
                        {{"properties", {{"kind", {{"const", kind.name}}}}},
                         {"required", Json::array({"kind"})}}},
                       {"then", writer.reference(kind.table())}});
  }
  Json schema = {
      {"$schema", "http://json-schema.org/draft-07/schema#"},
      {"title", "headgate"},
      {"description",
       "A document of a headgate configuration repository, or the machine's own file."},
      {"type", "object"},
      {"properties", {{"apiVersion", {{"const", kApiVersion}}}, {"kind", {{"enum", names}}}}},
      {"required", Json::array({"apiVersion", "kind"})},
      {"allOf", choices}};
  schema["definitions"] = writer.take_definitions();
  return schema.dump(2) + "\n";
}

std::string reference_markdown() {
  Reference reference;
  for (const Kind& kind : kinds()) reference.kind(kind);
  return reference.take() + "### Streaming profiles\n\n" + kStreamingProfiles +
         streaming_policies_markdown() + "\n### Managed policies\n\n" +
         managed_policies_markdown() + "\n### Known bots\n\n" + known_bots_markdown();
}

}  // namespace headgate::schema
