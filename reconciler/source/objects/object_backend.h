// SPDX-License-Identifier: MIT
// Makes libgit2 read objects by an ObjectReader.
#pragma once

#include <memory>

#include "reconciler/source/objects/object_reader.h"

struct git_repository;

namespace headgate::reconciler {

/// From now on, `repository` has the objects of `reader` and no others; libgit2 holds what it reads
/// against the ids. Errors: Blame::Self.
Status read_objects_by(std::shared_ptr<ObjectReader> reader, git_repository* repository);

}  // namespace headgate::reconciler
