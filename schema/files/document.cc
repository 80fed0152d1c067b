// SPDX-License-Identifier: MIT
// The envelope of documents: apiVersion, kind, and the table that the kind names.
#include "schema/files/document.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/files/overlay.h"
#include "schema/files/sops.h"
#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::schema {
namespace {

std::vector<std::string> kind_names(Owner owner) {
  std::vector<std::string> names;
  for (const Kind& kind : kinds())
    if (kind.in_repository == (owner == Owner::Repository)) names.emplace_back(kind.name);
  return names;
}

/// The kind of a document, or null after a diagnostic.
const Kind* find_document_kind(const Node& document, Owner owner, Decoder& decoder) {
  const Node* node = document.find("kind");
  std::vector<std::string> names = kind_names(owner);
  if (node == nullptr) {
    decoder.error(
        Code::KindMissing, document.mark, "the document has no `kind`",
        fmt::format("one of {}; a file that is no configuration belongs into .headgateignore",
                    join(names)));
    return nullptr;
  }
  if (node->kind != Node::Kind::Scalar) {
    wrong_type(*node, "a kind", decoder, fmt::format("one of {}", join(names)));
    return nullptr;
  }
  const Kind* kind = find_kind(node->text);
  const std::vector<std::string>& later = later_kinds();
  if (kind == nullptr && std::find(later.begin(), later.end(), node->text) != later.end()) {
    decoder.error(
        Code::KindNotSupported, node->mark,
        fmt::format("`kind: {}` is not supported by this version of headgate", node->text));
    return nullptr;
  }
  if (kind == nullptr) {
    decoder.error(Code::KindUnknown, node->mark,
                  fmt::format("unknown kind {}", in_quotes(node->text)),
                  did_you_mean(node->text, names, fmt::format("one of {}", join(names))));
    return nullptr;
  }
  if (kind->in_repository != (owner == Owner::Repository)) {
    decoder.error(
        Code::KindElsewhere, node->mark,
        fmt::format("`kind: {}` does not belong into {}", kind->name,
                    owner == Owner::Repository ? "the repository" : "the machine's own file"),
        owner == Owner::Repository ? "it is the machine's own file: headgate run --config FILE"
                                   : "resources belong into the repository that `source` names");
    return nullptr;
  }
  return kind;
}

std::string name_of(const AnyResource& value) {
  return std::visit(
      [](const auto& resource) -> std::string {
        if constexpr (requires { resource->name; })
          return resource->name;
        else
          return resource->file;
      },
      value);
}

std::shared_ptr<const Resource> encrypted_file(const std::string& path, Node document,
                                               Decoder& decoder) {
  static const Kind kSecrets = {"Secrets", "", "", true, nullptr, nullptr};
  auto resource = std::make_shared<Resource>();
  resource->kind = &kSecrets;
  resource->file = resource->name = path;
  resource->value = decode_sops(path, document, decoder);
  resource->document = std::move(document);
  return resource;
}

}  // namespace

void check_api_version(const Node& document, Decoder& decoder) {
  const Node* version = document.find("apiVersion");
  if (version == nullptr)
    return decoder.error(Code::ApiVersion, document.mark, "`apiVersion` is missing",
                         fmt::format("write apiVersion: {}", kApiVersion));
  if (version->kind == Node::Kind::Scalar && version->text == kApiVersion) return;
  decoder.error(Code::ApiVersion, version->mark,
                fmt::format("`apiVersion` must be {}, not {}", kApiVersion, describe(*version)));
}

DecodedFile decode_file(const std::string& path, std::string_view text, Owner owner,
                        FileSource* files, const Overlay* overlay) {
  std::vector<Diagnostic> problems;
  Decoder decoder(path, files, problems);
  YamlDocuments yaml = read_yaml(text);
  for (YamlProblem& problem : yaml.problems)
    decoder.error(problem.code, problem.mark, std::move(problem.message), std::move(problem.hint));
  if (yaml.documents.empty() && yaml.problems.empty())
    decoder.error(Code::NoResource, {}, "the file holds no resource",
                  fmt::format("one has apiVersion: {} and a kind; a file that is no configuration "
                              "belongs into .headgateignore",
                              kApiVersion));
  DecodedFile out = decode_documents(path, std::move(yaml.documents), owner, files, overlay);
  out.diagnostics.insert(out.diagnostics.begin(), problems.begin(), problems.end());
  return out;
}

DecodedFile decode_documents(const std::string& path, std::vector<Node> documents, Owner owner,
                             FileSource* files, const Overlay* overlay) {
  static const Overlay kNone;
  if (overlay == nullptr) overlay = &kNone;
  DecodedFile out;
  Decoder decoder(path, overlay->files(), files, out.diagnostics);
  for (Node& document : documents) {
    if (owner == Owner::Repository && is_sops_file(path)) {
      out.resources.push_back(encrypted_file(path, std::move(document), decoder));
      continue;
    }
    if (!overlay->apply(document, decoder, out.patches)) continue;
    check_api_version(document, decoder);
    const Kind* kind = find_document_kind(document, owner, decoder);
    if (kind == nullptr) continue;
    auto resource = std::make_shared<Resource>();
    resource->kind = kind;
    resource->file = path;
    resource->overlay_files = overlay->files();
    resource->value = kind->decode(document, decoder);
    resource->name = name_of(resource->value);
    resource->document = std::move(document);
    out.resources.push_back(std::move(resource));
  }
  return out;
}

}  // namespace headgate::schema
