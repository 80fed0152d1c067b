// SPDX-License-Identifier: MIT
// One request's way through the edge: decided once under one pinned snapshot, then served from the
// cache or an origin.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>

#include "appliance/base/timer_heap.h"
#include "appliance/cache/fill/fill.h"
#include "appliance/cache/tier/disk_tier.h"
#include "appliance/http/conditional.h"
#include "appliance/observe/record.h"
#include "appliance/server/exchange/pool_memory.h"
#include "appliance/server/exchange/reply.h"
#include "appliance/server/exchange/request_facts.h"
#include "appliance/server/h2o.h"
#include "appliance/server/local_snapshot.h"
#include "appliance/server/transfer/body_sender.h"
#include "appliance/server/transfer/fetch_job.h"
#include "appliance/server/transfer/upload.h"
#include "appliance/snapshot/decide.h"

namespace headgate::server {

class Worker;

/// Lives in the request's pool from the handler's call until libh2o disposes of the request, which
/// may be at any moment: the viewer leaves when it likes. The destructor is therefore where waiting
/// ends and where the request is recorded, once.
/// ```
/// begin ─▶ inspect the body, when a web ACL asks for it, and decide again
///       ─▶ deny, redirect ────────────────────────────────────────────▶ respond
///       ─▶ look up ─▶ fresh, or stale-while-revalidate ───────────────▶ respond
///                  ─▶ join a fill ─▶ lead: read the disk, if it may be there ─▶ as above
///                                ─▶ wait ─▶ shared, or ours ─────────▶ respond
///                                         ─▶ private to another ▶ go alone ─▶ respond
///                                         ─▶ failed ▶ stale, error page, 502 ▶ respond
///       ─▶ go alone (the cache has no part) ─▶ wait ──────────────────▶ respond
/// ```
/// Threads: the worker's.
class Exchange {
 public:
  /// The handler of every request.
  static void begin(h2o_req_t& request, Worker& worker);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 private:
  Exchange(h2o_req_t& request, Worker& worker);

  bool is_answered_by(const snapshot::Configuration& configuration) const;
  void choose_snapshot(const snapshot::Split& split);
  void run();
  void decide();
  bool is_misdirected();
  void proceed();

  // Web ACLs: web_acl.cc.
  void inspect_body();
  void on_body_held();
  void respond_denied();
  void respond_blocked(int status, guard::Reason reason, const schema::WafAction& action);
  void respond_refused(const cache::FillFailure& failure);
  const void* fetch_judge() const;
  std::unique_ptr<const guard::waf::ResponseInspection> response_inspection();
  void respond_challenge(const guard::waf::Inspection& inspection);
  std::string_view refusing_rule() const;
  std::string_view matched_rules();
  std::string_view retry_after();

  bool accept_upload();

  // Through the cache.
  cache::Store::Found find();
  void look_up();
  enum class Usable { Fresh, WhileRevalidate, No };
  enum class Trouble { Answered5xx, Unreachable };
  Usable evaluate(const cache::StoredResponse& response, cache::Purged purged);
  bool may_serve_on(Trouble trouble) const;
  bool is_pointless_to_wait() const;
  bool spares_origin() const;
  void respond_sparing_origin();
  void respond_without_waiting();
  bool has_gone_stale(const cache::Fill& fill);
  void join(bool serve_stale_meanwhile);
  bool respond_from_ended_fill(cache::FillLead& lead);
  void go_alone();
  void start_job(cache::FillLead lead);

  // Through the cache's disk: disk.cc.
  bool ask_disk(cache::FillLead& lead);
  void on_disk_answer(cache::DiskTier::Found found);
  void respond_from_disk(const base::Ref<cache::StoredResponse>& response, cache::FillLead lead);
  cache::Purged judge_from_disk(const cache::DiskTier::Found& found) const;

  FetchJob::Plan plan(bool for_cache);
  void wait_for(base::Ref<cache::Fill> fill);
  void on_settled();
  void on_wait_timeout();

  void forget_what_was_found();

  // Responses in slices: sliced.cc.
  std::optional<http::ByteRange> first_octets(const cache::StoredResponse& response) const;
  bool open_slices(const base::Ref<cache::StoredResponse>& response, observe::CacheOutcome outcome);
  void note_first_slice(observe::CacheOutcome outcome);
  void on_first_slice(observe::CacheOutcome outcome);

