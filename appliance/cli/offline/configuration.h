// SPDX-License-Identifier: MIT
// A configuration without a daemon: a folder or a commit, through the stages that a running edge
// takes it through.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "reconciler/loop/pipeline.h"
#include "reconciler/source/repository.h"
#include "reconciler/source/working_tree.h"

namespace headgate::cli {

/// --path and --overlay, which say what source.path and source.overlay of an edge say.
void add_layout_flags(CLI::App& command, schema::Layout& layout);
/// Errors: Blame::Config with the flag.
Status check(schema::Layout& layout);

/// The files of what `name` names: a folder as it is on disk, or a revision of the repository
/// around `repository`. An existing folder wins. Errors: Blame::Config when it is neither.
Result<std::unique_ptr<schema::Tree>> open_tree(const std::string& name,
                                                const std::string& repository,
                                                schema::Layout layout);

/// The files of a revision, or of the working folder when `revision` is empty (of HEAD in a bare
/// repository).
Result<std::unique_ptr<schema::Tree>> open_revision(const std::string& repository,
                                                    const std::string& revision,
                                                    schema::Layout layout);

/// Validates and compiles; secrets and private keys are not read. `geoip`: file of a country
/// database, or empty. Errors (outer): the tree or the database cannot be read. Errors (inner):
/// what is wrong with the configuration.
Result<reconciler::Staged<reconciler::Prepared>> load_configuration(schema::Loader& loader,
                                                                    const schema::Tree& tree,
                                                                    const std::string& geoip);

}  // namespace headgate::cli
