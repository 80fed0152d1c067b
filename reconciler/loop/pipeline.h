// SPDX-License-Identifier: MIT
// From the tree of a commit to a configuration that may go live: validate, compile, test. Touches
// nothing that runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/snapshot/configuration.h"
#include "reconciler/state/history.h"
#include "schema/load.h"

namespace headgate::reconciler {

/// Where a commit was refused.
enum class Stage { Verify, Validate, Compile, Test, Guard };
std::string_view name(Stage stage);  ///< "verify", "validate", "compile", "test", "guard"

struct Refusal {
  Stage stage = Stage::Validate;
  std::vector<schema::Diagnostic> diagnostics;  ///< errors and warnings, by file and line
};

/// One word for conditions and events: "ValidationFailed", "MergeSmuggling", …
std::string_view reason(const Refusal& refusal);

template <class T>
using Staged = tl::expected<T, Refusal>;

/// What came through every stage.
struct Prepared {
  std::shared_ptr<const schema::Model> model;
  std::shared_ptr<const snapshot::Configuration> configuration;
  std::vector<std::string> files;               ///< what the model was made of
  std::vector<schema::Diagnostic> diagnostics;  ///< warnings
  std::size_t cases = 0;                        ///< of `kind: Expect`, all passed
};

/// What the ledger says against a model: see Ledger::check.
using LedgerCheck = std::function<std::vector<schema::Diagnostic>(const schema::Model&)>;

/// Loads `tree`. With a ledger, invalidations that come again with other content are refused.
Staged<Prepared> validate(schema::Loader& loader, const schema::Tree& tree, const Ledger* ledger);
/// The same for a ledger that others write: `check` may be empty.
Staged<Prepared> validate(schema::Loader& loader, const schema::Tree& tree,
                          const LedgerCheck& check);

/// What `previous` shares with the model is not compiled again.
Staged<Prepared> compile(Prepared prepared, const snapshot::CompileOptions& options,
                         const snapshot::Configuration* previous);

/// Runs the Expect cases.
Staged<Prepared> test(Prepared prepared);

/// "shop-routing: GET https://…: behavior: expected /api/*, got *" with file and line.
std::vector<schema::Diagnostic> failed_expectations(const snapshot::Configuration& configuration,
                                                    std::size_t* cases);

}  // namespace headgate::reconciler
