// SPDX-License-Identifier: MIT
// The JSON Schema, the reference and the examples say what the decoder does.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "schema/fields/kinds.h"
#include "schema/files/document.h"
#include "schema/files/repository_files.h"
#include "schema/reference/readme.h"
#include "schema/reference/reference.h"
#include "schema/yaml/reader.h"
#include "tests/support/memory_tree.h"

using namespace headgate::schema;

namespace {

/// What an editor makes of a document: YAML 1.2's core schema.
nlohmann::json to_plain_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Null:
      return nullptr;
    case Node::Kind::Sequence: {
      nlohmann::json out = nlohmann::json::array();
      for (const Node& child : node.children) out.push_back(to_plain_json(child));
      return out;
    }
    case Node::Kind::Map: {
      nlohmann::json out = nlohmann::json::object();
      for (const Node& child : node.children) out[child.key] = to_plain_json(child);
      return out;
    }
    case Node::Kind::Scalar:
      break;
  }
  if (!node.is_plain()) return node.text;
  switch (plain_meaning(node.text)) {
    case Plain::Boolean:
      return node.text[0] == 't' || node.text[0] == 'T';
    case Plain::Integer:
      return std::stoll(node.text);
    case Plain::Float:
      return std::stod(node.text);
    case Plain::Null:
      return nullptr;
    case Plain::Text:
      break;
  }
  return node.text;
}

class Editor {
 public:
  Editor() : json_(nlohmann::json::parse(json_schema())) {
    valijson::adapters::NlohmannJsonAdapter adapter(json_);
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, schema_);
  }

  /// Empty when the schema accepts every document of `yaml`.
  std::string refuses(const std::string& yaml) {
    YamlDocuments read = read_yaml(yaml);
    REQUIRE(read.problems.empty());
    std::string out;
    for (const Node& document : read.documents) {
      nlohmann::json target = to_plain_json(document);
      valijson::adapters::NlohmannJsonAdapter adapter(target);
      valijson::ValidationResults results;
      // Strong types: "5" is no number.
      valijson::Validator validator(valijson::Validator::kStrongTypes);
      if (validator.validate(schema_, adapter, &results)) continue;
      valijson::ValidationResults::Error error;
      while (results.popError(error)) out += error.description + "\n";
    }
    return out;
  }

 private:
  nlohmann::json json_;
  valijson::Schema schema_;
};

