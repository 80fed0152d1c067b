// SPDX-License-Identifier: MIT
// Answers from a response that is stored in slices: its first slice is there before the head is
// sent, so that what cannot be had is an error and not a broken download. See exchange.h.
#include "appliance/server/exchange/exchange.h"
#include "appliance/server/worker.h"

namespace headgate::server {

/// The octets with which the answer begins; nothing when it has none.
std::optional<http::ByteRange> Exchange::first_octets(const cache::StoredResponse& response) const {
  const std::uint64_t length = response.sliced()->length;
  const http::ByteRange whole{.first = 0, .last = length - 1};
  if (head_only_ || length == 0) return std::nullopt;
  if (stand_in_) return whole;
  if (http::is_not_modified(facts_.fields, response.fields())) return std::nullopt;
  http::ByteRanges ranges;
  switch (http::evaluate_range(facts_.fields, response.fields(), length, ranges)) {
    case http::RangeVerdict::Ignore:
      return whole;
    case http::RangeVerdict::Unsatisfiable:
      return std::nullopt;
    case http::RangeVerdict::Satisfiable:
      return ranges.parts[0];
  }
  return whole;
}

/// Whether the answer can begin. If not, `respond_stored` is called again when it can.
bool Exchange::open_slices(const base::Ref<cache::StoredResponse>& response,
                           observe::CacheOutcome outcome) {
  if (slices_) return true;
  const auto first = first_octets(*response);
  if (!first) return true;
  served_ = response;
  auto object = std::make_shared<SlicedObject>();
  object->snapshot = pin_.share();
  object->behavior = decision_.behavior;
  object->draft = snapshot::draft_origin_request(decision_, facts_, false, nullptr, memory_);
  object->whole = response;
  object->whole_hash = decision_.key.hash;
  object->whole_text = response->key_text();
  slices_ = std::make_unique<SliceReader>(worker_.fetch_context(), std::move(object));
  slices_->seek(first->first, first->last + 1);
  if (slices_->ready() && !slices_->failure()) {
    note_first_slice(outcome);
    return true;
  }
  slices_->set_on_ready([this, outcome] { on_first_slice(outcome); });
  if (slices_->ready()) on_first_slice(outcome);
  return false;
}

/// Its own fetch, or the one that it has waited for, has just brought the beginning of the whole.
void Exchange::note_first_slice(observe::CacheOutcome outcome) {
  went_for_slice_ = !slices_->was_stored() && outcome == observe::CacheOutcome::FreshHit;
}

void Exchange::on_first_slice(observe::CacheOutcome outcome) {
  if (!slices_->failure()) {
    note_first_slice(outcome);
    return respond_stored(served_, outcome);
  }
  const cache::FillFailure failure = *slices_->failure();
  if (failure.outdated && !started_over_) {
    started_over_ = true;
    forget_what_was_found();
    return look_up();
  }
  slices_.reset();
  respond_error(failure.status, guard::Reason::OriginFailure, memory_.persist(failure.proxy_error),
                memory_.persist(failure.details));
}

}  // namespace headgate::server
