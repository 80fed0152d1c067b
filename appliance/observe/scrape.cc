// SPDX-License-Identifier: MIT
// Metrics::text: sums the workers' cells and asks the contributors. The names here are frozen;
// README.md lists them.
#include <fmt/format.h>

#include <array>

#include "appliance/observe/cells.h"
#include "appliance/observe/metrics.h"
#include "appliance/observe/process.h"
#include "appliance/observe/text.h"

namespace headgate::observe {
namespace {

/// A slot's numbers, summed over the workers.
struct SlotSum {
  std::array<std::uint64_t, kStatusClasses.size()> statuses{};
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;

  void add(const SlotCells& cells) {
    for (std::size_t i = 0; i < statuses.size(); ++i) statuses[i] += cells.statuses[i].value();
    for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += cells.outcomes[i].value();
    bytes_sent += cells.bytes_sent.value();
    bytes_received += cells.bytes_received.value();
  }
};

/// Families of a slot and a further label have samples only where something was counted: an edge of
/// a thousand distributions would otherwise answer each scrape with tens of thousands of zeros.
void write_slot_families(MetricsText& page, const std::vector<std::string>& labels,
                         const std::vector<SlotSum>& sums) {
  page.family("headgate_requests_total", "counter",
              "Requests by status class; none: the client left before there was a response.");
  for (std::size_t slot = 0; slot < sums.size(); ++slot) {
    for (std::size_t i = 0; i < kStatusClasses.size(); ++i) {
      if (sums[slot].statuses[i] == 0) continue;
      page.sample("headgate_requests_total",
                  labels[slot] + "," + label("status", kStatusClasses[i]), sums[slot].statuses[i]);
    }
  }
  page.family("headgate_cache_requests_total", "counter", "Requests by how the cache took part.");
  for (std::size_t slot = 0; slot < sums.size(); ++slot) {
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      if (sums[slot].outcomes[i] == 0) continue;
      page.sample("headgate_cache_requests_total",
                  labels[slot] + "," + label("outcome", name(static_cast<CacheOutcome>(i))),
                  sums[slot].outcomes[i]);
    }
  }
  page.family("headgate_response_body_bytes_total", "counter",
              "Octets of response bodies sent to clients.");
  for (std::size_t slot = 0; slot < sums.size(); ++slot) {
    if (sums[slot].bytes_sent != 0) {
      page.sample("headgate_response_body_bytes_total", labels[slot], sums[slot].bytes_sent);
    }
  }
  page.family("headgate_request_body_bytes_total", "counter",
              "Octets of request bodies received from clients.");
  for (std::size_t slot = 0; slot < sums.size(); ++slot) {
    if (sums[slot].bytes_received != 0) {
      page.sample("headgate_request_body_bytes_total", labels[slot], sums[slot].bytes_received);
    }
  }
}

void write_histogram(MetricsText& page, const std::vector<const WorkerCells*>& workers,
                     Histogram WorkerCells::*which, std::string_view name, std::string_view help) {
  page.family(name, "histogram", help);
  std::array<std::uint64_t, kBuckets> buckets{};
  std::uint64_t sum_us = 0;
  for (const auto* worker : workers) {
    const auto& histogram = worker->*which;
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.buckets[i].value();
    sum_us += histogram.sum_us.value();
  }
  const auto bucket_name = fmt::format("{}_bucket", name);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    page.sample(bucket_name, label("le", i < kBucketLabels.size() ? kBucketLabels[i] : "+Inf"),
                count);
  }
  page.sample(fmt::format("{}_sum", name), "", static_cast<double>(sum_us) / 1e6);
  page.sample(fmt::format("{}_count", name), "", count);
}

