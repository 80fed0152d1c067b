// SPDX-License-Identifier: MIT
// What a configuration may be rid of, by the history of its repository.
#pragma once

#include <string>
#include <vector>

#include "schema/diagnostic.h"
#include "schema/model/model.h"

namespace headgate::cli {

/// A warning for every invalidation whose `ttl` is over at `now`, counted from the commit that
/// added its file, or from its `notBefore`. `what`: the folder or revision that `model` is of, as
/// open_tree has it; without a git repository around it there is no age, and no warning.
/// Errors: git fails.
Result<std::vector<schema::Diagnostic>> expired_invalidations(const schema::Model& model,
                                                              const std::string& what,
                                                              Timestamp now);

}  // namespace headgate::cli
