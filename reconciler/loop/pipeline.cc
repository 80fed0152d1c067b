// SPDX-License-Identifier: MIT
// From the tree of a commit to a configuration that may go live: validate, compile, test. Touches
// nothing that runs.
#include "reconciler/loop/pipeline.h"

#include <algorithm>
#include <tuple>

#include "appliance/snapshot/offline/expect.h"
#include "reconciler/trust/policy.h"
#include "reconciler/trust/verifier.h"
#include "schema/codes.h"

namespace headgate::reconciler {
namespace {

using schema::Diagnostic;

void add(std::vector<Diagnostic>& to, std::vector<Diagnostic> more) {
  for (Diagnostic& diagnostic : more) to.push_back(std::move(diagnostic));
}

void sort(std::vector<Diagnostic>& diagnostics) {
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
                   });
}

tl::unexpected<Refusal> refuse(Stage stage, std::vector<Diagnostic> diagnostics) {
  sort(diagnostics);
  return tl::unexpected<Refusal>(Refusal{stage, std::move(diagnostics)});
}

Diagnostic about_signers(Diagnostic::Severity severity, schema::Code code, std::string message,
                         std::string hint) {
  return {schema::kSignersFile, 0, 0, severity, static_cast<int>(code), std::move(message),
          std::move(hint)};
}

/// What of a signers.yaml its fields cannot say.
std::vector<Diagnostic> about_signers(const schema::Signers& signers) {
  const auto policy = Policy::from(signers);
  if (!policy)
    return {about_signers(Diagnostic::Severity::Error, schema::Code::SignersInvalid,
                          policy.error().context, "who signs what follows must be clear")};
  const std::string stricter = policy->stricter_than_signers();
  if (stricter.empty()) return {};
  return {
      about_signers(Diagnostic::Severity::Warning, schema::Code::SignersWeak,
                    fmt::format("{} needs more signers than a change of {} itself", stricter,
                                schema::kSignersFile),
                    fmt::format("add a rule for {} that requires as many", schema::kSignersFile))};
}

}  // namespace

std::string_view name(Stage stage) {
  switch (stage) {
    case Stage::Verify:
      return "verify";
    case Stage::Validate:
      return "validate";
    case Stage::Compile:
      return "compile";
    case Stage::Test:
      return "test";
    case Stage::Guard:
      return "guard";
  }
  return "";
}

std::string_view reason(const Refusal& refusal) {
  switch (refusal.stage) {
    case Stage::Verify:
      return reason_of(refusal.diagnostics.empty()
                           ? schema::Code::CommitMalformed
                           : static_cast<schema::Code>(refusal.diagnostics.front().code));
    case Stage::Validate:
      return "ValidationFailed";
    case Stage::Compile:
      return "CompileFailed";
    case Stage::Test:
      return "ExpectationFailed";
    case Stage::Guard:
      return refusal.diagnostics.empty() || refusal.diagnostics.front().code ==
                                                static_cast<int>(schema::Code::TooMuchPruned)
                 ? "TooMuchPruned"
                 : "TooMuchPurged";
  }
  return "";
}

Staged<Prepared> validate(schema::Loader& loader, const schema::Tree& tree, const Ledger* ledger) {
  LedgerCheck check;
  if (ledger != nullptr)
    check = [ledger](const schema::Model& model) { return ledger->check(model); };
  return validate(loader, tree, check);
}

Staged<Prepared> validate(schema::Loader& loader, const schema::Tree& tree,
                          const LedgerCheck& check) {
  schema::Loaded loaded = loader.load(tree);
  if (check && loaded.model != nullptr) add(loaded.diagnostics, check(*loaded.model));
  if (loaded.model != nullptr && loaded.model->signers != nullptr)
    add(loaded.diagnostics, about_signers(*loaded.model->signers));
  if (loaded.model == nullptr || schema::has_errors(loaded.diagnostics))
    return refuse(Stage::Validate, std::move(loaded.diagnostics));
  Prepared prepared;
  prepared.model = std::move(loaded.model);
  prepared.files = std::move(loaded.files);
  sort(loaded.diagnostics);
  prepared.diagnostics = std::move(loaded.diagnostics);
  return prepared;
}

Staged<Prepared> compile(Prepared prepared, const snapshot::CompileOptions& options,
                         const snapshot::Configuration* previous) {
  snapshot::Compiled compiled = snapshot::compile(prepared.model, options, previous);
  add(prepared.diagnostics, std::move(compiled.diagnostics));
  if (compiled.configuration == nullptr)
    return refuse(Stage::Compile, std::move(prepared.diagnostics));
  sort(prepared.diagnostics);
  prepared.configuration = std::move(compiled.configuration);
  return prepared;
}

Staged<Prepared> test(Prepared prepared) {
  std::vector<Diagnostic> failures = failed_expectations(*prepared.configuration, &prepared.cases);
  if (failures.empty()) return prepared;
  add(failures, std::move(prepared.diagnostics));
  return refuse(Stage::Test, std::move(failures));
}

std::vector<Diagnostic> failed_expectations(const snapshot::Configuration& configuration,
                                            std::size_t* cases) {
  snapshot::ExpectReport report = snapshot::run_expectations(configuration);
  *cases = report.cases;
  std::vector<Diagnostic> diagnostics;
  for (const snapshot::ExpectFailure& failure : report.failures)
    diagnostics.push_back({failure.file, failure.line, 1, Diagnostic::Severity::Error,
                           static_cast<int>(schema::Code::ExpectationFailed),
                           fmt::format("expectation {} fails: {}: {}", failure.expect,
                                       failure.request, failure.message),
                           "`headgate explain` shows the decision step by step"});
  return diagnostics;
}

}  // namespace headgate::reconciler
