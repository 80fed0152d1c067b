// SPDX-License-Identifier: MIT
// What `kind: Fleet` of the live configuration lets a commit do at once, and when.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cache/purge/rule.h"
#include "reconciler/source/repository.h"
#include "schema/base/units.h"
#include "schema/diagnostic.h"
#include "schema/model/model.h"

namespace headgate::reconciler {

/// What of a configuration another one no longer has.
struct Pruned {
  std::size_t hosts = 0;
  std::size_t of_hosts = 0;
  std::size_t behaviors = 0;
  std::size_t of_behaviors = 0;
  std::size_t all() const { return hosts + behaviors; }
};

/// Host names of enabled distributions, and behaviors by distribution and path pattern. Threads:
/// pure.
Pruned pruned(const schema::Model& live, const schema::Model& next);

/// How much of what is cached each touches now.
using Estimate =
    std::function<std::vector<cache::Selected>(const std::vector<const schema::Invalidation*>&)>;

/// Why `next` must not follow `live`; empty when it may. Both guards are those of `live`: a commit
/// does not loosen its own. `messages`: of the commits between the two, in which a trailer
/// `Headgate-Prune: N` (host names and behaviors) or `Headgate-Purge: N` (percent) says that so
/// much is meant. Threads: pure but for `estimate`.
std::vector<schema::Diagnostic> check_guards(const schema::Model& live, const schema::Model& next,
                                             const std::vector<CommitMessage>& messages,
                                             const Estimate& estimate);

/// When a window of `live` opens next; none when one is open now, or there are none.
std::optional<Timestamp> next_window(const schema::Model& live, Timestamp now);

/// The last value of a trailer of a commit's message (git-interpret-trailers(1)), or nothing.
std::optional<std::string> find_trailer(const std::string& message, std::string_view name);

}  // namespace headgate::reconciler
