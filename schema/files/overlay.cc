// SPDX-License-Identifier: MIT
// An overlay of a repository: what `overlays/NAME/` says otherwise, for the edges that choose it.
#include "schema/files/overlay.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/files/ignore.h"
#include "schema/files/merge.h"
#include "schema/files/sops.h"
#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::schema {
namespace {

std::string folder_of(const Layout& layout, const std::string& overlay) {
  return layout.prefix() + "overlays/" + overlay + "/";
}

/// The YAML files of the overlay.
std::vector<const Tree::Entry*> entries_of(const Tree& tree, const Layout& layout) {
  std::vector<const Tree::Entry*> entries;
  const std::string folder = folder_of(layout, layout.overlay);
  for (const Tree::Entry& entry : tree.entries())
    if (entry.path.starts_with(folder) &&
        is_configuration(std::string_view(entry.path).substr(folder.size())))
      entries.push_back(&entry);
  return entries;
}

std::vector<std::string> names_of_all(const Tree& tree, const Layout& layout) {
  std::set<std::string> names;
  const std::string folder = layout.prefix() + "overlays/";
  for (const Tree::Entry& entry : tree.entries()) {
    if (!entry.path.starts_with(folder)) continue;
    const std::string rest = entry.path.substr(folder.size());
    if (const std::size_t slash = rest.find('/'); slash != std::string::npos)
      names.insert(rest.substr(0, slash));
  }
  return {names.begin(), names.end()};
}

void set_origin(Node& node, std::uint32_t origin) {
  node.mark.origin = node.key_mark.origin = origin;
  for (Node& child : node.children) set_origin(child, origin);
}

/// Directives anywhere in a patch: what is none of ours is most likely a typing error.
void check_directives(const Node& node, bool is_document, Decoder& decoder) {
  if (const Node* directive = node.is_map() ? node.find(kDirective) : nullptr) {
    const std::string& text = directive->text;
    if (text != "delete" && text != "replace" && !(is_document && text == "add"))
      decoder.error(Code::NotAChoice, directive->mark,
                    fmt::format("`{}` cannot be {}", kDirective, describe(*directive)),
                    is_document ? "one of delete, replace and add" : "one of delete and replace");
  }
  for (const Node& child : node.children) check_directives(child, false, decoder);
}

}  // namespace

std::pair<std::string, std::string> identity_of(const Node& document) {
  const auto text = [](const Node* node) {
    return node != nullptr && node->kind == Node::Kind::Scalar ? node->text : std::string();
  };
  const Node* metadata = document.find("metadata");
  return {text(document.find("kind")), metadata != nullptr ? text(metadata->find("name")) : ""};
}

std::string Overlay::id_of(const Tree& tree, const Layout& layout) {
  std::string id = layout.prefix() + "\n" + layout.overlay;
  if (!layout.overlay.empty())
    for (const Tree::Entry* entry : entries_of(tree, layout))
      id += "\n" + entry->path + " " + entry->id;
  return id;
}

Overlay Overlay::read(const TreeIndex& index, const Layout& layout) {
  Overlay overlay;
  if (layout.overlay.empty()) return overlay;
  const auto entries = entries_of(index.tree(), layout);
  const std::string folder = folder_of(layout, layout.overlay);
  if (entries.empty()) {
    const auto names = names_of_all(index.tree(), layout);
    Decoder(folder, nullptr, overlay.diagnostics_)
        .error(Code::OverlayUnknown, {},
               fmt::format("there is no overlay {}: the folder has no YAML file",
                           in_quotes(layout.overlay)),
               names.empty()
                   ? "the repository has no overlays"
                   : did_you_mean(layout.overlay, names, fmt::format("overlays: {}", join(names))));
    return overlay;
  }
  for (const Tree::Entry* entry : entries) {
    const auto text = read_configuration(index.tree(), *entry, overlay.diagnostics_);
    if (text) overlay.read_file(entry->path, *text);
  }
  return overlay;
}

void Overlay::read_file(const std::string& path, std::string_view text) {
  files_.push_back(path);
  Decoder decoder(path, nullptr, diagnostics_);
  if (is_sops_file(path)) {
    secrets_.emplace(path, text);
    return;
  }
  YamlDocuments yaml = read_yaml(text);
  for (YamlProblem& problem : yaml.problems)
    decoder.error(problem.code, problem.mark, std::move(problem.message), std::move(problem.hint));
  for (Node& document : yaml.documents) add(std::move(document), decoder);
}

void Overlay::add(Node document, Decoder& decoder) {
  check_directives(document, true, decoder);
  auto [kind, name] = identity_of(document);
  if (directive_of(document) == "add") {
    remove_directive(document);
    additions_[decoder.file()].push_back(std::move(document));
    return;
  }
  check_api_version(document, decoder);
  if (kind.empty())
    return decoder.error(Code::KindMissing, document.mark, "the patch has no `kind`",
                         "give kind and metadata.name of the resource that it changes");
  if (kind == "Signers")
    return decoder.error(
        Code::KindElsewhere, document.find("kind")->mark,
        "signers.yaml cannot be patched: edges of all overlays judge commits by it",
        "change signers.yaml itself");
  set_origin(document, static_cast<std::uint32_t>(files_.size()));
  patches_.push_back({std::move(kind), std::move(name), std::move(document)});
}

bool Overlay::apply(Node& document, Decoder& decoder, std::set<std::size_t>& used) const {
  if (patches_.empty()) return true;
  const auto [kind, name] = identity_of(document);
  for (std::size_t i = 0; i < patches_.size(); ++i) {
    const Patch& patch = patches_[i];
    if (patch.kind != kind || patch.name != name) continue;
    used.insert(i);
    if (directive_of(patch.document) == "delete") return false;
    merge(document, patch.document, decoder);
  }
  return true;
}

DecodedFile Overlay::additions(RepositoryFiles& files) const {
  DecodedFile all;
  const auto take = [&all](DecodedFile decoded) {
    std::move(decoded.resources.begin(), decoded.resources.end(),
              std::back_inserter(all.resources));
    std::move(decoded.diagnostics.begin(), decoded.diagnostics.end(),
              std::back_inserter(all.diagnostics));
  };
  for (const auto& [file, documents] : additions_)
    take(decode_documents(file, documents, Owner::Repository, &files));
  for (const auto& [file, text] : secrets_)
    take(decode_file(file, text, Owner::Repository, &files));
  return all;
}

std::vector<Diagnostic> Overlay::unused(
    const std::set<std::size_t>& used,
    const std::vector<std::shared_ptr<const Resource>>& resources) const {
  std::vector<Diagnostic> diagnostics;
  for (std::size_t i = 0; i < patches_.size(); ++i) {
    if (used.contains(i)) continue;
    const Patch& patch = patches_[i];
    std::vector<std::string> names;
    for (const auto& resource : resources)
      if (resource->kind->name == patch.kind) names.push_back(resource->name);
    const Node& where = patch.document.locate("metadata.name");
    Decoder(files_[where.mark.origin - 1], nullptr, diagnostics)
        .error(Code::PatchUnmatched, where.mark,
               fmt::format("there is no {} {} that this could change", patch.kind,
                           in_quotes(patch.name)),
               did_you_mean(patch.name, names,
                            fmt::format("`{}: add` beside `kind` brings a resource that only this "
                                        "overlay has",
                                        kDirective)));
  }
  return diagnostics;
}

}  // namespace headgate::schema
