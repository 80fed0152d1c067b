// SPDX-License-Identifier: MIT
// Which warm lists are to run because of what has changed.
#pragma once

#include <string>

#include "appliance/snapshot/configuration.h"

namespace headgate::warm {

/// Whether two lists ask for the same, however their files are written.
bool is_same(const schema::WarmList& before, const schema::WarmList& now);

/// Whether what `distribution` caches, and under which keys, may differ between the two.
bool caches_differently(const schema::Model& before, const schema::Model& now,
                        const std::string& distribution);

bool runs_on(const schema::WarmList& list, schema::WarmList::Trigger trigger);

}  // namespace headgate::warm
