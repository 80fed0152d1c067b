// SPDX-License-Identifier: MIT
// Answers from the cache's disk. Who leads a fill reads it there first, for all who follow. See
// exchange.h.
#include <memory>
#include <utility>

#include "appliance/server/exchange/exchange.h"
#include "appliance/server/worker.h"

namespace headgate::server {

using observe::CacheOutcome;

/// Whether the disk may have it: then it is asked, and `on_disk_answer` goes on.
bool Exchange::ask_disk(cache::FillLead& lead) {
  cache::DiskTier* disk = worker_.commons().store.disk();
  if (disk == nullptr || asked_disk_ || !disk->may_have(decision_.key)) return false;
  asked_disk_ = true;
  reading_ = std::make_shared<cache::FillLead>(std::move(lead));
  const std::weak_ptr<cache::FillLead> waits = reading_;
  disk->find(decision_.key, vary_fields(), worker_.loop(),
             [this, waits](cache::DiskTier::Found found) {
               if (!waits.expired()) on_disk_answer(std::move(found));
             });
  return true;
}

/// As of anything found, and one thing more: it may be of a time that this ledger does not know.
cache::Purged Exchange::judge_from_disk(const cache::DiskTier::Found& found) const {
  const cache::StoredResponse& response = *found.response;
  const std::uint64_t epoch = pin_->purges->epoch();
  if (response.stamp().epoch > epoch || response.validated_epoch() > epoch ||
      !may_share(*decision_.behavior, response.fields()))
    return cache::Purged::Hard;
  const cache::Purged purged = pin_->purges->check(response);
  const bool changed = found.changed || response.is_changed(worker_.commons().changes);
  return purged == cache::Purged::No && changed ? cache::Purged::Soft : purged;
}

void Exchange::on_disk_answer(cache::DiskTier::Found found) {
  cache::FillLead lead = std::move(*reading_);
  reading_.reset();
  const base::Ref<cache::StoredResponse>& response = found.response;
  if (!response) return start_job(std::move(lead));
  auto& store = worker_.commons().store;
  const cache::Purged purged = judge_from_disk(found);
  if (purged == cache::Purged::Kept) return start_job(std::move(lead));
  if (purged == cache::Purged::Hard) {
    store.disk()->forget(decision_.key, vary_fields(), *response);
    return start_job(std::move(lead));
  }
  if (purged == cache::Purged::No) store.restore(decision_.key, vary_fields(), response);
  const Usable usable = evaluate(*response, purged);
  if (usable == Usable::Fresh) return respond_from_disk(response, std::move(lead));
  stale_ = response;
  purged_ = purged;
  if (usable == Usable::No && !is_pointless_to_wait()) return start_job(std::move(lead));
  // The origin is asked behind the answer when that is due.
  const auto& latch = decision_.behavior->target->members.front().endpoint->latch;
  if (usable == Usable::WhileRevalidate || latch->take_probe(worker_.loop().now())) {
    start_job(std::move(lead));
    waiter_.reset();
  }
  from_disk_ = true;
  respond_stored(stale_, CacheOutcome::StaleHit);
}

void Exchange::respond_from_disk(const base::Ref<cache::StoredResponse>& response,
                                 cache::FillLead lead) {
  lead.fill()->respond(response, true, vary_fields());
  lead.end();
  leads_ = false;
  from_disk_ = true;
  respond_stored(response, CacheOutcome::FreshHit);
}

}  // namespace headgate::server
