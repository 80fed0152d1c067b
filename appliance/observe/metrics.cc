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

}  // namespace

WorkerMetrics::WorkerMetrics() : cells_(std::make_unique<Cells>()) {}
WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::record(const RequestRecord& record) {
  auto& slot = cells_->slot(record.metric_slot);
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
  if (record.aborted) cells_->aborted.add(1);
  if (record.coding != http::Coding::Identity) {
    const auto coding = static_cast<std::size_t>(record.coding);
    cells_->compressed_responses[coding].add(1);
    if (record.identity_bytes > record.bytes_sent)
      cells_->compression_saved_bytes[coding].add(record.identity_bytes - record.bytes_sent);
  }
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

void Metrics::contribute(std::function<std::vector<Family>()> collect) {
  const base::MutexLock lock(impl_->mutex);
  impl_->collectors.push_back(std::move(collect));
}

}  // namespace headgate::observe
