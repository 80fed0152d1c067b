// SPDX-License-Identifier: MIT
// What is counted, and the numbers of the pairs of distribution and behavior.
#include "appliance/observe/metrics.h"

#include "appliance/base/assert.h"
#include "appliance/observe/cells.h"

namespace headgate::observe {
namespace {

std::size_t status_class(int status) {
  return status >= 100 && status < 600 ? static_cast<std::size_t>(status / 100) : 0;
}

/// A 5xx that nobody has asked for: not a distribution that is off, nor a rule's answer.
bool is_error(const RequestRecord& record) {
  if (record.status < 500) return false;
  switch (record.reason) {
    case guard::Reason::None:
    case guard::Reason::OriginFailure:
    case guard::Reason::Overloaded:
    case guard::Reason::LoopDetected:
      return true;
    default:
      return false;
  }
}

bool is_origin_error(const RequestRecord& record) {
  return record.origin_status >= 500 || record.reason == guard::Reason::OriginFailure ||
         record.outcome == CacheOutcome::Error;
}

bool is_block(guard::Reason reason) {
  return reason == guard::Reason::Geo || reason == guard::Reason::Waf ||
         reason == guard::Reason::RateLimit || reason == guard::Reason::Challenge;
}

}  // namespace

WorkerMetrics::WorkerMetrics() : cells_(std::make_unique<Cells>()) {}
WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::record(const RequestRecord& record) {
  auto& slot = cells_->slots.slot(record.metric_slot);
  slot.statuses[status_class(record.status)].add(1);
  const auto outcome = static_cast<std::size_t>(record.outcome);
  HG_ASSERT(outcome < kOutcomes);
  slot.outcomes[outcome].add(1);
  slot.bytes_sent.add(record.bytes_sent);
  if (record.bytes_received != 0) slot.bytes_received.add(record.bytes_received);

  cells_->duration.observe(record.duration_us);
  // A request that was given up before there was a response has no first byte.
  if (record.status != 0) cells_->time_to_first_byte.observe(record.time_to_first_byte_us);
  if (record.reason != guard::Reason::None) {
    const auto reason = static_cast<std::size_t>(record.reason);
    HG_ASSERT(reason < kReasons);
    cells_->denied[reason].add(1);
  }
  tally(record);
  if (record.aborted) cells_->aborted.add(1);
  if (record.coding != http::Coding::Identity) {
    const auto coding = static_cast<std::size_t>(record.coding);
    cells_->compressed_responses[coding].add(1);
    if (record.identity_bytes > record.bytes_sent)
      cells_->compression_saved_bytes[coding].add(record.identity_bytes - record.bytes_sent);
  }
}

/// Of the lane that the record names; those whose client left tell nothing.
void WorkerMetrics::tally(const RequestRecord& record) {
  if (record.status == 0) return;
  auto& cells = cells_->lanes[record.lane % kLanes].slot(record.metric_slot);
  cells.requests.add(1);
  if (is_error(record)) cells.errors.add(1);
  if (is_origin_error(record)) cells.origin_errors.add(1);
  if (is_block(record.reason)) cells.blocks.add(1);
  cells.first_octet[bucket_of(record.time_to_first_byte_us)].add(1);
}

void WorkerMetrics::connection_opened(Transport transport) {
  cells_->connections_opened[static_cast<std::size_t>(transport)].add(1);
}
void WorkerMetrics::connection_closed() { cells_->connections_closed.add(1); }
void WorkerMetrics::tls_handshake_failed() { cells_->tls_handshakes_failed.add(1); }
void WorkerMetrics::quic_event(QuicEvent event) {
  cells_->quic_events[static_cast<std::size_t>(event)].add(1);
}
void WorkerMetrics::limit_exceeded(guard::Limit limit) {
  cells_->limits_exceeded[static_cast<std::size_t>(limit)].add(1);
}
void WorkerMetrics::malformed_request() { cells_->malformed_requests.add(1); }
void WorkerMetrics::origin_request_started() { cells_->origin_requests.add(1); }
void WorkerMetrics::origin_request_ended(bool failed) {
  cells_->origin_requests_ended.add(1);
  if (failed) cells_->origin_requests_failed.add(1);
}

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
  const base::MutexLock lock(impl_->mutex);
  impl_->names.emplace_back("other", "other");
}
Metrics::~Metrics() = default;

WorkerMetrics& Metrics::add_worker() {
  const base::MutexLock lock(impl_->mutex);
  return *impl_->workers.emplace_back(std::make_unique<WorkerMetrics>());
}

std::uint32_t Metrics::slot(std::string_view distribution, std::string_view behavior) {
  Impl::SlotName name(distribution, behavior);
  const base::MutexLock lock(impl_->mutex);
  if (const auto found = impl_->slots.find(name); found != impl_->slots.end()) return found->second;
  if (impl_->names.size() >= kMaxSlots) return 0;
  const auto number = static_cast<std::uint32_t>(impl_->names.size());
  impl_->names.push_back(name);
  impl_->slots.emplace(std::move(name), number);
  return number;
}

std::vector<SlotTally> Metrics::tallies(std::uint8_t lane) const {
  const base::MutexLock lock(impl_->mutex);
  std::vector<SlotTally> tallies;
  for (std::size_t slot = 1; slot < impl_->names.size(); ++slot) {
    Tally sum;
    for (const auto& worker : impl_->workers)
      if (const auto* cells = worker->cells_->lanes[lane % kLanes].find_slot(slot)) {
        sum.requests += cells->requests.value();
        sum.errors += cells->errors.value();
        sum.origin_errors += cells->origin_errors.value();
        sum.blocks += cells->blocks.value();
        for (std::size_t i = 0; i < kBuckets; ++i)
          sum.first_octet[i] += cells->first_octet[i].value();
      }
    if (sum.requests == 0) continue;
    tallies.push_back({impl_->names[slot].first, impl_->names[slot].second, sum});
  }
  return tallies;
}

void Metrics::contribute(std::function<std::vector<Family>()> collect) {
  const base::MutexLock lock(impl_->mutex);
  impl_->collectors.push_back(std::move(collect));
}

}  // namespace headgate::observe
