// SPDX-License-Identifier: MIT
// Loads trees: decodes what changed, links everything.
#include "schema/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

#include "schema/files/document.h"
#include "schema/files/ignore.h"
#include "schema/files/repository_files.h"
#include "schema/text.h"
#include "schema/yaml/reader.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxYamlFiles = 100'000;

void sort(std::vector<Diagnostic>& diagnostics) {
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::tie(a.file, a.line, a.column, a.code) <
                            std::tie(b.file, b.line, b.column, b.code);
                   });
}

Diagnostic whole_file(const std::string& path, Code code, std::string message,
                      std::string hint = {}) {
  std::vector<Diagnostic> out;
  Decoder(path, nullptr, out).error(code, {}, std::move(message), std::move(hint));
  return std::move(out.front());
}

}  // namespace

struct Loader::Cache {
  struct File {
    std::string id;
    std::vector<Dependency> dependencies;
    DecodedFile decoded;
    std::uint64_t used = 0;  ///< number of the last load that needed it
  };
  std::unordered_map<std::string, File> files;
  std::string ignore_id;
  IgnoreRules ignore;
  std::uint64_t load = 0;

  bool is_current(const File& file, const Tree::Entry& entry, const TreeIndex& index) const {
    if (file.id != entry.id) return false;
    return std::all_of(
        file.dependencies.begin(), file.dependencies.end(), [&](const Dependency& dependency) {
          const Tree::Entry* now = index.find(dependency.path);
          return (now == nullptr ? std::string_view() : std::string_view(now->id)) == dependency.id;
        });
  }

  const File& get(const Tree::Entry& entry, const TreeIndex& index) {
    File& file = files[entry.path];
    bool known = file.used != 0 && is_current(file, entry, index);
    file.used = load;
    if (known) return file;
    file.id = entry.id;
    file.dependencies.clear();
    file.decoded = {};
    if (entry.size > kMaxFileOctets) {
      file.decoded.diagnostics.push_back(whole_file(
          entry.path, Code::FileTooLarge,
          fmt::format("the file has {} octets, at most {} are read", entry.size, kMaxFileOctets),
          "split it: any file may hold resources"));
      return file;
    }
    Result<std::string> text = index.tree().read(entry);
    if (!text) {
      // Not kept: the next load tries again.
      file.id.clear();
      file.decoded.diagnostics.push_back(
          whole_file(entry.path, Code::Unreadable,
                     fmt::format("the file cannot be read: {}", text.error().context)));
      return file;
    }
    RepositoryFiles referenced(index, entry.path);
    file.decoded = decode_file(entry.path, *text, Owner::Repository, &referenced);
    file.dependencies = referenced.dependencies();
    return file;
  }

  void read_ignore(const TreeIndex& index, std::vector<Diagnostic>& diagnostics) {
    const Tree::Entry* entry = index.find(IgnoreRules::kFileName);
    if (entry == nullptr) {
      ignore_id.clear();
      ignore = {};
      return;
    }
    if (entry->id == ignore_id) return;
    Result<std::string> text =
        entry->size > kMaxFileOctets
            ? Result<std::string>(fail(Blame::Config, "it has {} octets", entry->size))
            : index.tree().read(*entry);
    if (!text) {
      diagnostics.push_back(
          whole_file(entry->path, Code::Unreadable,
                     fmt::format("the file cannot be read: {}", text.error().context)));
      return;
    }
    ignore_id = entry->id;
    ignore = IgnoreRules(*text);
  }

  void forget_unused() {
    for (auto it = files.begin(); it != files.end();)
      it = it->second.used == load ? std::next(it) : files.erase(it);
  }
};

Loader::Loader() : cache_(std::make_unique<Cache>()) {}
Loader::~Loader() = default;

Loaded Loader::load(const Tree& tree) {
  Loaded out;
  ++cache_->load;
  TreeIndex index(tree);
  cache_->read_ignore(index, out.diagnostics);
  std::vector<std::shared_ptr<const Resource>> resources;
  std::set<std::string> files;
  if (index.find(IgnoreRules::kFileName) != nullptr) files.insert(IgnoreRules::kFileName);
  std::size_t count = 0;
  for (const Tree::Entry& entry : tree.entries()) {
    if (!is_configuration(entry.path) || cache_->ignore.ignores(entry.path)) continue;
    if (++count > kMaxYamlFiles) {
      out.diagnostics.push_back(
          whole_file(entry.path, Code::TooManyFiles,
                     fmt::format("the repository has more than {} YAML files", kMaxYamlFiles),
                     "name what is not configuration in .headgateignore"));
      break;
    }
    const Cache::File& file = cache_->get(entry, index);
    files.insert(entry.path);
    for (const Dependency& dependency : file.dependencies)
      if (!dependency.id.empty()) files.insert(dependency.path);
    resources.insert(resources.end(), file.decoded.resources.begin(), file.decoded.resources.end());
    out.diagnostics.insert(out.diagnostics.end(), file.decoded.diagnostics.begin(),
                           file.decoded.diagnostics.end());
  }
  cache_->forget_unused();
  auto model = std::make_shared<Model>();
  link(resources, *model, out.diagnostics);
  sort(out.diagnostics);
  out.files.assign(files.begin(), files.end());
  if (!has_errors(out.diagnostics)) out.model = std::move(model);
  return out;
}

LoadedEdge load_edge(const std::string& path, std::string_view text) {
  LoadedEdge out;
  DecodedFile file = decode_file(path, text, Owner::Machine, nullptr);
  out.diagnostics = std::move(file.diagnostics);
  for (std::size_t i = 1; i < file.resources.size(); ++i)
    Decoder(path, nullptr, out.diagnostics)
        .error(Code::DuplicateResource, file.resources[i]->document.mark,
               "there already is an Edge", "the machine has one");
  sort(out.diagnostics);
  if (!has_errors(out.diagnostics) && !file.resources.empty())
    out.edge = std::get<std::shared_ptr<const Edge>>(file.resources[0]->value);
  return out;
}

}  // namespace headgate::schema
