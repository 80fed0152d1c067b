// SPDX-License-Identifier: MIT
// One slice of a large response, fetched by a range request.
#pragma once

#include <memory>
#include <string>

#include "appliance/cache/slice.h"
#include "appliance/origin/failover.h"
#include "appliance/server/transfer/job.h"
#include "appliance/snapshot/request/origin_request.h"
#include "appliance/snapshot/snapshot.h"

namespace headgate::server {

/// What it takes to fetch slices of a response for one viewer's request, which it may outlive.
/// Threads: immutable.
struct SlicedObject {
  std::shared_ptr<const snapshot::Snapshot> snapshot;
  const snapshot::Behavior* behavior = nullptr;
  snapshot::OriginRequestDraft draft;      ///< for the whole, unconditional
  base::Ref<cache::StoredResponse> whole;  ///< `in_slices`
  base::Hash128 whole_hash;                ///< of its key
  std::string whole_text;

  cache::Key whole_key() const {
    return {.hash = whole_hash,
            .text = whole_text,
            .distribution = whole->distribution(),
            .path = whole->path()};
  }
};

/// Asks for the octets of one slice on condition that they are of the same version (Range with
/// If-Range, RFC 9110 section 13.1.5), checks that they are, and settles the slice's fill. An
/// origin that has another version by now makes the fill's failure `outdated` and removes the whole
/// from the store. Threads: the worker's.
class SliceJob final : public Job, public origin::Sink {
 public:
  /// `keep`: All for a slice that will be stored and may be shared; Window for one that costs no
  /// more memory than a response that passes through, and serves the caller alone.
  /// `lead`: empty when the fetch is for the caller alone.
  static std::shared_ptr<SliceJob> start(FetchContext context,
                                         std::shared_ptr<const SlicedObject> object,
                                         std::uint64_t index, cache::Body::Keep keep,
                                         cache::FillLead lead);

  const base::Ref<cache::Fill>& fill() const { return fill_; }
  void cancel() override;

  void on_interim(int, http::Fields) override {}
  void on_head(const origin::ResponseHead& head) override;
  [[nodiscard]] bool on_octets(std::string_view octets) override;
  void on_complete() override;
  void on_failure(origin::Failure failure, std::string_view details) override;

  SliceJob(FetchContext context, std::shared_ptr<const SlicedObject> object, std::uint64_t index,
           cache::Body::Keep keep, cache::FillLead lead);

 private:
  enum class Verdict { Same, Outdated, Refused };
  Verdict judge(const origin::ResponseHead& head) const;
  void give_up(cache::FillFailure failure);
  void end(bool failed);

  FetchContext context_;
  const std::shared_ptr<const SlicedObject> object_;
  const cache::SliceKey key_;
  const cache::SliceRange range_;
  const cache::Body::Keep keep_;
  cache::FillLead lead_;
  base::Ref<cache::Fill> fill_;
  base::Ref<cache::StoredResponse> response_;
  base::Ref<cache::Body> body_;
  cache::Store::Incoming incoming_;
  bool ended_ = false;
  std::unique_ptr<origin::Fetch> fetch_;  ///< never null
};

}  // namespace headgate::server
