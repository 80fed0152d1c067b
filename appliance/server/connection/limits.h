// SPDX-License-Identifier: MIT
// The limits of `kind: Edge` as libh2o's settings.
#pragma once

#include "appliance/server/h2o.h"
#include "schema/model/edge_limits.h"

namespace headgate::server {

/// Sets them in `h2o`, whose contexts belong to workers: what a client exceeds is counted there.
void configure_limits(h2o_globalconf_t& h2o, const schema::EdgeLimits& limits);

}  // namespace headgate::server
