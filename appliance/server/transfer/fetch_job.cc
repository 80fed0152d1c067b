// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/fetch_job.h"

#include <algorithm>
#include <random>

#include "appliance/cache/slice.h"
#include "appliance/guard/reason.h"
#include "appliance/http/conditional.h"
#include "appliance/http/hop_by_hop.h"
#include "appliance/http/vary.h"

namespace headgate::server {
namespace {

/// An error that is not stored is still shared with those who wait, when it is no larger than this:
/// a sick origin is asked once, not a thousand times.
constexpr std::uint64_t kMaxSharedError = 1024 * 1024;
/// How long one of several viewers of what is not stored may hold up the others.
constexpr Duration kPatience = std::chrono::seconds(5);

bool has_validator(http::Fields fields) {
  return http::find(fields, "etag").has_value() || http::find(fields, "last-modified").has_value();
}

/// Whether a 304 with these fields speaks of the stored response: RFC 9111 section 4.3.4.
bool is_about(const cache::StoredResponse& stored, http::Fields not_modified) {
  const auto tag = http::find(not_modified, "etag");
  const auto stored_tag = http::find(stored.fields(), "etag");
  return !tag || !stored_tag || http::matches_weakly(*tag, *stored_tag);
}

}  // namespace

http::TtlPolicy ttl_policy(const snapshot::Distribution& distribution,
                           const snapshot::Behavior& behavior, int status) {
  http::TtlPolicy policy = behavior.cache_policy->ttl;
  if (status < 400) return policy;
  const auto* page = distribution.error_page(status);
  policy.min =
      page != nullptr ? page->caching_min_ttl.value_or(Duration::zero()) : Duration::zero();
  policy.default_ttl = Duration::zero();
  policy.max = std::max(policy.max, policy.min);
  return policy;
}

bool may_share(const snapshot::Behavior& behavior, http::Fields fields) {
  return behavior.cache_policy->source->cache_set_cookie || !http::find(fields, "set-cookie");
}

std::shared_ptr<FetchJob> FetchJob::start(FetchContext context, Plan plan, cache::FillLead lead) {
  auto job = std::make_shared<FetchJob>(context, std::move(plan), std::move(lead));
  context.jobs.emplace(job.get(), job);
  context.metrics.origin_request_started();
  job->fetch_->start();
  return job;
}

FetchJob::FetchJob(FetchContext context, Plan plan, cache::FillLead lead)
    : context_(context),
      snapshot_(std::move(plan.snapshot)),
      distribution_(plan.distribution),
      behavior_(plan.behavior),
      draft_(std::move(plan.draft)),
      key_text_(plan.key.text),
      key_path_(plan.key.path),
      key_host_(plan.key.host),
      key_hash_(plan.key.hash),
      may_store_(plan.may_store),
      outlives_errors_(plan.outlives_errors),
      stale_(std::move(plan.stale)),
      lead_(std::move(lead)),
      upload_(std::move(plan.upload)),
      on_interim_(std::move(plan.on_interim)),
      patience_(context.loop.timers(),
                [this] {
                  body_->leave_slow_readers_behind();
                  // Nobody was, when all were as slow: whoever catches up must not wait for ever.
                  patience_.schedule_after(kPatience);
                }),
      requested_at_(context.loop.now()),
      gate_(make_gate(std::move(plan.inspection))),
      fetch_(make_fetch()) {
  fill_ = lead_.fill();
  if (!fill_)
    fill_ = base::make_ref<cache::Fill>(key(), cache::Stamp{.epoch = snapshot_->purges->epoch(),
                                                            .generation = snapshot_->generation,
                                                            .changes = context_.changes.count()});
  if (may_store_) fetching_ = cache::FillTable::Fetching(context_.fills, fill_->stamp());
  if (may_store_) viewer_fields_ = http::FieldBlock(plan.viewer_fields);
  has_authorization_ =
      std::any_of(draft_.fields.begin(), draft_.fields.end(),
                  [](const auto& field) { return field.first == "authorization"; });
}

std::unique_ptr<ResponseGate> FetchJob::make_gate(
    std::unique_ptr<const guard::waf::ResponseInspection> inspection) {
  if (inspection == nullptr) return nullptr;
  return std::make_unique<ResponseGate>(
      *this, std::move(inspection), context_.held_bodies,
      [this](int status, const guard::waf::ResponseVerdict& verdict) {
        on_judged(status, verdict);
      });
}

std::unique_ptr<origin::Fetch> FetchJob::make_fetch() {
  if (gate_) gate_->restart();
  return std::make_unique<origin::Fetch>(
      context_.origins, context_.loop, behavior_->target, draft_.method,
      [this](const origin::Group::Member& member) {
        origin::Request request = snapshot::address(draft_, member);
        request.body = upload_;
        return request;
      },
      gate_ ? static_cast<origin::Sink&>(*gate_) : *this);
}

cache::Key FetchJob::key() const {
  return {key_hash_, key_text_, distribution_->name,
          key_path_, key_host_, behavior_->pattern.text()};
}

std::string_view FetchJob::origin_id() const {
  const auto attempted = fetch_->attempted();
  return attempted.member == nullptr ? std::string_view()
                                     : distribution_->origins[attempted.member->index].id;
}

std::vector<http::Field> FetchJob::end_to_end_fields(const origin::ResponseHead& head) {
  const http::HopByHop hop_by_hop(head.fields);
  std::vector<http::Field> fields;
  fields.reserve(head.fields.size() + 2);
  bool has_date = false;
  for (const auto& field : head.fields) {
    if (field.name == "age" || hop_by_hop.drops(field.name)) continue;
    has_date = has_date || field.name == "date";
    fields.push_back(field);
  }
  if (!has_date) {  // RFC 9110 section 6.6.1: a recipient with a clock adds one
    http::format_http_date(context_.loop.wall_now(), date_);
    fields.push_back({"date", {date_, sizeof date_}});
  }
  // RFC 9110 section 7.6.3: by the protocol in which it came to us.
  fields.push_back({"via", head.http2 ? "2 headgate" : "1.1 headgate"});
  return fields;
}

void FetchJob::on_interim(int status, http::Fields fields) {
  if (ended_ || !on_interim_) return;
  const http::HopByHop hop_by_hop(fields);
  std::vector<http::Field> kept;
  std::copy_if(fields.begin(), fields.end(), std::back_inserter(kept),
               [&](const http::Field& field) { return !hop_by_hop.drops(field.name); });
  on_interim_(status, kept);
}

/// What is refused is fetched no further, shared with nobody, and stored nowhere.
void FetchJob::on_judged(int status, const guard::waf::ResponseVerdict& verdict) {
  if (ended_) return;
  matched_rules_ = verdict.matched;
  if (verdict.refused_by == nullptr) return;
  origin_status_ = status;
  fill_->fail({.status = verdict.refused_by->action.status.value_or(403),
               .proxy_error = std::string(guard::proxy_error(guard::Reason::Waf)),
               .details = verdict.matched,
               .refused_by = verdict.refused_by->name,
               .was_5xx = status >= 500});
  end(false);
}

void FetchJob::on_head(const origin::ResponseHead& head) {
  if (ended_ || asking_again_) return;
  origin_status_ = head.status;
  if (stale_ && head.status == 304)
    return is_about(*stale_, head.fields) ? on_not_modified(head) : ask_unconditionally();

  const auto now = context_.loop.now();
  const auto wall = context_.loop.wall_now();
  auto fields = end_to_end_fields(head);
  // Accept-Encoding is not in the key, so the response has to say that the origin went by it.
  if (!behavior_->codings.empty() && compress::is_encoded(fields))
    fields.push_back({"vary", "accept-encoding"});
  const bool small_error = head.status >= 500 && head.content_length.value_or(0) <= kMaxSharedError;
  body_ = base::make_ref<cache::Body>(
      may_store_ ? cache::Body::Keep::All : cache::Body::Keep::Window, head.content_length);
  response_ = cache::StoredResponse::make(
      key(), head.status, fields, body_, fill_->stamp(), requested_at_, now, wall,
      http::initial_age(head.fields, wall, now - requested_at_));
  stores_ = may_store_ && decide_storing(*response_, head);
  if (stores_ && goes_in_slices(head)) return begin_slices(*head.content_length);
  stores_ = stores_ && head.content_length.value_or(0) <= context_.store.max_object_bytes();
  if (stores_) begin_encoding(head.content_length);
  const bool shared =
      stores_ || (may_store_ && small_error && may_share(*behavior_, response_->fields()));
  if (shared) {
    incoming_ = cache::Store::Incoming(context_.store);
    incoming_.set(head.content_length.value_or(0));
    keep_up_to_ = stores_ ? context_.store.max_object_bytes() : kMaxSharedError;
  } else {
    body_->switch_to_window();
  }
  body_->set_producer(context_.loop, [this](bool abandoned) {
    if (abandoned) {
      cancel();
    } else if (!ended_) {
      patience_.cancel();
      fetch_->resume();
    }
  });
  fill_->respond(response_, shared, viewer_fields_.fields());
  if (shared) return;
  fetching_ = {};
  lead_.end();  // whoever comes now need not wait for what it may not use
  if (released_) cancel();
}

/// The 304 was about something that we do not have: the same request again, for the whole.
void FetchJob::ask_unconditionally() {
  asking_again_ = true;
  stale_.reset();
  std::erase_if(draft_.fields, [](const auto& field) {
    return field.first == "if-none-match" || field.first == "if-modified-since";
  });
  // Not from inside a call of the one that is replaced.
  context_.loop.post([self = shared_from_this()] {
    if (self->ended_) return;
    self->asking_again_ = false;
    self->requested_at_ = self->context_.loop.now();
    self->fetch_ = self->make_fetch();
    self->fetch_->start();
  });
}

void FetchJob::on_not_modified(const origin::ResponseHead& head) {
  const auto now = context_.loop.now();
  const auto wall = context_.loop.wall_now();
  revalidated_ = true;
  auto fields = end_to_end_fields(head);
  if (!behavior_->codings.empty() && compress::is_encoded(stale_->fields()))
    fields.push_back({"vary", "accept-encoding"});
  response_ =
      cache::StoredResponse::refreshed(*stale_, fields, fill_->stamp(), requested_at_, now, wall,
                                       http::initial_age(head.fields, wall, now - requested_at_));
  stores_ = may_share(*behavior_, response_->fields());
  if (stores_) context_.store.insert(key(), viewer_fields_.fields(), response_);
  fill_->respond(response_, stores_, viewer_fields_.fields());
}

bool FetchJob::decide_storing(const cache::StoredResponse& response,
                              const origin::ResponseHead& head) {
  if (outlives_errors_ && head.status >= 500) return false;
  const auto policy = ttl_policy(*distribution_, *behavior_, head.status);
  if (!may_share(*behavior_, response.fields()) ||
      !http::may_store(head.status, response.directives(), response.fields(), policy,
                       has_authorization_)) {
    if (head.status < 500) context_.fills.mark_unshareable(key(), context_.loop.now());
    return false;
  }
  // What is stale at once, and can neither be revalidated nor stand in for an error, is of no use
  // later.
  const auto& directives = response.directives();
  const bool useful_when_stale = has_validator(response.fields()) || directives.stale_if_error ||
                                 directives.stale_while_revalidate ||
                                 distribution_->stale_if_error ||
                                 distribution_->stale_while_revalidate;
  if (http::freshness_lifetime(directives, policy) <= Duration::zero() && !useful_when_stale)
    return false;
  return context_.store.accepts_fills();
}

/// Whether it is too large for one piece, and its origin gives parts that can be told from those of
/// another version.
bool FetchJob::goes_in_slices(const origin::ResponseHead& head) const {
  const auto above = context_.store.sliced_above();
  return above && head.status == 200 && head.content_length.value_or(0) > *above &&
         http::equals_ignoring_case(http::find(head.fields, "accept-ranges").value_or(""),
                                    "bytes") &&
         http::strong_validator(response_->fields()) &&
         !context_.fills.is_unsliceable(key(), context_.loop.now());
}

/// What comes is the beginning of the first slice; each of the others is asked for by those who
/// read it (SliceReader).
void FetchJob::begin_slices(std::uint64_t length) {
  std::random_device random;
  response_ = cache::StoredResponse::in_slices(
      *response_, {.id = (std::uint64_t{random()} << 32) | random(), .length = length});
  body_ = base::make_ref<cache::Body>(cache::Body::Keep::All, cache::kSliceBytes);
  const cache::SliceKey key_of_first(*response_, 0);
  auto joined = context_.fills.join(key_of_first.key(), *snapshot_->purges, context_.changes,
                                    snapshot_->generation, context_.loop.now());
  first_slice_ = cache::StoredResponse::slice(*response_, key_of_first.key(), body_, fill_->stamp(),
                                              response_->received_at(), response_->received_wall());
  incoming_ = cache::Store::Incoming(context_.store);
  incoming_.set(cache::kSliceBytes);
  first_slice_lead_ = cache::FillLead(context_.fills, std::move(joined.fill));
  if (first_slice_lead_.fill()) first_slice_lead_.fill()->respond(first_slice_, true);
  context_.store.insert(key(), viewer_fields_.fields(), response_);
  fill_->respond(response_, true, viewer_fields_.fields());
  fetching_ = {};
  lead_.end();
}

void FetchJob::end_first_slice() {
  body_->finish();
  incoming_ = {};  // what is stored counts as resident
  context_.store.insert(cache::SliceKey(*response_, 0).key(), {}, first_slice_);
  end(false);
}

void FetchJob::begin_encoding(std::optional<std::uint64_t> length) {
  const auto& compression = distribution_->compression;
  if (behavior_->codings.empty() ||
      !compress::eligible(response_->status(), response_->fields(), length, compression.types()))
    return;
  const auto type = http::find(response_->fields(), "content-type").value_or("");
  encoding_ =
      context_.encodings.begin(body_, *length, behavior_->codings, compression.levels(type));
  if (encoding_) response_ = cache::StoredResponse::with_encodings(*response_, encoding_->bodies());
}

bool FetchJob::on_octets(std::string_view octets) {
  if (ended_) return false;
  if (!body_ || asking_again_)
    return true;  // the content of a 304, which has none by RFC 9110 section 15.4.5
  if (first_slice_) {
    // What is kept whole never pauses.
    static_cast<void>(body_->append(octets.substr(0, cache::kSliceBytes - body_->size())));
    if (body_->size() == cache::kSliceBytes) end_first_slice();
    return !ended_;
  }
  const bool go_on = body_->append(octets);
  if (!go_on && shares_window_) patience_.schedule_after(kPatience);
  if (!body_->expected_length()) incoming_.set(body_->kept_bytes());
  if (keep_up_to_ != 0 && body_->size() > keep_up_to_) pass_through();
  return go_on && !ended_;
}

/// Too large after all: those who read go on within a window, nobody new joins.
void FetchJob::pass_through() {
  keep_up_to_ = 0;
  shares_window_ = true;
  stores_ = false;
  fetching_ = {};
  lead_.end();
  body_->switch_to_window();
  if (released_ && !body_->was_read()) cancel();
}

void FetchJob::on_complete() {
  if (ended_ || asking_again_) return;
  if (first_slice_) return cancel();  // shorter than its Content-Length, whatever the framing says
  if (body_) {
    body_->finish();
    incoming_ = {};  // what is stored counts as resident
    if (stores_) context_.store.insert(key(), viewer_fields_.fields(), response_);
    if (stores_ && encoding_) encoding_->stored(context_.store, key());
  }
  end(false);
}

void FetchJob::on_failure(origin::Failure failure, std::string_view details) {
  if (ended_ || asking_again_) return;
  if (response_) {
    if (body_) body_->fail();
  } else {
    fill_->fail({origin::status_of(failure), std::string(origin::proxy_error(failure)),
                 std::string(details)});
  }
  end(true);
}

void FetchJob::release() {
  released_ = true;
  on_interim_ = {};
  const bool followed = may_store_ && (!response_ || stores_);
  if (!followed && !(response_ && fill_->state() == cache::Fill::State::Shared)) cancel();
}

void FetchJob::cancel() {
  if (ended_) return;
  if (body_) body_->fail();
  if (!response_) fill_->abandon();
  end(true);
}

void FetchJob::end(bool failed) {
  if (ended_) return;
  ended_ = true;
  if (body_) body_->detach_producer();
  patience_.cancel();
  context_.metrics.origin_request_ended(failed);
  lead_.end();
  first_slice_lead_.end();
  incoming_ = {};
  retire(context_, *this);
}

}  // namespace headgate::server
