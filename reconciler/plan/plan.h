// SPDX-License-Identifier: MIT
// What going from one configuration to another would do: the answer of `headgate diff`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cache/purge/rule.h"
#include "reconciler/plan/compare.h"
#include "schema/diagnostic.h"
#include "schema/model/model.h"

namespace headgate::reconciler {

struct ResourceChange {
  enum class Action { Add, Change, Remove };
  Action action = Action::Change;
  std::string kind;
  std::string name;
  std::vector<std::string> used_by;  ///< distributions; for a Distribution: itself
  std::vector<FieldChange> fields;   ///< of a Change
  Json resource;                     ///< of an Add or Remove: what is not default
};

/// A host name that another distribution answers for afterwards, or none.
struct HostChange {
  std::string host;    ///< as in aliases; may have a wildcard
  std::string before;  ///< the distribution; empty: none
  std::string after;
};

/// An invalidation that the second configuration has and the first has not.
struct Purge {
  std::string id;
  std::string distribution;
  std::vector<std::string> paths;
  std::string mode;  ///< revalidate, delete
  std::shared_ptr<const schema::Invalidation> invalidation;
  std::optional<cache::Selected> touches;  ///< of what an edge has cached; none: nobody was asked
};

struct Plan {
  std::vector<ResourceChange>
      resources;  ///< by the distribution that uses them, then kind and name; shared ones last
  std::vector<HostChange> hosts;  ///< of distributions that are enabled
  std::vector<Purge> purges;
  std::vector<schema::Diagnostic> warnings;  ///< that the first configuration has not
  std::vector<std::string> forgotten;   ///< ids of invalidations whose file goes; nothing is undone
  std::vector<std::string> mismatched;  ///< ids that come again with other content: an edge that
                                        ///< knows them refuses the commit

  bool empty() const {
    return resources.empty() && purges.empty() && forgotten.empty() && mismatched.empty();
  }
  std::size_t count(ResourceChange::Action action) const;
  /// What all purges touch together; none when nobody was asked.
  std::optional<cache::Selected> touches() const;
};

/// Without warnings, and without what purges touch. Threads: pure.
Plan make_plan(const schema::Model& before, const schema::Model& after);
/// The warnings of `after` that are not in `before`, wherever they stand.
std::vector<schema::Diagnostic> new_warnings(const std::vector<schema::Diagnostic>& before,
                                             const std::vector<schema::Diagnostic>& after);

/// For machines: `{"summary": {"add": 1, …}, "distributions": {"shop": […]}, "shared": […],
/// "invalidations": […]}`.
Json to_json(const Plan& plan);
/// For people, ending in "Plan: 1 to add, 2 to change, 0 to remove; 1 invalidation".
std::string to_text(const Plan& plan, bool colour);

}  // namespace headgate::reconciler
