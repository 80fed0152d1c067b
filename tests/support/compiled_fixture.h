// SPDX-License-Identifier: MIT
// From YAML in a test to a compiled configuration and to decisions under it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "appliance/snapshot/configuration.h"
#include "appliance/snapshot/decide.h"
#include "appliance/snapshot/offline/offline_request.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace headgate::test {

inline std::shared_ptr<const schema::Model> load(const std::string& yaml) {
  schema::MemoryTree tree({{"repository.yaml", yaml}});
  schema::Loader loader;
  auto loaded = loader.load(tree);
  for (const auto& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == schema::Diagnostic::Severity::Error) FAIL(diagnostic.text());
  REQUIRE(loaded.model != nullptr);
  return loaded.model;
}

inline std::shared_ptr<const snapshot::Configuration> compile(const std::string& yaml) {
  auto compiled = snapshot::compile(load(yaml), {}, nullptr);
  for (const auto& diagnostic : compiled.diagnostics) FAIL(diagnostic.text());
  REQUIRE(compiled.configuration != nullptr);
  return compiled.configuration;
}

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request and what was decided of it, with everything that the decision points at.
struct Decided {
  Decided(std::shared_ptr<const snapshot::Configuration> configuration_, const std::string& method,
          const std::string& url, const Headers& headers = {}, const std::string& country = "")
      : configuration(std::move(configuration_)) {
    auto made = snapshot::OfflineRequest::make(method, url, headers, country, "192.0.2.7", nullptr);
    if (!made) FAIL(made.error().context);
    request = std::move(*made);
    facts = request.facts();
    decision = snapshot::decide(*configuration, facts, memory);
  }

  std::shared_ptr<const snapshot::Configuration> configuration;
  snapshot::OfflineRequest request;
  std::pmr::monotonic_buffer_resource memory;
  snapshot::RequestFacts facts;
  snapshot::Decision decision;
};

}  // namespace headgate::test
