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
#include "schema/files/overlay.h"
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
  std::string overlay_id;
  Overlay overlay;
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
    const auto text = read_configuration(index.tree(), entry, file.decoded.diagnostics);
    if (!text) {
      file.id.clear();  // not kept: the next load tries again
      return file;
    }
    RepositoryFiles referenced(index);
    file.decoded = decode_file(entry.path, *text, Owner::Repository, &referenced, &overlay);
    file.dependencies = referenced.dependencies();
    return file;
  }

  void read_ignore(const TreeIndex& index, std::vector<Diagnostic>& diagnostics) {
    const Tree::Entry* entry = index.find(index.tree().layout().prefix() + IgnoreRules::kFileName);
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

  /// Every file may be one that it changes.
  void read_overlay(const TreeIndex& index) {
    std::string id = Overlay::id_of(index.tree(), index.tree().layout());
    if (id == overlay_id) return;
    files.clear();
    overlay_id = std::move(id);
    overlay = Overlay::read(index, index.tree().layout());
  }

  void forget_unused() {
    for (auto it = files.begin(); it != files.end();)
      it = it->second.used == load ? std::next(it) : files.erase(it);
  }
};

Loader::Loader() : cache_(std::make_unique<Cache>()) {}
Loader::~Loader() = default;

/// What is made of one tree.
struct Loader::Run {
  Run(Cache& the_cache, const Tree& the_tree, Loaded& the_out)
      : cache(the_cache), tree(the_tree), out(the_out) {}

  Cache& cache;
  const Tree& tree;
  Loaded& out;
  const TreeIndex index{tree};
  const std::string prefix = tree.layout().prefix();
  std::vector<std::shared_ptr<const Resource>> resources;
  std::set<std::string> files;
  std::set<std::size_t> patches;  ///< of the overlay, that were used
  bool is_there = prefix.empty();

  /// Whether the entry belongs to the configuration, and is not ignored.
  bool concerns(const Tree::Entry& entry) const {
    if (!entry.path.starts_with(prefix)) return entry.path == kSignersFile;
    const std::string_view path = std::string_view(entry.path).substr(prefix.size());
    if (entry.kind == Tree::Entry::Kind::Submodule)  // a folder, for .headgateignore
      return !is_hidden(path) && !cache.ignore.ignores(std::string(path) + "/any");
    return is_configuration(path) && !cache.ignore.ignores(path);
  }

  void take(const DecodedFile& decoded) {
    resources.insert(resources.end(), decoded.resources.begin(), decoded.resources.end());
    out.diagnostics.insert(out.diagnostics.end(), decoded.diagnostics.begin(),
                           decoded.diagnostics.end());
    patches.insert(decoded.patches.begin(), decoded.patches.end());
  }

  void take(const std::vector<Dependency>& dependencies) {
    for (const Dependency& dependency : dependencies)
      if (!dependency.id.empty()) files.insert(dependency.path);
  }

  void read_files() {
    std::size_t count = 0;
    for (const Tree::Entry& entry : tree.entries()) {
      is_there = is_there || entry.path.starts_with(prefix);
      if (!concerns(entry)) continue;
      if (entry.kind == Tree::Entry::Kind::Submodule) {
        out.diagnostics.push_back(whole_file(entry.path, Code::Submodule,
                                             "this is a submodule: what is in it is not fetched",
                                             kSubmoduleHint));
        continue;
      }
      if (++count > kMaxYamlFiles) {
        out.diagnostics.push_back(
            whole_file(entry.path, Code::TooManyFiles,
                       fmt::format("the repository has more than {} YAML files", kMaxYamlFiles),
                       "name what is not configuration in .headgateignore"));
        break;
      }
      const Cache::File& file = cache.get(entry, index);
      files.insert(entry.path);
      take(file.dependencies);
      take(file.decoded);
    }
  }

  void read_additions() {
    const Overlay& overlay = cache.overlay;
    files.insert(overlay.files().begin(), overlay.files().end());
    const auto& problems = overlay.diagnostics();
    out.diagnostics.insert(out.diagnostics.end(), problems.begin(), problems.end());
    RepositoryFiles referenced(index);
    const std::vector<std::shared_ptr<const Resource>> patched = resources;
    take(overlay.additions(referenced));
    take(referenced.dependencies());
    // What could not be read may be what a patch is for.
    if (!has_errors(out.diagnostics))
      for (Diagnostic& unused : overlay.unused(patches, patched))
        out.diagnostics.push_back(std::move(unused));
  }
};

Loaded Loader::load(const Tree& tree) {
  Loaded out;
  ++cache_->load;
  Run run(*cache_, tree, out);
  cache_->read_ignore(run.index, out.diagnostics);
  cache_->read_overlay(run.index);
  const std::string ignore_file = run.prefix + IgnoreRules::kFileName;
  if (run.index.find(ignore_file) != nullptr) run.files.insert(ignore_file);
  run.read_files();
  if (!run.is_there)
    out.diagnostics.push_back(whole_file(tree.layout().path, Code::FolderMissing,
                                         "the repository has no such folder",
                                         "it is named by source.path, or --path"));
  run.read_additions();
  cache_->forget_unused();
  auto model = std::make_shared<Model>();
  model->layout = tree.layout();
  link(run.resources, *model, out.diagnostics);
  sort(out.diagnostics);
  out.files.assign(run.files.begin(), run.files.end());
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
