// SPDX-License-Identifier: MIT
// What going from one configuration to another would do: the answer of `headgate diff`.
#pragma once

#include <string>
#include <vector>

#include "reconciler/plan/compare.h"
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

/// An invalidation that the second configuration has and the first has not.
struct Purge {
  std::string id;
  std::string distribution;
  std::vector<std::string> paths;
  std::string mode;  ///< revalidate, delete
};

struct Plan {
  std::vector<ResourceChange>
      resources;  ///< by the distribution that uses them, then kind and name; shared ones last
  std::vector<Purge> purges;
  std::vector<std::string> forgotten;   ///< ids of invalidations whose file goes; nothing is undone
  std::vector<std::string> mismatched;  ///< ids that come again with other content: an edge that
                                        ///< knows them refuses the commit

  bool empty() const {
    return resources.empty() && purges.empty() && forgotten.empty() && mismatched.empty();
  }
  std::size_t count(ResourceChange::Action action) const;
};

/// Threads: pure.
Plan make_plan(const schema::Model& before, const schema::Model& after);

/// For machines: `{"summary": {"add": 1, …}, "distributions": {"shop": […]}, "shared": […],
/// "invalidations": […]}`.
Json to_json(const Plan& plan);
/// For people, ending in "Plan: 1 to add, 2 to change, 0 to remove; 1 invalidation".
std::string to_text(const Plan& plan, bool colour);

}  // namespace headgate::reconciler
