// SPDX-License-Identifier: MIT
// SIGUSR2: an appliance gives its place to the next process, or goes on when that does not come.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "appliance/cli/run/appliance.h"
#include "appliance/cli/run/service_manager.h"

namespace headgate::cli {
namespace {

/// Of a process whose place another one has taken: long enough for most downloads.
constexpr Duration kRetireLimit = std::chrono::minutes(10);
constexpr Duration kLook = std::chrono::milliseconds(200);

HandedListener release(admin::Server* server, const std::string& asked) {
  if (server == nullptr) return {asked, -1};
  const auto descriptor = server->release();
  return {asked, descriptor ? *descriptor : -1};
}

}  // namespace

/// One process at a time has the state folder, so this one gives it up before the next one starts.
/// Nobody waits for that: whoever asks the admin listener does so in the queue of its socket.
Appliance::Handover Appliance::hand_over(const std::function<bool()>& give_up) {
  const auto failed = [this](const std::string& why) {
    log_("not handed over: " + why);
    return Handover::Failed;
  };
  if (::getpid() == 1)
    return failed("a container ends with its first process; start another container instead");
  Inheritance inheritance;
  auto listeners = edge_->offer();
  if (!listeners) return failed(listeners.error().context);
  inheritance.listeners = std::move(*listeners);
  inheritance.admin = release(admin_.get(), settings_.admin);
  inheritance.health = release(health_.get(), settings_.health);
  if (cache_disk_ != nullptr) cache_disk_->give_up();
  stop_following();

  auto successor = Successor::start(inheritance);
  Status ready = successor ? successor->wait_until_ready(give_up)
                           : Status(tl::unexpected<Error>(std::move(successor.error())));
  for (const server::Listening& one : inheritance.listeners)
    for (const int channel : one.channels) ::close(channel);
  if (ready) {
    for (const int descriptor : {inheritance.admin.descriptor, inheritance.health.descriptor})
      if (descriptor >= 0) ::close(descriptor);
    tell_service_manager(fmt::format("MAINPID={}", successor->pid()));
    log_(fmt::format("process {} serves now; {} finishes what is under way, 10 min at most",
                     successor->pid(), ::getpid()));
    return Handover::Done;
  }
  edge_->withdraw();
  log_("not handed over: " + ready.error().context);
  if (const Status following = follow_again(std::move(inheritance)); !following) {
    log_(following.error().context);
    return Handover::Broken;
  }
  return Handover::Failed;
}

void Appliance::stop_following() {
  admin_.reset();
  health_.reset();
  warmer_->stop();
  updater_.reset();
  reconciler_->stop();
  reconciler_.reset();
  notifier_->stop();  // the next process tells what waits
}

Status Appliance::follow_again(Inheritance inheritance) {
  inherited_.admin = std::move(inheritance.admin);
  inherited_.health = std::move(inheritance.health);
  HG_CHECK(open_reconciler(), "following the repository again");
  // The process that was to follow may have written to it.
  if (cache_disk_ != nullptr)
    cache_disk_is_off("it was given up for a process that did not come to serve");
  follow_with_edge();
  HG_CHECK(open_admin(), "following the repository again");
  warmer_->start();
  reconciler_->start();
  if (updater_ != nullptr) updater_->start();
  return {};
}

void Appliance::retire(const std::function<bool()>& give_up) {
  draining_.store(true);
  edge_->drain();
  Duration left = kRetireLimit;
  while (left > Duration::zero() && !edge_->wait_until_idle(kLook)) {
    left -= kLook;
    if (give_up()) left = std::min(left, kDrainLimit);
  }
}

}  // namespace headgate::cli