bool decodes(const std::string& yaml) {
  MemoryTree tree;
  tree.put("certs/shop.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
  TreeIndex index(tree);
  RepositoryFiles files(index);
  DecodedFile decoded = decode_file("case.yaml", yaml, Owner::Repository, &files);
  return !has_errors(decoded.diagnostics);
}

std::string distribution(std::string_view spec) {
  return fmt::format(R"(apiVersion: headgate/v1
kind: Distribution
metadata: {{ name: shop }}
spec:
  origins: [{{ id: web, domainName: web.example.com }}]
  defaultCacheBehavior: {{ targetOriginId: web, viewerProtocolPolicy: allow-all }}
{})",
                     spec);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("the examples of the reference load together without a diagnostic") {
  MemoryTree tree;
  for (const Kind& kind : kinds()) {
    const bool is_signers = kind.name == std::string("Signers");
    if (kind.in_repository)
      tree.put(is_signers ? kSignersFile : fmt::format("{}.yaml", kind.name), kind.example);
  }
  tree.put("certs/shop.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
  Loader loader;
  Loaded loaded = loader.load(tree);
  for (const Diagnostic& diagnostic : loaded.diagnostics) FAIL_CHECK(diagnostic.text());
  CHECK(loaded.model);
  LoadedEdge edge = load_edge("edge.yaml", find_kind("Edge")->example);
  for (const Diagnostic& diagnostic : edge.diagnostics) FAIL_CHECK(diagnostic.text());
  CHECK(edge.edge);
}

TEST_CASE("the JSON Schema accepts what the decoder accepts") {
  Editor editor;
  for (const Kind& kind : kinds()) {
    CAPTURE(kind.name);
    CHECK(editor.refuses(kind.example) == "");
  }
  for (std::string_view spec : {
           "  comment: 5\n",
           "  stale: { whileRevalidate: 90, ifError: 1d }\n",
           "  restrictions: { geo: { type: whitelist, locations: [NO, \"DE\"] } }\n",
           "  aliases: [\"*\", 192.0.2.1, shop.example.com]\n",
           "  viewerCertificate: { sslSupportMethod: sni-only }\n",
           "  customErrorResponses: [{ errorCode: 404, responseCode: 200, responsePagePath: "
           "/index.html }]\n",
           "  cacheBehaviors: [{ pathPattern: \"/a?/*\", targetOriginId: web, "
           "viewerProtocolPolicy: https-only, compress: true, smoothStreaming: false }]\n",
           "  compression: { compressibleTypes: [text/*], rules: [{ types: [image/svg+xml], "
           "gzipLevel: 9, brotliQuality: 0 }] }\n",
           "  originGroups: []\n",
       }) {
    CAPTURE(spec);
    CHECK(decodes(distribution(spec)));
    CHECK(editor.refuses(distribution(spec)) == "");
  }
}

TEST_CASE("the JSON Schema refuses what the decoder refuses") {
  Editor editor;
  for (std::string_view spec : {
           "  coment: x\n",
           "  enabled: yes\n",
           "  enabled: \"true\"\n",
           "  comment: true\n",
           "  comment:\n",
           "  httpVersion: http/2\n",
           "  webAclRef: a b\n",
           "  stale: { ifError: 5 minutes }\n",
           "  stale: { ifError: -1 }\n",
           "  stale: 5s\n",
           "  restrictions: { geo: { locations: [DE] } }\n",
           "  restrictions: { geo: { type: whitelist, locations: [DEU] } }\n",
           "  restrictions: { geo: { type: whitelist, locations: [false] } }\n",
           "  customErrorResponses: [{ errorCode: 402, responsePagePath: /x }]\n",
           "  cacheBehaviors: [{ targetOriginId: web, viewerProtocolPolicy: https-only }]\n",
           "  cacheBehaviors: [{ pathPattern: \"/a b\", targetOriginId: web, viewerProtocolPolicy: "
           "https-only }]\n",
           "  cacheBehaviors: [{ pathPattern: /a, targetOriginId: web, viewerProtocolPolicy: "
           "https-only, smoothStreaming: true }]\n",
           "  compression: { compressibleTypes: [\"text/html; charset=utf-8\"] }\n",
           "  compression: { rules: [{ types: [text/css], gzipLevel: 0 }] }\n",
           "  compression: { rules: [{ gzipLevel: 1 }] }\n",
           "  originGroups: [{ id: g, members: [web] }]\n",
           "  aliases: shop.example.com\n",
       }) {
    CAPTURE(spec);
    CHECK(!decodes(distribution(spec)));
    CHECK(editor.refuses(distribution(spec)) != "");
  }
  for (const char* text : {
           "kind: Fleet\n",
           "apiVersion: headgate/v2\nkind: Fleet\n",
           "apiVersion: headgate/v1\nkind: Distributon\n",
           "apiVersion: headgate/v1\nkind: WebACL\n",
           "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: a }\nspec: { rules: [] }\n",
           "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: a }\nspec: { rules: [{ name: "
           "r, "
           "action: drop }] }\n",
           "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: a }\nspec: { rules: [{ name: "
           "r, "
           "when: { not: { pth: { exact: /a } } }, action: block }] }\n",
           "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: a }\nspec: { rules: [{ name: "
           "r, "
           "when: { path: { size: { gt: 1, lt: 2 } } }, action: block }] }\n",
           "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: a }\nspec: { rules: [{ name: "
           "r, "
           "rate: { limit: 0 }, action: block }] }\n",
           "apiVersion: headgate/v1\n",
           "apiVersion: headgate/v1\nkind: CachePolicy\nspec: {}\n",
           "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: a/b }\nspec: {}\n",
           "apiVersion: headgate/v1\nkind: Certificate\nmetadata: { name: a }\nspec: { "
           "certificate: { file: certs/shop.pem }, "
           "privateKey: secret }\n",
           "apiVersion: headgate/v1\nkind: Invalidation\nmetadata: { name: a }\nspec: { "
           "distribution: d, select: { paths: [] } }\n",
           "apiVersion: headgate/v1\nkind: Invalidation\nmetadata: { name: a }\nspec: { "
           "distribution: d }\n",
           "apiVersion: headgate/v1\nkind: Expect\nmetadata: { name: a }\nspec: { distribution: d, "
           "cases: [{ request: { url: /a }, "
           "expect: { status: 200 } }] }\n",
       }) {
    CAPTURE(text);
    CHECK(!decodes(text));
    CHECK(editor.refuses(text) != "");
  }
}

TEST_CASE("every kind and field has a meaning, and the reference shows it") {
  std::string reference = reference_markdown();
  for (const Kind& kind : kinds()) {
    CHECK(reference.find(fmt::format("### {}\n", kind.name)) != std::string::npos);
    std::vector<const ObjectType*> todo = {&kind.table()};
    std::set<const ObjectType*> seen;
    while (!todo.empty()) {
      const ObjectType* object = todo.back();
      todo.pop_back();
      if (!seen.insert(object).second) continue;
      CHECK(!object->doc().empty());
      for (const Field& field : object->fields()) {
        CAPTURE(field.name);
        CHECK(field.doc.ends_with('.'));
        CHECK((reference.find(fmt::format("| `{}` |", field.name)) != std::string::npos ||
               field.reported_elsewhere));
        if (field.type->object() != nullptr) todo.push_back(field.type->object());
      }
    }
  }
}

TEST_CASE("two tables of different fields never share a definition") {
  std::map<std::string, Json> definitions;
  for (const Kind& kind : kinds()) {
    std::vector<const ObjectType*> todo = {&kind.table()};
    std::set<const ObjectType*> seen;
    while (!todo.empty()) {
      const ObjectType* object = todo.back();
      todo.pop_back();
      if (!seen.insert(object).second) continue;
      SchemaWriter writer;
      Json definition = object->definition(writer);
      auto known = definitions.emplace(object->name(), definition).first;
      CAPTURE(object->name());
      CHECK(known->second == definition);
      for (const Field& field : object->fields())
        if (field.type->object() != nullptr) todo.push_back(field.type->object());
    }
  }
}

TEST_CASE("schema/README.md says what the tables say") {
  // Symptom: a field or code was changed. Remedy: ninja schema_reference.
  std::string readme = read_file(std::string(HEADGATE_SOURCE_DIR) + "/schema/README.md");
  CHECK(readme.find("<!-- generated: codes -->") != std::string::npos);
  CHECK(readme.find("<!-- generated: reference -->") != std::string::npos);
  CHECK((regenerate_readme(readme) == readme));
}
