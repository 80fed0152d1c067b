// SPDX-License-Identifier: MIT
// A reconciler that judges commits by requests which a test makes up, on a clock of the test's own.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "reconciler/loop/reconciler.h"
#include "tests/support/scratch.h"

namespace headgate::test {

using namespace headgate::reconciler;

struct GuardedEdge {
  ScratchFolder folder;
  ScratchRepository repository{folder / "site"};
  Disk disk;
  snapshot::SnapshotHolder holder;
  std::array<observe::Tally, observe::kLanes> lanes;
  std::unique_ptr<Reconciler> reconciler;
  base::MonoTime now = base::mono_now();
  std::string said;        ///< to the operator
  ReconcilerOptions more;  ///< what else the next start gets

  /// What was there before is stopped as by SIGTERM.
  void start(std::uint64_t journal_limit = 4U << 20) {
    reconciler.reset();  // gives the state folder back
    ReconcilerOptions options = more;
    options.mono_now = [this] { return now; };
    options.activator.log = [this](const std::string& line) { said += line + "\n"; };
    options.source.urls = {repository.path()};
    options.activator.state = folder / "state";
    options.activator.journal_limit_bytes = journal_limit;
    options.count = [this](std::uint8_t lane) {
      return std::vector<observe::SlotTally>{{"shop", "*", lanes[lane]}};
    };
    auto opened = Reconciler::open(std::move(options), holder, disk);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().context));
    reconciler = std::move(*opened);
    reconciler->resume();
  }

  /// `rollout` is YAML.
  std::string put(const std::string& mark, const std::string& rollout = "") {
    std::string yaml = shop_yaml(mark);
    if (!rollout.empty()) yaml.insert(yaml.find("  origins:"), "  rollout: " + rollout + "\n");
    repository.write("shop.yaml", yaml);
    const std::string commit = repository.commit("mark " + mark);
    reconciler->reconcile(false);
    return commit;
  }

  void count(std::uint64_t generation, std::uint64_t errors, std::uint64_t requests) {
    lanes[generation % observe::kLanes].errors += errors;
    lanes[generation % observe::kLanes].requests += requests;
  }

  /// Two follows one, and fails: it is compared with one.
  std::string suspect() {
    put("one");
    std::string bad = put("two");
    count(2, 500, 500);
    reconciler->guard(now);
    return bad;
  }

  void roll_back() {
    count(2, 20, 20);
    count(1, 0, 20);
    reconciler->guard(now);
  }

  void purge(const std::string& name) {
    schema::Invalidation invalidation;
    invalidation.name = name;
    invalidation.distribution = "shop";
    invalidation.select.paths = {"/x"};
    CHECK(reconciler->invalidator().purge(invalidation).outcome ==
          admin::PurgeReply::Outcome::Created);
  }

  std::string condition(const std::string& type) const {
    const Json status = reconciler->board().status();
    for (const Json& each : status.at("conditions"))
      if (each.at("type") == type) return each.at("reason").get<std::string>();
    return "none";
  }

  std::uint64_t live() const { return holder.get()->generation; }
};

}  // namespace headgate::test
