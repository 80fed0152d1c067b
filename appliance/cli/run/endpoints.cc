// SPDX-License-Identifier: MIT
// What the admin listener asks of a running appliance, and what it answers.
#include <fmt/format.h>

#include <utility>

#include "appliance/cli/client/client.h"
#include "appliance/cli/run/appliance.h"
#include "appliance/cli/run/status.h"

namespace headgate::cli {

admin::Appliance Appliance::endpoints() {
  admin::Appliance endpoints;
  endpoints.readiness = [this] { return readiness(); };
  endpoints.status_json = [this] { return status_json(); };
  endpoints.metrics_text = [this] { return metrics_.text(); };
  endpoints.events = [this](std::uint64_t after, std::size_t max) {
    return reconciler_->board().events(after, max);
  };
  endpoints.recent_requests = [this] { return edge_->recent_requests(); };
  endpoints.reconcile_now = [this] { reconciler_->reconcile_now(); };
  if (receiver_)
    endpoints.review_push = [this](const std::string& push) {
      return receiver_->review(reconciler_->reviewer(), push);
    };
  endpoints.invalidations_json = [this] {
    return reconciler_->invalidator().to_json().dump(-1, ' ', false,
                                                     Json::error_handler_t::replace);
  };
  endpoints.purging.purge = [this](const schema::Invalidation& invalidation) {
    return reconciler_->invalidator().purge(invalidation);
  };
  endpoints.purging.estimate = [this](const schema::Invalidation& invalidation) {
    const cache::Selected selected = reconciler_->invalidator().estimate({&invalidation}).front();
    return admin::PurgeEstimate{selected.responses, selected.bytes};
  };
  endpoints.purging.list = [this](const std::string& distribution) {
    return reconciler_->invalidator().list(distribution);
  };
  endpoints.overriding = overriding();
  endpoints.warming.run = [this](const std::string& list) { return warm(list); };
  endpoints.warming.json = [this] {
    return warmer_->to_json().dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  };
  endpoints.upgrading = upgrading();
  return endpoints;
}

admin::Overriding Appliance::overriding() {
  admin::Overriding overriding;
  overriding.roll_back = [this](std::uint64_t generation,
                                const std::string& reason) -> Result<std::string> {
    HG_TRY(const auto live, reconciler_->roll_back(generation, reason), "not rolled back");
    return fmt::format("generation {} is live: {} again", live.generation,
                       live.commit.substr(0, 7));
  };
  overriding.suspend = [this](Duration how_long, const std::string& reason) -> Result<std::string> {
    HG_TRY(const Timestamp until, reconciler_->suspend(how_long, reason), "not suspended");
    return "no commit goes live until " + format_timestamp(until);
  };
  overriding.resume = [this]() -> Result<std::string> {
    HG_CHECK(reconciler_->resume_following(), "not resumed");
    return std::string("following the repository again");
  };
  return overriding;
}

admin::WarmReply Appliance::warm(const std::string& list) {
  warm::Asked asked = warmer_->ask(list);
  using Outcome = admin::WarmReply::Outcome;
  admin::WarmReply reply;
  reply.outcome = asked.is_unknown        ? Outcome::NoList
                  : asked.problem.empty() ? Outcome::Running
                                          : Outcome::Unavailable;
  reply.runs = std::move(asked.runs);
  reply.problem = std::move(asked.problem);
  return reply;
}

admin::Readiness Appliance::readiness() const {
  admin::Readiness readiness;
  readiness.source_age_seconds = reconciler_->board().source_age_seconds();
  if (draining_.load())
    readiness.reason = "stopping";
  else if (snapshots_.version() == 0)
    readiness.reason = "no configuration has been applied yet";
  readiness.ready = readiness.reason.empty();
  return readiness;
}

std::string Appliance::status_json() const {
  Json json;
  json["version"] = HEADGATE_VERSION;
  json["ready"] = !draining_.load() && reconciler_->board().ready();
  const Json followed = reconciler_->board().status();
  for (const auto& [name, value] : followed.items()) json[name] = value;
  json["listeners"] = listeners_json();
  if (updater_ != nullptr) json["machine"] = updater_->status();
  json["warming"] = warmer_->to_json();
  json["cache"] = cache_json(edge_->cache_stats());
  if (cache_disk_ != nullptr) json["cache"]["disk"] = cache_disk_json(cache_disk_->stats());
  const auto snapshot = snapshots_.get();
  json["traffic"] = traffic_json(metrics_.totals());
  json["origins"] = snapshot != nullptr ? origins_json(*snapshot->configuration) : Json::array();
  json["certificates"] =
      snapshot != nullptr ? certificates_json(*snapshot->configuration) : Json::array();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json Appliance::listeners_json() const {
  return Json{{"http", edge_->http_addresses()}, {"https", edge_->https_addresses()}};
}

}  // namespace headgate::cli