/// Numbers of the whole edge.
void write_totals(MetricsText& page, const std::vector<const WorkerCells*>& workers) {
  const auto sum = [&](auto read) {
    std::uint64_t total = 0;
    for (const auto* worker : workers) total += read(*worker);
    return total;
  };
  const auto counter = [&](std::string_view name, std::string_view help, Cell WorkerCells::*cell) {
    page.family(name, "counter", help);
    page.sample(name, "", sum([&](const WorkerCells& cells) { return (cells.*cell).value(); }));
  };

  page.family("headgate_edge_responses_total", "counter",
              "Responses that the edge made itself, by reason.");
  for (std::size_t i = 1; i < kReasons; ++i) {
    page.sample("headgate_edge_responses_total",
                label("reason", guard::code(static_cast<guard::Reason>(i))),
                sum([&](const WorkerCells& cells) { return cells.denied[i].value(); }));
  }
  counter("headgate_requests_aborted_total",
          "Requests that ended early: the client left, or the origin failed midway.",
          &WorkerCells::aborted);

  const auto by_coding = [&](std::string_view name, std::string_view help,
                             std::array<Cell, http::kCodings> WorkerCells::*cells) {
    page.family(name, "counter", help);
    for (const http::Coding coding : http::kEveryCoding)
      page.sample(name, label("encoding", http::name_of(coding)),
                  sum([&](const WorkerCells& worker) {
                    return (worker.*cells)[static_cast<std::size_t>(coding)].value();
                  }));
  };
  by_coding("headgate_compression_responses_total",
            "Responses sent in an encoding that the edge has made.",
            &WorkerCells::compressed_responses);
  by_coding("headgate_compression_saved_bytes_total",
            "Octets that these were shorter than without it.",
            &WorkerCells::compression_saved_bytes);

  page.family("headgate_connections_total", "counter", "Connections of clients.");
  // Closed ones are read first: one more opened meanwhile is right, one more closed would show a
  // negative number.
  const auto closed =
      sum([](const WorkerCells& cells) { return cells.connections_closed.value(); });
  static constexpr std::array<std::string_view, kTransports> kTransportNames = {"tcp", "tls",
                                                                                "quic"};
  std::uint64_t opened = 0;
  for (std::size_t i = 0; i < kTransports; ++i) {
    const auto count =
        sum([i](const WorkerCells& cells) { return cells.connections_opened[i].value(); });
    page.sample("headgate_connections_total", label("transport", kTransportNames[i]), count);
    opened += count;
  }
  page.family("headgate_connections_open", "gauge", "Connections of clients that are open.");
  page.sample("headgate_connections_open", "", opened > closed ? opened - closed : 0);
  page.family("headgate_quic_events_total", "counter",
              "Datagrams outside of connections, and connections that moved.");
  static constexpr std::array<std::string_view, kQuicEvents> kQuicEventNames = {
      "forwarded", "dropped", "version_negotiation", "retry", "stateless_reset", "migration"};
  for (std::size_t i = 0; i < kQuicEvents; ++i)
    page.sample("headgate_quic_events_total", label("event", kQuicEventNames[i]),
                sum([i](const WorkerCells& cells) { return cells.quic_events[i].value(); }));
  counter("headgate_tls_handshake_failures_total", "TLS handshakes with clients that failed.",
          &WorkerCells::tls_handshakes_failed);
  page.family("headgate_limit_exceeded_total", "counter",
              "Connections, streams and requests that were ended since they exceeded a limit.");
  for (std::size_t i = 0; i < kLimits; ++i)
    page.sample("headgate_limit_exceeded_total",
                label("limit", guard::name(static_cast<guard::Limit>(i))),
                sum([&](const WorkerCells& cells) { return cells.limits_exceeded[i].value(); }));
  counter("headgate_malformed_requests_total",
          "Connections that were ended since what came on them was no request of HTTP/1.",
          &WorkerCells::malformed_requests);

  const auto ended =
      sum([](const WorkerCells& cells) { return cells.origin_requests_ended.value(); });
  const auto started = sum([](const WorkerCells& cells) { return cells.origin_requests.value(); });
  page.family("headgate_origin_requests_total", "counter", "Requests to origins.");
  page.sample("headgate_origin_requests_total", "", started);
  page.family("headgate_origin_requests_in_flight", "gauge",
              "Requests to origins that wait for their end.");
  page.sample("headgate_origin_requests_in_flight", "", started > ended ? started - ended : 0);
  counter("headgate_origin_request_failures_total", "Requests to origins that failed.",
          &WorkerCells::origin_requests_failed);

  page.family("headgate_workers", "gauge", "Worker threads.");
  page.sample("headgate_workers", "", std::uint64_t{workers.size()});
  page.family("headgate_build_info", "gauge", "What runs; always 1.");
  page.sample("headgate_build_info", label("version", HEADGATE_VERSION), std::uint64_t{1});
}

