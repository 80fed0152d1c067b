// SPDX-License-Identifier: MIT
// One fetch from an origin on behalf of the cache: what the origin says becomes a StoredResponse
// that waiting requests share.
#pragma once

#include <memory>
#include <string>

#include "appliance/base/ref.h"
#include "appliance/base/timer_heap.h"
#include "appliance/cache/fill/fill.h"
#include "appliance/origin/failover.h"
#include "appliance/server/transfer/job.h"
#include "appliance/server/transfer/response_gate.h"
#include "appliance/server/transfer/upload.h"
#include "appliance/snapshot/request/origin_request.h"
#include "appliance/snapshot/snapshot.h"

namespace headgate::server {

/// How the cache policy treats a status: CloudFront's TTLs for what is no error; for errors only
/// what the origin says and errorCachingMinTTL.
http::TtlPolicy ttl_policy(const snapshot::Distribution& distribution,
                           const snapshot::Behavior& behavior, int status);

/// Whether the cache policy lets a response with these fields be stored and shared: one with
/// Set-Cookie only while `cacheSetCookie` does.
bool may_share(const snapshot::Behavior& behavior, http::Fields fields);

/// Lives until the response has ended, however many requests read it and whether or not they stay;
/// a fetch that nobody can use any more is cancelled. Threads: the worker's.
class FetchJob final : public Job,
                       public origin::Sink,
                       public std::enable_shared_from_this<FetchJob> {
 public:
  struct Plan {
    std::shared_ptr<const snapshot::Snapshot> snapshot;
    const snapshot::Distribution* distribution = nullptr;
    const snapshot::Behavior* behavior = nullptr;
    snapshot::OriginRequestDraft draft;
    cache::Key key;                          ///< views valid during `start` only
    bool may_store = false;                  ///< the request allows it: method and policy
    http::Fields viewer_fields;              ///< what Vary selects by; valid during `start` only
    base::Ref<cache::StoredResponse> stale;  ///< revalidated when it has validators; null: none
    bool outlives_errors = false;            ///< `stale` is not replaced by a 5xx
    std::shared_ptr<Upload> upload;          ///< null: no body
    /// By which a web ACL judges the response before anybody has any of it; null: none does.
    std::unique_ptr<const guard::waf::ResponseInspection> inspection;
    /// Interim responses, while the request that began this is there; may be null.
    base::UniqueFunction<void(int status, http::Fields fields)> on_interim;
  };

  /// `lead`: of the fill that others follow; empty for a fetch that only the caller waits for.
  /// `context.jobs` keeps the job alive until it has ended.
  static std::shared_ptr<FetchJob> start(FetchContext context, Plan plan, cache::FillLead lead);

  const base::Ref<cache::Fill>& fill() const { return fill_; }
  /// The request that began this has gone. Ends the fetch when nobody else can use it.
  void release();
  /// Octets of the viewer are there, or never will be.
  void upload_ready() { fetch_->body_ready(); }
  void cancel() override;

  // What the access log tells.
  std::string_view origin_id() const;
  int origin_status() const { return origin_status_; }
  bool revalidated() const { return revalidated_; }
  bool stores() const { return stores_; }
  /// Ids of rules of a web ACL that the response matched, joined by ','.
  const std::string& matched_rules() const { return matched_rules_; }

  void on_interim(int status, http::Fields fields) override;
  void on_head(const origin::ResponseHead& head) override;
  [[nodiscard]] bool on_octets(std::string_view octets) override;
  void on_complete() override;
  void on_failure(origin::Failure failure, std::string_view details) override;

  FetchJob(FetchContext context, Plan plan, cache::FillLead lead);

 private:
  cache::Key key() const;
  std::vector<http::Field> end_to_end_fields(const origin::ResponseHead& head);
  std::unique_ptr<ResponseGate> make_gate(
      std::unique_ptr<const guard::waf::ResponseInspection> inspection);
  std::unique_ptr<origin::Fetch> make_fetch();
  void on_judged(int status, const guard::waf::ResponseVerdict& verdict);
  void on_not_modified(const origin::ResponseHead& head);
  void ask_unconditionally();
  bool decide_storing(const cache::StoredResponse& response, const origin::ResponseHead& head);
  bool goes_in_slices(const origin::ResponseHead& head) const;
  void begin_slices(std::uint64_t length);
  void end_first_slice();
  void begin_encoding(std::optional<std::uint64_t> length);
  void pass_through();
  void end(bool failed);

  FetchContext context_;
  std::shared_ptr<const snapshot::Snapshot> snapshot_;
  const snapshot::Distribution* distribution_;
  const snapshot::Behavior* behavior_;
  snapshot::OriginRequestDraft draft_;
  // The key and the viewer's fields, owned.
  std::string key_text_;
  std::string key_path_;
  std::string key_host_;
  base::Hash128 key_hash_;
  http::FieldBlock viewer_fields_;
  bool has_authorization_ = false;

  bool may_store_;
  bool outlives_errors_;
  bool asking_again_ = false;  ///< what still comes is of a response that was of no use
  bool stores_ = false;
  bool released_ = false;
  std::uint64_t keep_up_to_ = 0;  ///< octets of a body that is kept whole; 0: it is not
  bool shares_window_ = false;    ///< it was to be kept, and has readers from that time
  bool ended_ = false;
  bool revalidated_ = false;
  int origin_status_ = 0;
  base::Ref<cache::StoredResponse> stale_;
  base::Ref<cache::StoredResponse> response_;
  base::Ref<cache::Body> body_;
  /// Of a response in slices: all that is still received is the first one.
  base::Ref<cache::StoredResponse> first_slice_;
  cache::FillLead first_slice_lead_;
  cache::Store::Incoming incoming_;
  std::shared_ptr<Encoding> encoding_;  ///< null: none is made
  cache::FillLead lead_;
  base::Ref<cache::Fill> fill_;
  cache::FillTable::Fetching fetching_;
  std::shared_ptr<Upload> upload_;
  base::UniqueFunction<void(int, http::Fields)> on_interim_;
  base::Timer patience_;  ///< while a reader of a shared window pauses us
  base::MonoTime requested_at_;
  char date_[29] = {};
  std::string matched_rules_;
  std::unique_ptr<ResponseGate> gate_;    ///< null: nobody judges the response
  std::unique_ptr<origin::Fetch> fetch_;  ///< never null
};

}  // namespace headgate::server
