// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/slices/slice_job.h"

#include <fmt/format.h>

#include "appliance/cache/tier/disk_tier.h"
#include "appliance/http/conditional.h"

namespace headgate::server {
namespace {

/// Whether the origin has spoken of the resource as it is now, which is not as it was.
bool says_gone(int status) {
  return status < 300 || status == 404 || status == 410 || status == 412 || status == 416;
}

/// Fields that must be the same in every part of one version.
bool same_version(http::Fields part, http::Fields whole) {
  for (const std::string_view name : {"etag", "last-modified", "content-encoding"}) {
    const auto here = http::find(part, name);
    // A 206 that answers If-Range may leave out what the client has (RFC 9110 section 15.3.7).
    if (here && here != http::find(whole, name)) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<SliceJob> SliceJob::start(FetchContext context,
                                          std::shared_ptr<const SlicedObject> object,
                                          std::uint64_t index, cache::Body::Keep keep,
                                          cache::FillLead lead) {
  auto job = std::make_shared<SliceJob>(context, std::move(object), index, keep, std::move(lead));
  context.jobs.emplace(job.get(), job);
  context.metrics.origin_request_started();
  job->fetch_->start();
  return job;
}

SliceJob::SliceJob(FetchContext context, std::shared_ptr<const SlicedObject> object,
                   std::uint64_t index, cache::Body::Keep keep, cache::FillLead lead)
    : context_(context),
      object_(std::move(object)),
      key_(*object_->whole, index),
      range_(cache::slice_range(*object_->whole->sliced(), index)),
      keep_(keep),
      lead_(std::move(lead)),
      fill_(lead_.fill()) {
  if (keep_ == cache::Body::Keep::All) {
    incoming_ = cache::Store::Incoming(context_.store);
    incoming_.set(range_.end - range_.first);
  }
  const snapshot::Snapshot& snapshot = *object_->snapshot;
  if (!fill_)
    fill_ =
        base::make_ref<cache::Fill>(key_.key(), cache::Stamp{.epoch = snapshot.purges->epoch(),
                                                             .generation = snapshot.generation,
                                                             .changes = context_.changes.count()});
  snapshot::OriginRequestDraft draft = object_->draft;
  draft.fields.emplace_back("range", fmt::format("bytes={}-{}", range_.first, range_.end - 1));
  if (const auto validator = http::strong_validator(object_->whole->fields()))
    draft.fields.emplace_back("if-range", *validator);
  std::string method = draft.method;
  fetch_ = std::make_unique<origin::Fetch>(
      context_.origins, context_.loop, object_->behavior->target, std::move(method),
      [draft = std::move(draft)](const origin::Group::Member& member) {
        return snapshot::address(draft, member);
      },
      *this);
}

SliceJob::Verdict SliceJob::judge(const origin::ResponseHead& head) const {
  if (head.status != 206) return says_gone(head.status) ? Verdict::Outdated : Verdict::Refused;
  const auto part =
      http::parse_content_range(http::find(head.fields, "content-range").value_or(""));
  // Anything but the octets that were asked for is of no use, whatever it is.
  if (!part || part->range.first != range_.first || part->range.last + 1 != range_.end)
    return Verdict::Refused;
  if (head.content_length.value_or(range_.end - range_.first) != range_.end - range_.first)
    return Verdict::Refused;
  const std::uint64_t length = object_->whole->sliced()->length;
  const bool same = (part->complete == 0 || part->complete == length) &&
                    same_version(head.fields, object_->whole->fields());
  return same ? Verdict::Same : Verdict::Outdated;
}

void SliceJob::on_head(const origin::ResponseHead& head) {
  if (ended_) return;
  switch (judge(head)) {
    case Verdict::Refused:
      return give_up({.status = 502,
                      .proxy_error = "http_protocol_error",
                      .details = fmt::format("the origin answered {} to a request for octets "
                                             "{}-{}",
                                             head.status, range_.first, range_.end - 1)});
    case Verdict::Outdated:
      // The very same, but all of it: this origin announces ranges and serves none.
      if (head.status == 200 &&
          http::strong_validator(head.fields) == http::strong_validator(object_->whole->fields()))
        context_.fills.mark_unsliceable(object_->whole_key(), context_.loop.now());
      context_.store.remove_sliced(object_->whole_key(), object_->whole->sliced()->id);
      return give_up({.status = 502,
                      .proxy_error = "http_response_incomplete",
                      .details = "the origin has another version of what is stored in part",
                      .outdated = true});
    case Verdict::Same:
      break;
  }
  body_ = base::make_ref<cache::Body>(keep_, range_.end - range_.first);
  response_ = cache::StoredResponse::slice(*object_->whole, key_.key(), body_, fill_->stamp(),
                                           context_.loop.now(), context_.loop.wall_now());
  body_->set_producer(context_.loop, [this](bool abandoned) {
    if (abandoned) {
      cancel();
    } else if (!ended_) {
      fetch_->resume();
    }
  });
  fill_->respond(response_, keep_ == cache::Body::Keep::All);
}

bool SliceJob::on_octets(std::string_view octets) {
  if (ended_ || !body_) return false;
  if (body_->size() + octets.size() > range_.end - range_.first) {
    cancel();
    return false;
  }
  return body_->append(octets) && !ended_;
}

void SliceJob::on_complete() {
  if (ended_) return;
  if (!body_ || body_->size() != range_.end - range_.first) return cancel();
  body_->finish();
  incoming_ = {};  // what is stored counts as resident
  if (body_->storable()) {
    // Who asks for the whole a second time asks for all of its slices: memory may not keep them.
    // Before it is stored: what is stored is a copy with the claim that this makes.
    if (object_->whole->disk_claimed() && context_.store.disk() != nullptr)
      context_.store.disk()->offer(key_.key(), {}, response_);
    context_.store.insert(key_.key(), {}, response_);
  }
  end(false);
}

void SliceJob::on_failure(origin::Failure failure, std::string_view details) {
  if (ended_) return;
  if (!body_)
    return give_up({.status = origin::status_of(failure),
                    .proxy_error = std::string(origin::proxy_error(failure)),
                    .details = std::string(details)});
  body_->fail();
  end(true);
}

void SliceJob::give_up(cache::FillFailure failure) {
  fill_->fail(std::move(failure));
  end(true);
}

void SliceJob::cancel() {
  if (ended_) return;
  if (body_)
    body_->fail();
  else
    fill_->abandon();
  end(true);
}

void SliceJob::end(bool failed) {
  ended_ = true;
  if (body_) body_->detach_producer();
  context_.metrics.origin_request_ended(failed);
  lead_.end();
  incoming_ = {};
  retire(context_, *this);
}

}  // namespace headgate::server
