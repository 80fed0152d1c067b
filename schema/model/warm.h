// SPDX-License-Identifier: MIT
// Requests that an edge makes itself, so that viewers find what they ask for in its cache.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/units.h"

namespace headgate::schema {

/// `kind: WarmList`: what is asked for, when and how fast. What is found in more than one place is
/// asked for once.
struct WarmList {
  enum class Trigger {
    Boot,        ///< the edge begins to serve
    Activation,  ///< a commit brings or changes the list, or what its distribution caches
    Purge,       ///< objects of the distribution become invalid
  };
  std::string name;
  std::string distribution;
  std::string host;                  ///< the Host of the requests; empty: the first alias
  std::vector<std::string> paths;    ///< with their query
  std::string sitemap;               ///< path on the distribution; empty: none
  std::string manifest;              ///< path on the distribution; empty: none
  std::string manifest_file;         ///< path in the repository; empty: none
  std::vector<std::string> entries;  ///< what that file lists
  std::vector<std::pair<std::string, std::string>> headers;  ///< of each request
  int concurrency = 4;                                       ///< requests at a time, 1–64
  int rate = 10;  ///< requests a second, at most; 1–10000
  std::vector<Trigger> on = {Trigger::Boot, Trigger::Activation, Trigger::Purge};
  std::optional<Timestamp> not_before;  ///< then it runs, and not before
};

/// `warm` of an invalidation: what is asked for once it is in force.
struct InvalidationWarm {
  std::vector<std::string> paths;
  std::string host;  ///< as of a list
  int concurrency = 4;
  int rate = 10;
};

}  // namespace headgate::schema
