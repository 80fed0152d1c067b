// SPDX-License-Identifier: MIT
// What /status and /metrics tell of the edge beyond the reconciler's part.
#include "appliance/cli/run/status.h"

#include <fmt/format.h>

#include "reconciler/loop/board.h"

namespace headgate::cli {
namespace {

observe::Family family(const char* name, const char* type, const char* help, std::uint64_t value) {
  return {name, help, type, {{"", static_cast<double>(value)}}};
}

}  // namespace

Json cache_json(const cache::StoreStats& stats) {
  return Json{{"budgetBytes", stats.budget_bytes},
              {"residentBytes", stats.resident_bytes},
              {"indexBytes", stats.index_bytes},
              {"pinnedBytes", stats.pinned_bytes},
              {"incomingBytes", stats.incoming_bytes},
              {"objects", stats.objects},
              {"insertions", stats.insertions},
              {"evictions", stats.evictions},
              {"rejected", stats.rejected},
              {"purged", stats.purged}};
}

std::vector<observe::Family> cache_families(const cache::StoreStats& stats) {
  return {
      family("headgate_cache_budget_bytes", "gauge", "Memory that the cache may use.",
             stats.budget_bytes),
      family("headgate_cache_resident_bytes", "gauge", "Memory of stored responses.",
             stats.resident_bytes),
      family("headgate_cache_index_bytes", "gauge",
             "Memory of the tables that find and order stored responses.", stats.index_bytes),
      family("headgate_cache_pinned_bytes", "gauge",
             "Memory of responses that are gone from the cache but still sent.",
             stats.pinned_bytes),
      family("headgate_cache_incoming_bytes", "gauge",
             "Memory of responses that are coming in to be stored.", stats.incoming_bytes),
      family("headgate_cache_objects", "gauge", "Stored responses.", stats.objects),
      family("headgate_cache_insertions_total", "counter", "Responses stored.", stats.insertions),
      family("headgate_cache_evictions_total", "counter", "Responses evicted for room.",
             stats.evictions),
      family("headgate_cache_rejected_total", "counter",
             "Responses not admitted: too large, too old, or too much pinned.", stats.rejected),
      family("headgate_cache_purged_total", "counter",
             "Responses removed because of invalidations.", stats.purged),
  };
}

Json cache_disk_json(const cache::DiskTierStats& stats) {
  return Json{{"sizeBytes", stats.size_bytes},
              {"records", stats.log.records},
              {"indexBytes", stats.log.index_bytes},
              {"recovered", stats.recovered},
              {"readBy", stats.reads_by},
              {"pastPageCache", stats.direct},
              {"hits", stats.hits},
              {"misses", stats.misses},
              {"written", stats.writer.written},
              {"dropped", stats.writer.dropped},
              {"damaged", stats.log.damaged},
              {"errors", stats.log.errors},
              {"offBecause", stats.off_because}};
}

std::vector<observe::Family> cache_disk_families(const cache::DiskTierStats& stats) {
  const auto per_result = [](const char* name, const char* help, std::uint64_t hits,
                             std::uint64_t misses, std::uint64_t refused) {
    return observe::Family{name,
                           help,
                           "counter",
                           {{"result=\"hit\"", static_cast<double>(hits)},
                            {"result=\"miss\"", static_cast<double>(misses)},
                            {"result=\"refused\"", static_cast<double>(refused)}}};
  };
  return {
      family("headgate_cache_disk_up", "gauge",
             "1 while the disk is used, 0 when it has turned itself off.",
             stats.off_because.empty() ? 1 : 0),
      family("headgate_cache_disk_size_bytes", "gauge", "How much of the disk the cache takes.",
             stats.size_bytes),
      family("headgate_cache_disk_records", "gauge", "Responses and parts of them on the disk.",
             stats.log.records),
      family("headgate_cache_disk_index_bytes", "gauge", "Memory of the index of the disk.",
             stats.log.index_bytes),
      family("headgate_cache_disk_recovered", "gauge",
             "1 once all that is on the disk has been found again.", stats.recovered ? 1 : 0),
      {"headgate_cache_disk_recovery_seconds",
       "How long that has taken.",
       "gauge",
       {{"", stats.recovery_seconds}}},
      {"headgate_cache_disk_reads_by",
       "1 for how the disk is read: by io_uring, or by threads where the kernel refuses that.",
       "gauge",
       {{fmt::format("by=\"{}\"", stats.reads_by), 1.0}}},
      per_result("headgate_cache_disk_reads_total",
                 "Look-ups that the disk was asked about; refused ones met too many others.",
                 stats.hits, stats.misses, stats.refused),
      family("headgate_cache_disk_read_bytes_total", "counter", "Octets read from the disk.",
             stats.read_bytes),
      family("headgate_cache_disk_written_total", "counter", "Responses written to the disk.",
             stats.writer.written),
      family(
          "headgate_cache_disk_dropped_total", "counter",
          "Responses that were to be written and were not: purged meanwhile, or too many waited.",
          stats.writer.dropped),
      family("headgate_cache_disk_waiting_bytes", "gauge",
             "Memory of responses that wait for being written.", stats.writer.waiting_bytes),
      {"headgate_cache_disk_write_bytes_total",
       "Octets written to the disk: new records, records that were used and go around, and the "
       "rest.",
       "counter",
       {{"of=\"new\"", static_cast<double>(stats.log.appended_bytes)},
        {"of=\"reinserted\"", static_cast<double>(stats.log.reinserted_bytes)},
        {"of=\"all\"", static_cast<double>(stats.log.written_bytes)}}},
      family("headgate_cache_disk_damaged_total", "counter",
             "Records that were not what was written; nothing of them is served.",
             stats.log.damaged),
      family("headgate_cache_disk_errors_total", "counter", "Errors of the disk.",
             stats.log.errors),
  };
}

std::vector<observe::Family> waf_families(const guard::waf::Shared& shared,
                                          std::uint64_t held_body_octets) {
  observe::Family requests{"headgate_waf_requests_total",
                           "Requests that a rule of a web ACL matched, by what it did; the rule "
                           "default is the ACL's default action.",
                           "counter",
                           {}};
  for (const auto& row : shared.rows())
    for (std::size_t i = 0; i < static_cast<std::size_t>(guard::waf::RuleEffect::kCount); ++i) {
      const auto effect = static_cast<guard::waf::RuleEffect>(i);
      // Names are of letters, digits, dots, hyphens and underscores: nothing to escape.
      if (const std::uint64_t count = row.tally->count(effect); count != 0)
        requests.samples.push_back({fmt::format("acl=\"{}\",rule=\"{}\",action=\"{}\"", row.acl,
                                                row.rule, guard::waf::name(effect)),
                                    static_cast<double>(count)});
    }
  const guard::waf::RateTable::Stats rates = shared.rates().stats();
  const guard::waf::Verdicts::Stats bots = shared.bots().stats();
  observe::Family lookups{"headgate_waf_bot_lookups_total",
                          "Addresses that DNS was asked about, by what it said; refused ones were "
                          "not asked about, as too many were waiting.",
                          "counter",
                          {{"result=\"verified\"", static_cast<double>(bots.verified)},
                           {"result=\"unverified\"", static_cast<double>(bots.unverified)},
                           {"result=\"failed\"", static_cast<double>(bots.failed)},
                           {"result=\"refused\"", static_cast<double>(bots.refused)}}};
  return {
      std::move(requests),
      std::move(lookups),
      family("headgate_waf_held_body_bytes", "gauge",
             "Memory of bodies that are held back while rules look at them.", held_body_octets),
      family("headgate_waf_rule_sets_compiled_total", "counter",
             "Managed groups that had to be compiled; activations that leave one alone find it.",
             shared.rule_sets_compiled()),
      family("headgate_waf_bot_verdicts", "gauge", "Verdicts on addresses that are kept.",
             bots.verdicts),
      family("headgate_waf_rate_keys", "gauge", "Keys that rate rules count.", rates.keys),
      family("headgate_waf_rate_bytes", "gauge", "Memory of their windows.", rates.bytes),
      family("headgate_waf_rate_keys_forgotten_total", "counter",
             "Keys that had to go although their window was not over, for want of room.",
             rates.forgotten)};
}

std::vector<observe::Family> miss_curve_families(const cache::MissCurveStats& stats) {
  const auto by_size = [](const char* name, const char* help, const auto& values) {
    observe::Family family{name, help, "counter", {}};
    for (std::size_t i = 0; i < values.size(); ++i)
      family.samples.push_back({fmt::format("size=\"{}\"", cache::MissCurveStats::kScales[i]),
                                static_cast<double>(values[i])});
    return family;
  };
  return {
      family("headgate_cache_curve_requests_total", "counter",
             "Look-ups of what can be stored, estimated from a sample.", stats.requests),
      family("headgate_cache_curve_bytes_total", "counter",
             "Octets of what they asked for, estimated from a sample.", stats.bytes),
      by_size("headgate_cache_curve_misses_total",
              "Those that a cache of so many times this one's size would miss.", stats.misses),
      by_size("headgate_cache_curve_missed_bytes_total",
              "Their octets that a cache of so many times this one's size would miss.",
              stats.missed_bytes),
      family("headgate_cache_curve_lost_total", "counter",
             "Samples that were lost, because they came too fast.", stats.lost),
  };
}

std::vector<observe::Family> compression_families(const server::EncodingStats& stats) {
  using OfCoding = server::EncodingStats::OfCoding;
  const auto by_coding = [&](const char* name, const char* help, auto value) {
    observe::Family family{name, help, "counter", {}};
    for (const http::Coding coding : http::kEveryCoding) {
      const OfCoding& of = stats.codings[static_cast<std::size_t>(coding)];
      family.samples.push_back({fmt::format("encoding=\"{}\"", http::name_of(coding)), value(of)});
    }
    return family;
  };
  const auto count = [](std::uint64_t OfCoding::*member) {
    return [member](const OfCoding& of) { return static_cast<double>(of.*member); };
  };
  return {
      by_coding("headgate_compression_encoded_total", "Encodings of responses that were made.",
                count(&OfCoding::made)),
      by_coding("headgate_compression_failures_total",
                "Encodings that were begun in vain: the origin broke off, or no memory.",
                count(&OfCoding::failed)),
      by_coding("headgate_compression_useless_total",
                "Encodings that were no smaller, and so not stored.", count(&OfCoding::useless)),
      by_coding("headgate_compression_input_bytes_total", "Octets that were encoded.",
                count(&OfCoding::input_bytes)),
      by_coding("headgate_compression_output_bytes_total", "Octets that became of them.",
                count(&OfCoding::output_bytes)),
      by_coding("headgate_compression_cpu_seconds_total", "Processor time that took.",
                [](const OfCoding& of) { return static_cast<double>(of.cpu_ns) / 1e9; }),
      family("headgate_compression_refused_total", "counter",
             "Responses that were not encoded at once for want of room.", stats.refused),
      family("headgate_compression_running", "gauge", "Responses that are being encoded.",
             stats.running),
  };
}

Json origins_json(const snapshot::Configuration& configuration) {
  Json list = Json::array();
  for (const auto& distribution : configuration.distributions())
    for (const auto& origin : distribution->origins) {
      const auto& latch = origin.endpoint->latch;
      list.push_back(Json{{"distribution", distribution->name},
                          {"id", origin.id},
                          {"domainName", origin.endpoint->host},
                          {"state", latch != nullptr && latch->is_sick() ? "down" : "up"}});
    }
  return list;
}

Json traffic_json(const observe::Totals& totals) {
  return Json{{"requests", totals.requests},    {"errors", totals.errors},
              {"lookups", totals.lookups},      {"hits", totals.hits},
              {"bytesSent", totals.bytes_sent}, {"connectionsOpen", totals.connections_open}};
}

Json certificates_json(const snapshot::Configuration& configuration) {
  Json list = Json::array();
  for (const auto& distribution : configuration.distributions()) {
    const auto& certificate = distribution->certificate;
    list.push_back(Json{
        {"distribution", distribution->name},
        {"certificate", distribution->source->viewer_certificate.certificate_ref},
        {"selfSigned", certificate == nullptr},
        {"notAfter",
         certificate != nullptr ? Json(reconciler::rfc3339(certificate->not_after())) : Json()}});
  }
  return list;
}

}  // namespace headgate::cli
