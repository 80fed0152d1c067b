// SPDX-License-Identifier: MIT
// The appliance image: what its updater and the edge have to do with each other.
#include <fmt/format.h>

#include "appliance/cli/run/appliance.h"
#include "reconciler/loop/guards.h"

namespace headgate::cli {

/// Why commits wait, too: an operator said so, or no change window is open.
std::string Appliance::must_wait(const schema::Model& live) const {
  if (const auto until = reconciler_->suspended_until())
    return "waits until " + format_timestamp(*until) + ", by `headgate suspend`";
  if (const auto opens = reconciler::next_window(live, base::wall_now()))
    return "waits for the window that opens at " + format_timestamp(*opens);
  return "";
}

Status Appliance::open_updater() {
  if (settings_.updater.folder.empty()) return {};
  reconciler::UpdaterOptions options;
  options.folder = settings_.updater.folder;
  options.state = settings_.state;
  options.releases = settings_.updater.releases;
  options.live = [this]() -> std::shared_ptr<const schema::Model> {
    const auto snapshot = snapshots_.get();
    if (snapshot == nullptr) return nullptr;
    return {snapshot, &snapshot->configuration->model()};
  };
  options.must_wait = [this](const schema::Model& live) { return must_wait(live); };
  options.show = [this](const std::string& type, const std::string& reason,
                        const std::string& message) {
    if (reason.empty())
      reconciler_->clear_condition(type);
    else
      reconciler_->set_condition(type, reconciler::Condition::Value::True, reason, message);
  };
  options.record = [this](const reconciler::Json& event) { reconciler_->record(event); };
  options.log = log_;
  auto opened = reconciler::Updater::open(std::move(options), disk_);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  updater_ = std::move(*opened);
  return {};
}

admin::Upgrading Appliance::upgrading() {
  admin::Upgrading upgrading;
  if (updater_ == nullptr) return upgrading;
  upgrading.from = [this](const std::string& url, bool urgent) {
    return updater_->upgrade_from(url, urgent);
  };
  upgrading.receive = [this](std::uint64_t offset, std::string_view octets) {
    return updater_->receive(offset, octets);
  };
  upgrading.received = [this](bool urgent) { return updater_->upgrade_received(urgent); };
  upgrading.reset = [this] { return updater_->reset(); };
  return upgrading;
}

}  // namespace headgate::cli