void write_contributed(MetricsText& page,
                       const std::vector<std::function<std::vector<Family>()>>& collectors) {
  std::map<std::string, Family> families;  // by name: the format allows each only once
  for (const auto& collect : collectors) {
    for (const auto& family : collect()) {
      const auto [at, is_new] = families.try_emplace(family.name, family);
      if (is_new) continue;
      auto& samples = at->second.samples;
      samples.insert(samples.end(), family.samples.begin(), family.samples.end());
    }
  }
  for (const auto& [name, family] : families) {
    page.family(name, family.type, family.help);
    for (const auto& sample : family.samples) page.sample(name, sample.labels, sample.value);
  }
}

}  // namespace

Totals Metrics::totals() const {
  const base::MutexLock lock(impl_->mutex);
  SlotSum sum;
  Totals totals;
  std::uint64_t opened = 0;
  std::uint64_t closed = 0;
  for (const auto& worker : impl_->workers) {
    for (std::size_t slot = 0; slot < impl_->names.size(); ++slot)
      if (const auto* const cells = worker->cells_->slots.find_slot(slot)) sum.add(*cells);
    for (const auto& cell : worker->cells_->connections_opened) opened += cell.value();
    closed += worker->cells_->connections_closed.value();
  }
  for (const std::uint64_t count : sum.statuses) totals.requests += count;
  totals.errors = sum.statuses.back();
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    const auto outcome = static_cast<CacheOutcome>(i);
    if (outcome == CacheOutcome::Bypass) continue;
    totals.lookups += sum.outcomes[i];
    if (outcome == CacheOutcome::FreshHit || outcome == CacheOutcome::StaleHit ||
        outcome == CacheOutcome::RevalidatedHit || outcome == CacheOutcome::CollapsedHit)
      totals.hits += sum.outcomes[i];
  }
  totals.bytes_sent = sum.bytes_sent;
  totals.connections_open = opened > closed ? opened - closed : 0;
  return totals;
}

std::string Metrics::text() const {
  std::vector<std::string> labels;
  std::vector<const WorkerCells*> workers;
  std::vector<Impl::Collector> collectors;
  {
    const base::MutexLock lock(impl_->mutex);
    for (const auto& worker : impl_->workers) workers.push_back(worker->cells_.get());
    for (const auto& [distribution, behavior] : impl_->names) {
      labels.push_back(label("distribution", distribution) + "," + label("behavior", behavior));
    }
    collectors = impl_->collectors;
  }
  collectors.emplace_back(process_families);

  std::vector<SlotSum> sums(labels.size());
  for (const auto* worker : workers) {
    for (std::size_t slot = 0; slot < sums.size(); ++slot) {
      if (const auto* const cells = worker->slots.find_slot(slot)) sums[slot].add(*cells);
    }
  }
  MetricsText page;
  write_slot_families(page, labels, sums);
  write_histogram(page, workers, &WorkerCells::duration, "headgate_request_duration_seconds",
                  "From a request's arrival to the end of its response.");
  write_histogram(page, workers, &WorkerCells::time_to_first_byte,
                  "headgate_time_to_first_byte_seconds",
                  "From a request's arrival to the first octet of its response.");
  write_totals(page, workers);
  write_contributed(page, collectors);
  return page.take();
}

}  // namespace headgate::observe
