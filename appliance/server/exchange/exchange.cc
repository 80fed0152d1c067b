// SPDX-License-Identifier: MIT
#include "appliance/server/exchange/exchange.h"

#include <fmt/format.h>

#include <new>
#include <utility>

#include "appliance/http/authority.h"
#include "appliance/http/method.h"
#include "appliance/origin/reference.h"
#include "appliance/server/h3/http/session.h"
#include "appliance/server/worker.h"
#include "appliance/snapshot/request/normalize.h"

namespace headgate::server {
namespace {

using guard::Reason;
using observe::CacheOutcome;

/// How long a request waits for another one's fetch before it goes alone. http-caching.md: less
/// than 10 s.
constexpr Duration kCollapseTimeout = std::chrono::seconds(8);

}  // namespace

void Exchange::begin(h2o_req_t& request, Worker& worker) {
  // The pool runs the destructor when libh2o disposes of the request, for whatever reason.
  void* place = h2o_mem_alloc_shared(&request.pool, sizeof(Exchange), [](void* exchange) {
    static_cast<Exchange*>(exchange)->~Exchange();
  });
  auto* exchange = new (place) Exchange(request, worker);
  exchange->run();
}

Exchange::Exchange(h2o_req_t& request, Worker& worker)
    : request_(request),
      worker_(worker),
      memory_(request.pool),
      pin_(worker.snapshots().pin()),
      peer_(peer_facts(request.conn)),
      facts_(read_facts(request, peer_, worker.commons().options.trusted_proxies, memory_)),
      sender_(request, worker.loop()),
      began_(std::chrono::steady_clock::now()) {
  head_only_ = facts_.method == "HEAD";
  sample_ = worker.make_request_id(request_id_);
  if (const auto* split = worker.snapshots().split()) choose_snapshot(*split);
  Connections::request_began(request.conn);
}

/// The edge's own requests are for what is live, and so are those for hosts that only the commit
/// answers, unless somebody tries it: a new host is either there for all viewers or for none.
void Exchange::choose_snapshot(const snapshot::Split& split) {
  if (peer_.internal) return;
  const auto random = static_cast<std::uint32_t>(sample_ / 100 * snapshot::Split::kNumbers);
  const snapshot::Choice choice = snapshot::choose(split, facts_.fields, facts_.client, random);
  if (choice.is_in && (choice.by_header || is_answered_by(*pin_->configuration)))
    pin_ = worker_.snapshots().pin_other();
  if (choice.assigned)
    rollout_cookie_ = memory_.persist(snapshot::set_cookie(split, *choice.assigned, facts_.https));
}

bool Exchange::is_answered_by(const snapshot::Configuration& configuration) const {
  const auto authority = http::parse_authority(facts_.authority);
  return authority && configuration.find(authority->host) != nullptr;
}

Exchange::~Exchange() {
  waiter_.reset();
  assume_change();  // the viewer has not waited for the answer
  note_origin();
  release_fetch();
  Connections::request_ended(request_.conn);
  record();
}

void Exchange::note_origin() {
  const auto job = job_.lock();
  if (job == nullptr) return;
  origin_ = memory_.persist(job->origin_id());
  origin_status_ = job->origin_status();
  if (response_matched_.empty()) response_matched_ = memory_.persist(job->matched_rules());
}

void Exchange::release_fetch() {
  if (upload_) {
    received_ = upload_->received();
    upload_->detach();
    upload_.reset();
  }
  if (const auto job = job_.lock()) job->release();
  job_.reset();
}

void Exchange::run() {
  if (!pin_)
    return respond_error(503, Reason::NoConfiguration, "destination_unavailable",
                         "nothing has been applied yet");
  if (facts_.target.size() > worker_.commons().options.limits.max_url) {
    worker_.metrics().limit_exceeded(guard::Limit::MaxUrl);
    return respond_error(414, Reason::UrlTooLong, guard::proxy_error(Reason::UrlTooLong),
                         guard::code(Reason::UrlTooLong));
  }
  // The content of a HEAD means nothing (RFC 9110 section 9.3.2) and goes nowhere.
  if (!head_only_ && Upload::present(request_)) facts_.body_state = guard::waf::View::Body::Pending;
  facts_.scratch = &worker_.waf_scratch();
  facts_.request_id = {request_id_.data(), request_id_.size() - 1};
  decide();
  if (is_misdirected())
    return respond_error(421, Reason::Misdirected, guard::proxy_error(Reason::Misdirected),
                         guard::code(Reason::Misdirected));
  proceed();
}

void Exchange::proceed() {
  switch (decision_.action) {
    case snapshot::Decision::Action::Inspect:
      return inspect_body();
    case snapshot::Decision::Action::Deny:
      return respond_denied();
    case snapshot::Decision::Action::Redirect:
      return respond_redirect();
    case snapshot::Decision::Action::Serve:
      break;
  }
  if (!accept_upload()) return;
  if (!http::is_safe(facts_.method)) changing_ = uri_of(facts_.target);
  if (decision_.uses_cache && upload_ == nullptr) return look_up();
  spares_origin() ? respond_sparing_origin() : go_alone();
}

/// Whether the request may go on; when it has a body, with an upload.
bool Exchange::accept_upload() {
  if (facts_.body_state == guard::waf::View::Body::None || upload_ != nullptr) return true;
  upload_ = std::make_shared<Upload>(request_);
  if (upload_->length().value_or(0) <= worker_.commons().options.limits.max_request_body)
    return true;
  respond_error(413, Reason::BodyTooLarge, guard::proxy_error(Reason::BodyTooLarge),
                guard::code(Reason::BodyTooLarge));
  return false;
}

void Exchange::decide() {
  const snapshot::Configuration& configuration = *pin_->configuration;
  if (configuration.geo() != nullptr) facts_.country = configuration.geo()->country(facts_.client);
  facts_.https_port = worker_.commons().https_port;
  facts_.warming = peer_.internal;
  // Viewers come by TLS where they can, and where they must.
  if (facts_.warming) facts_.https = facts_.https || !worker_.commons().options.https.empty();
  decision_ = snapshot::decide(configuration, facts_, memory_);
  const bool must =
      decision_.reason == Reason::HttpsOnly || decision_.reason == Reason::RedirectToHttps;
  if (!facts_.warming || !must) return;
  facts_.https = true;
  decision_ = snapshot::decide(configuration, facts_, memory_);
}

/// Warming leaves an origin alone that is down, except for the probes that its breaker allows:
/// nobody waits for the answer.
bool Exchange::spares_origin() const {
  const auto& target = *decision_.behavior->target;
  return facts_.warming && target.is_sick() &&
         !target.members.front().endpoint->latch->take_probe(worker_.loop().now());
}

void Exchange::respond_sparing_origin() {
  respond_error(503, Reason::OriginFailure, "destination_unavailable", "the origin is down");
}

/// RFC 9110 section 7.4: an HTTP/3 connection is for the names that its certificate speaks for, of
/// distributions that speak HTTP/3. Addresses are nobody's to speak for.
bool Exchange::is_misdirected() {
  H3Session* session = H3Session::of(*request_.conn);
  if (session == nullptr || decision_.distribution == nullptr) return false;
  if (!decision_.distribution->http3) return true;
  return !base::IpAddress::parse(decision_.host) && !session->covers(std::string(decision_.host));
}

/// What the cache calls the URI, when a GET of it would use the cache.
std::optional<Exchange::Uri> Exchange::uri_of(std::string_view target) {
  snapshot::RequestFacts get = facts_;
  get.method = "GET";
  get.target = target;
  get.scratch = nullptr;  // nobody asks for it
  const auto decision = snapshot::decide(*pin_->configuration, get, memory_);
  if (!decision.uses_cache) return std::nullopt;
  return Uri{.distribution = decision.key.distribution, .path = decision.key.path};
}

void Exchange::invalidate(const Uri& uri) {
  worker_.commons().changes.invalidate(cache::uri_hash(uri.distribution, uri.path));
  if (cache::DiskTier* disk = worker_.commons().store.disk(); disk != nullptr)
    disk->note_change(uri.distribution, uri.path);
}

/// RFC 9111 section 4.4: the URI, and those of Location and Content-Location when they are of the
/// same origin; an error changes nothing.
void Exchange::note_change(const cache::StoredResponse& response) {
  const auto uri = std::exchange(changing_, std::nullopt);
  if (!uri || response.status() >= 400) return;
  invalidate(*uri);
  for (const auto& field : response.fields()) {
    if (field.name != "location" && field.name != "content-location") continue;
    const auto target = origin::target_within(
        fmt::format("{}://{}{}", facts_.https ? "https" : "http", facts_.authority, facts_.target),
        std::string(field.value));
    if (!target) continue;
    if (const auto other = uri_of(memory_.persist(*target))) invalidate(*other);
  }
}

/// Without an answer the origin may have done what it was asked for.
void Exchange::assume_change() {
  if (const auto uri = std::exchange(changing_, std::nullopt)) invalidate(*uri);
}

http::Fields Exchange::vary_fields() {
  return snapshot::selecting_fields(decision_, facts_, memory_);
}

cache::Store::Found Exchange::find() {
  auto found = worker_.commons().store.find(decision_.key, vary_fields(), *pin_->purges);
  // It may have been stored under another policy.
  if (found.response && !may_share(*decision_.behavior, found.response->fields()))
    found.response.reset();
  if (found.response && found.purged == cache::Purged::No &&
      found.response->is_changed(worker_.commons().changes))
    found.purged = cache::Purged::Soft;
  return found;
}

void Exchange::look_up() {
  auto found = find();
  if (!found.response) return join(false);
  switch (evaluate(*found.response, found.purged)) {
    case Usable::Fresh:
      return respond_stored(found.response, CacheOutcome::FreshHit);
    case Usable::WhileRevalidate:
      stale_ = std::move(found.response);
      return join(true);
    case Usable::No:
      stale_ = std::move(found.response);
      purged_ = found.purged;
      return is_pointless_to_wait() ? respond_without_waiting() : join(false);
  }
}

/// The origin is known to be down, perhaps by its answers alone, and stale may be served for that.
bool Exchange::is_pointless_to_wait() const {
  return !facts_.warming && decision_.behavior->target->is_sick() &&
         may_serve_on(Trouble::Answered5xx);
}

/// The origin is asked behind the answer when that is due.
void Exchange::respond_without_waiting() {
  const auto& latch = decision_.behavior->target->members.front().endpoint->latch;
  if (latch->take_probe(worker_.loop().now())) return join(true);
  respond_stored(stale_, CacheOutcome::StaleHit);
}

Exchange::Usable Exchange::evaluate(const cache::StoredResponse& response, cache::Purged purged) {
  if (purged != cache::Purged::No) return Usable::No;
  const auto policy = ttl_policy(*decision_.distribution, *decision_.behavior, response.status());
  const Duration lifetime = http::freshness_lifetime(response.directives(), policy);
  const Duration age = response.current_age(worker_.loop().now());
  if (age < lifetime) return Usable::Fresh;
  if (response.directives().must_revalidate || response.directives().no_cache) return Usable::No;
  const auto window = response.directives().stale_while_revalidate
                          ? response.directives().stale_while_revalidate
                          : decision_.distribution->stale_while_revalidate;
  return window && age < lifetime + *window ? Usable::WhileRevalidate : Usable::No;
}

/// RFC 5861 section 4; without a window of the origin's or of the distribution's only while the
/// origin cannot be reached (RFC 9111 section 4.2.4).
bool Exchange::may_serve_on(Trouble trouble) const {
  if (!stale_ || purged_ != cache::Purged::No) return false;
  const auto& directives = stale_->directives();
  if (directives.must_revalidate || directives.no_cache) return false;
  const auto window = directives.stale_if_error ? directives.stale_if_error
                                                : decision_.distribution->stale_if_error;
  if (!window) return trouble == Trouble::Unreachable;
  const auto policy = ttl_policy(*decision_.distribution, *decision_.behavior, stale_->status());
  const Duration lifetime = http::freshness_lifetime(directives, policy);
  return stale_->current_age(worker_.loop().now()) < lifetime + *window;
}

/// What came before this request did is reused as anything stored is: while it is fresh (RFC 9111
/// section 4). Errors that nobody stores are shared for as long as they arrive.
bool Exchange::has_gone_stale(const cache::Fill& fill) {
  if (fill.state() != cache::Fill::State::Shared) return false;
  const auto response = fill.response();
  return response->status() < 500 && evaluate(*response, cache::Purged::No) != Usable::Fresh;
}

void Exchange::join(bool serve_stale_meanwhile) {
  if (spares_origin()) return respond_sparing_origin();
  auto& commons = worker_.commons();
  const auto join_beside = [&](const cache::Fill* unusable) {
    return commons.fills.join(decision_.key, *pin_->purges, commons.changes, pin_->generation,
                              worker_.loop().now(), unusable, fetch_judge());
  };
  auto joined = join_beside(nullptr);
  if (joined.role == cache::FillTable::Role::Follower && has_gone_stale(*joined.fill))
    joined = join_beside(joined.fill.get());
  switch (joined.role) {
    case cache::FillTable::Role::Leader: {
      cache::FillLead lead(commons.fills, std::move(joined.fill));
      if (!stale_ && respond_from_ended_fill(lead)) return;
      leads_ = true;
      if (!stale_ && ask_disk(lead)) return;
      start_job(std::move(lead));
      break;
    }
    case cache::FillTable::Role::Follower:
      if (!serve_stale_meanwhile) wait_for(std::move(joined.fill));
      break;
    case cache::FillTable::Role::Alone:
      hit_for_miss_ = true;
      if (!serve_stale_meanwhile) go_alone();
      break;
  }
  if (serve_stale_meanwhile) {
    waiter_.reset();
    respond_stored(stale_, CacheOutcome::StaleHit);
  }
}

/// Another's fetch may have ended between our look-up and our joining: nobody need ask again.
bool Exchange::respond_from_ended_fill(cache::FillLead& lead) {
  const auto found = find();
  if (!found.response || evaluate(*found.response, found.purged) != Usable::Fresh) return false;
  lead.fill()->respond(found.response, true, vary_fields());
  lead.end();
  respond_stored(found.response, CacheOutcome::FreshHit);
  return true;
}

FetchJob::Plan Exchange::plan(bool for_cache) {
  FetchJob::Plan plan;
  plan.snapshot = pin_.share();
  plan.distribution = decision_.distribution;
  plan.behavior = decision_.behavior;
  plan.draft = snapshot::draft_origin_request(decision_, facts_, upload_ != nullptr,
                                              for_cache ? stale_.get() : nullptr, memory_);
  plan.key = decision_.key;
  plan.may_store = for_cache;
  plan.viewer_fields = for_cache ? vary_fields() : http::Fields();
  if (for_cache) plan.stale = stale_;
  plan.outlives_errors = for_cache && may_serve_on(Trouble::Answered5xx);
  plan.upload = upload_;
  plan.inspection = response_inspection();
  plan.on_interim = [this](int status, http::Fields fields) {
    write_interim(request_, status, fields, memory_);
  };
  return plan;
}

void Exchange::start_job(cache::FillLead lead) {
  auto job = FetchJob::start(worker_.fetch_context(),
                             plan(decision_.uses_cache && upload_ == nullptr), std::move(lead));
  job_ = job;
  if (upload_ != nullptr) {
    upload_->set_callbacks(
        [job_ref = job_] {
          if (const auto running = job_ref.lock()) running->upload_ready();
        },
        [this] {
          // libh2o has answered, or closes: the request is not ours to respond to any more.
          waiter_.reset();
          if (const auto running = job_.lock()) running->cancel();
        });
  }
  wait_for(job->fill());
}

void Exchange::go_alone() {
  leads_ = true;
  start_job({});
}

void Exchange::wait_for(base::Ref<cache::Fill> fill) {
  fill_ = std::move(fill);
  waiter_.emplace(fill_, worker_.loop(), [this] { on_settled(); });
  if (leads_) return;
  wait_timer_.emplace(worker_.loop().timers(), [this] { on_wait_timeout(); });
  wait_timer_->schedule_after(kCollapseTimeout);
}

void Exchange::on_wait_timeout() {
  waiter_.reset();
  go_alone();
}

void Exchange::on_settled() {
  if (wait_timer_) wait_timer_->cancel();
  switch (fill_->state()) {
    case cache::Fill::State::Waiting:
      return;
    case cache::Fill::State::Shared:
    case cache::Fill::State::Private: {
      // A follower uses only what is shared, also by its own policy, and selected by its own
      // fields; it does not wait a second time.
      if (!leads_ &&
          (fill_->state() == cache::Fill::State::Private || !fill_->matches(vary_fields()) ||
           !may_share(*decision_.behavior, fill_->response()->fields())))
        return go_alone();
      const auto response = fill_->response();
      // What turned out too large to be kept may have gone by, past those who were told sooner.
      // Held until the answer has its reader.
      std::optional<cache::BodyReader> beginning;
      if (fill_->state() == cache::Fill::State::Shared && response->body()) {
        beginning.emplace(response->body(), worker_.loop(), [] {});
        if (!beginning->attached()) {
          release_fetch();
          return go_alone();
        }
      }
      if (leads_) note_change(*response);
      // Who warms is to see that the origin fails.
      if (response->status() >= 500 && !facts_.warming && may_serve_on(Trouble::Answered5xx))
        return respond_stored(stale_, CacheOutcome::StaleHit);
      const bool revalidated = stale_ && response->has_content_of(*stale_);
      from_disk_ = response->came_from_disk();
      return respond_stored(response, from_disk_             ? CacheOutcome::FreshHit
                                      : revalidated          ? CacheOutcome::RevalidatedHit
                                      : !leads_              ? CacheOutcome::CollapsedHit
                                      : hit_for_miss_        ? CacheOutcome::HitForMiss
                                      : decision_.uses_cache ? CacheOutcome::Miss
                                                             : CacheOutcome::Bypass);
    }
    case cache::Fill::State::Failed: {
      assume_change();
      const auto failure = fill_->failure();
      const bool refused = !failure.refused_by.empty();
      const auto trouble = failure.was_5xx ? Trouble::Answered5xx : Trouble::Unreachable;
      if (!facts_.warming && (!refused || failure.was_5xx) && may_serve_on(trouble))
        return respond_stored(stale_, CacheOutcome::StaleHit);
      if (refused) return respond_refused(failure);
      return respond_error(failure.status, Reason::OriginFailure,
                           memory_.persist(failure.proxy_error), memory_.persist(failure.details));
    }
    case cache::Fill::State::Abandoned:
      if (leads_)
        return respond_error(502, Reason::OriginFailure, "connection_terminated",
                             "fetch abandoned");
      // Who led has left, perhaps while it read the disk: one of those who waited goes on.
      return join(false);
  }
}

}  // namespace headgate::server
