// SPDX-License-Identifier: MIT
// A configuration without a daemon: a folder or a commit, through the stages that a running edge
// takes it through.
#include "appliance/cli/offline/configuration.h"

#include <cstdlib>
#include <filesystem>

#include "appliance/cli/command.h"
#include "schema/validate/syntax.h"

namespace headgate::cli {
namespace {

using reconciler::Repository;

std::unique_ptr<schema::Tree> placed(std::unique_ptr<schema::Tree> tree, schema::Layout layout) {
  tree->set_layout(std::move(layout));
  return tree;
}

Result<std::unique_ptr<schema::Tree>> tree_of(const Repository& repository,
                                              const std::string& revision, schema::Layout layout) {
  HG_TRY(const std::string commit, repository.resolve(revision), "finding the revision");
  HG_TRY(auto tree, repository.tree(commit), "reading {}", revision);
  return placed(std::move(tree), std::move(layout));
}

/// Compiling a managed group takes seconds: the user's cache spares the next command that.
std::string pattern_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/headgate/waf";
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.cache/headgate/waf" : "";
}

}  // namespace

void add_layout_flags(CLI::App& command, schema::Layout& layout) {
  add_flag_with_value(command, "--path", layout.path,
                      "The folder of the repository that has the configuration, as source.path of "
                      "the edge says.",
                      "FOLDER");
  add_flag_with_value(command, "--overlay", layout.overlay,
                      "The overlay to lay over it, as source.overlay says.", "NAME");
}

Status check(schema::Layout& layout) {
  if (const std::string expected = schema::kFolderPath.check(layout.path); !expected.empty())
    return fail(Blame::Config, "--path {}: expected {}", layout.path, expected);
  if (const std::string expected = schema::kOverlayName.check(layout.overlay); !expected.empty())
    return fail(Blame::Config, "--overlay {}: expected {}", layout.overlay, expected);
  return {};
}

Result<std::unique_ptr<schema::Tree>> open_tree(const std::string& name,
                                                const std::string& repository,
                                                schema::Layout layout) {
  if (Status good = check(layout); !good) return tl::unexpected<Error>(std::move(good.error()));
  std::error_code error;
  if (std::filesystem::exists(name, error)) {
    HG_TRY(auto tree, reconciler::WorkingTree::open(name), "{}", name);
    return placed(std::move(tree), std::move(layout));
  }
  const auto around = Repository::discover(repository);
  if (!around)
    return fail(
        Blame::Config,
        "{} is no folder, and {} is not in a git repository of which it could be a revision", name,
        repository);
  if (auto tree = tree_of(*around, name, layout)) return tree;
  return fail(Blame::Config, "{} is neither a folder nor a revision of the repository around {}",
              name, repository);
}

Result<std::unique_ptr<schema::Tree>> open_revision(const std::string& repository,
                                                    const std::string& revision,
                                                    schema::Layout layout) {
  if (Status good = check(layout); !good) return tl::unexpected<Error>(std::move(good.error()));
  if (!revision.empty()) {
    HG_TRY(const Repository around, Repository::discover(repository), "--repo");
    return tree_of(around, revision, std::move(layout));
  }
  const auto around = Repository::discover(repository);
  if (around && around->working_folder().empty())
    return tree_of(*around, "HEAD", std::move(layout));
  // The root of the repository is the root of the configuration, wherever in it we stand.
  const std::string root = around ? around->working_folder() : repository;
  HG_TRY(auto tree, reconciler::WorkingTree::open(root), "{}", root);
  return placed(std::move(tree), std::move(layout));
}

Result<reconciler::Staged<reconciler::Prepared>> load_configuration(schema::Loader& loader,
                                                                    const schema::Tree& tree,
                                                                    const std::string& geoip) {
  snapshot::CompileOptions options;
  options.resolve_secrets = false;
  options.waf_patterns = pattern_folder();
  if (!geoip.empty()) {
    HG_TRY(options.geo, guard::GeoDatabase::open(geoip), "--geoip");
  }
  auto staged = reconciler::validate(loader, tree, nullptr);
  if (staged) staged = reconciler::compile(std::move(*staged), options, nullptr);
  return staged;
}

}  // namespace headgate::cli