  // Unsafe methods.
  /// What the cache calls a URI; views into the request's pool and the snapshot.
  struct Uri {
    std::string_view distribution;
    std::string_view path;
  };
  std::optional<Uri> uri_of(std::string_view target);
  void invalidate(const Uri& uri);
  void note_change(const cache::StoredResponse& response);
  void assume_change();

  void note_origin();
  void release_fetch();
  http::Fields vary_fields();

  // Answers: answers.cc.
  void respond_stored(const base::Ref<cache::StoredResponse>& response,
                      observe::CacheOutcome outcome);
  base::Ref<cache::Body> select_body(const cache::StoredResponse& response, Reply& reply);
  void encode_stored(const cache::StoredResponse& response);
  bool respond_from_body(const cache::StoredResponse& response, Reply& reply);
  void respond_unsatisfiable(Reply& reply);
  void respond_part(const cache::StoredResponse& response, Reply& reply, http::ByteRange range);
  void respond_parts(const cache::StoredResponse& response, Reply& reply,
                     const http::ByteRanges& ranges);
  void respond_error(int status, guard::Reason reason, std::string_view proxy_error,
                     std::string_view details);
  void respond_plain(int status, http::Fields fields);
  void respond_redirect();
  bool respond_error_page(int status);
  void fetch_error_page(const snapshot::ErrorPage& page);
  std::string_view alt_svc();
  Reply reply_of(int status, http::Fields fields, observe::CacheOutcome outcome);
  http::Fields fields_of(http::Fields stored, http::Coding coding);
  http::CacheStatus cache_status_of(const cache::StoredResponse& response,
                                    observe::CacheOutcome outcome);
  void record();

  h2o_req_t& request_;
  Worker& worker_;
  PoolMemory memory_;
  SnapshotPin pin_;
  PeerFacts peer_;
  snapshot::RequestFacts facts_;
  snapshot::Decision decision_;
  std::unique_ptr<SliceReader> slices_;  ///< null: the response is in one piece
  BodySender sender_;

  base::Ref<cache::StoredResponse> stale_;   ///< what was found but may not be served as it is
  base::Ref<cache::StoredResponse> served_;  ///< keeps the fields that are being sent
  cache::Purged purged_ = cache::Purged::No;
  base::Ref<cache::Fill> fill_;
  std::optional<cache::Fill::Waiter> waiter_;
  std::optional<base::Timer> wait_timer_;
  std::weak_ptr<FetchJob> job_;
  std::shared_ptr<Upload> upload_;
  std::optional<Uri> changing_;  ///< what an unsafe method may be changing
  /// The fill that we lead while the disk is read for it. Who reads for us holds it weakly.
  std::shared_ptr<cache::FillLead> reading_;
  bool asked_disk_ = false;
  bool from_disk_ = false;  ///< what is served
  bool leads_ = false;      ///< the fill is fetched by our own job
  bool hit_for_miss_ = false;
  bool went_for_slice_ = false;      ///< the response was there, not all of its content
  bool started_over_ = false;        ///< what was there is not what the origin has now
  bool head_only_ = false;           ///< HEAD
  std::string_view rollout_cookie_;  ///< Set-Cookie, for a viewer who is new; empty: none
  /// While, and after, a custom error page is fetched: what it stands in for.
  struct StandIn {
    int error_status = 0;
    int response_status = 0;
  };
  std::optional<StandIn> stand_in_;

  http::Coding coding_ = http::Coding::Identity;  ///< of the body that is sent
  std::uint64_t identity_length_ = 0;             ///< of that body without `coding_`

  // For the log.
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point first_octet_;
  std::array<char, 25> request_id_{};
  double sample_ = 0;
  observe::CacheOutcome outcome_ = observe::CacheOutcome::Bypass;
  guard::Reason reason_ = guard::Reason::None;
  std::string_view origin_;
  int origin_status_ = 0;
  std::string_view proxy_error_;
  std::string_view details_;
  std::string_view refused_by_;        ///< the rule of a web ACL that refuses the response
  std::string_view response_matched_;  ///< ids of rules that the response matched
  std::uint64_t received_ = 0;         ///< octets of the request's body
};

}  // namespace headgate::server
