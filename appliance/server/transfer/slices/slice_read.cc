// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/slices/slice_read.h"

#include <utility>

namespace headgate::server {

base::Ref<cache::Fill> begin_slice(FetchContext context, std::shared_ptr<const SlicedObject> object,
                                   std::uint64_t index, cache::FillLead lead) {
  const base::Ref<cache::Fill> fill = lead.fill();
  const cache::DiskTier* disk = context.store.disk();
  if (disk != nullptr && disk->may_have(cache::SliceKey(*object->whole, index).key())) {
    const auto read =
        std::make_shared<SliceRead>(context, std::move(object), index, std::move(lead));
    SliceRead::start(read);
  } else {
    SliceJob::start(context, std::move(object), index, cache::Body::Keep::All, std::move(lead));
  }
  return fill;
}

SliceRead::SliceRead(FetchContext context, std::shared_ptr<const SlicedObject> object,
                     std::uint64_t index, cache::FillLead lead)
    : context_(context),
      object_(std::move(object)),
      index_(index),
      key_(*object_->whole, index),
      lead_(std::move(lead)) {}

void SliceRead::start(const std::shared_ptr<SliceRead>& read) {
  read->context_.jobs.emplace(read.get(), read);
  read->context_.store.disk()->find(
      read->key_.key(), {}, read->context_.loop,
      [weak = std::weak_ptr<SliceRead>(read)](cache::DiskTier::Found found) {
        if (const auto self = weak.lock()) self->on_answer(found);
      });
}

/// Whoever has the whole may use it: see SliceKey.
void SliceRead::on_answer(const cache::DiskTier::Found& found) {
  if (!lead_.fill()) return;
  const base::Ref<cache::StoredResponse>& slice = found.response;
  const cache::SliceRange range = cache::slice_range(*object_->whole->sliced(), index_);
  if (slice && slice->body() && slice->body()->size() == range.end - range.first) {
    // Only what no rule speaks of goes into memory: rules may be gone by then.
    if (object_->snapshot->purges->check(*slice) == cache::Purged::No)
      context_.store.restore(key_.key(), {}, slice);
    lead_.fill()->respond(slice, true);
    lead_.end();
  } else {
    SliceJob::start(context_, object_, index_, cache::Body::Keep::All, std::move(lead_));
  }
  retire(context_, *this);
}

void SliceRead::cancel() {
  if (!lead_.fill()) return;
  lead_.end();
  retire(context_, *this);
}

}  // namespace headgate::server
