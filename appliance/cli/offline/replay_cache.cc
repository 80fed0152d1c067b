// SPDX-License-Identifier: MIT
// `headgate replay-cache`: what a trace of requests would miss, by size and policy of the cache.
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/cache/simulate/simulation.h"
#include "appliance/cache/simulate/trace.h"
#include "appliance/cli/command.h"
#include "schema/base/units.h"

namespace headgate::cli {
namespace {

using cache::Policy;
using cache::Simulation;
using cache::TraceReader;

constexpr std::uint64_t kMaxShards = 4096;
constexpr std::uint64_t kShownProblems = 10;
constexpr std::uint64_t kLinesBetweenLooks = 1 << 16;

struct Flags {
  std::string trace;
  std::vector<std::string> sizes;
  std::vector<std::string> policies = {"s3fifo"};
  std::uint64_t shards = 1;
  std::string chunk;
  bool skip_malformed = false;
  bool json = false;
};

/// One cache, and what it has been told.
struct Run {
  Simulation::Options options;
  std::unique_ptr<Simulation> simulation;
};

Result<std::vector<Run>> make_runs(const Flags& flags) {
  if (flags.shards > kMaxShards || !std::has_single_bit(flags.shards))
    return fail(Blame::Config, "--shards {}: a power of two up to {}", flags.shards, kMaxShards);
  Simulation::Options options;
  options.shards = flags.shards;
  if (!flags.chunk.empty()) {
    HG_TRY(options.chunk_bytes, parse_size(flags.chunk), "--chunk {}", flags.chunk);
    if (options.chunk_bytes < 4096)
      return fail(Blame::Config, "--chunk {}: at least 4KiB", flags.chunk);
  }
  std::vector<Run> runs;
  for (const std::string& size : flags.sizes) {
    HG_TRY(options.capacity_bytes, parse_size(size), "--size {}", size);
    if (options.capacity_bytes < flags.shards)
      return fail(Blame::Config, "--size {}: less than an octet for each of {} shards", size,
                  flags.shards);
    for (const std::string& name : flags.policies) {
      const auto policy = cache::policy_named(name);
      if (!policy) return fail(Blame::Config, "--policy {}: s3fifo, lru or gdsf", name);
      options.policy = *policy;
      runs.push_back({options, std::make_unique<Simulation>(options)});
    }
  }
  return runs;
}

/// On a terminal, a line about how far it is, once a second.
class Progress {
 public:
  Progress() : shows_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const TraceReader& trace, std::uint64_t requests) {
    const auto now = std::chrono::steady_clock::now();
    if (!shows_ || now - last_ < std::chrono::seconds(1)) return;
    last_ = now;
    shown_ = true;
    if (trace.file_bytes() == 0) return fmt::print(stderr, "\r{} requests", requests);
    const double part =
        static_cast<double>(trace.bytes_read()) / static_cast<double>(trace.file_bytes());
    fmt::print(stderr, "\r{} requests, {:.0f} %", requests, 100 * part);
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
    shown_ = false;
  }

 private:
  const bool shows_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// How many lines were passed over; nothing when that, or reading, ended it, and the reason has
/// been told.
std::optional<std::uint64_t> replay(TraceReader& trace, const Flags& flags,
                                    std::vector<Run>& runs) {
  Progress progress;
  std::uint64_t malformed = 0;
  std::uint64_t requests = 0;
  TraceReader::Request request;
  for (;;) {
    const TraceReader::Got got = trace.next(request);
    if (got == TraceReader::Got::End) break;
    if (got == TraceReader::Got::Malformed) {
      progress.clear();
      if (++malformed <= kShownProblems) complain(trace.problem());
      if (!flags.skip_malformed) {
        complain("nothing is printed of half a trace; --skip-malformed passes over such lines");
        return std::nullopt;
      }
      continue;
    }
    const std::uint64_t hash = cache::trace_hash(request.key);
    for (Run& run : runs) run.simulation->use(hash, request.size_bytes);
    if (++requests % kLinesBetweenLooks == 0) progress.show(trace, requests);
  }
  progress.clear();
  if (trace.read_error() != 0) {
    complain(fmt::format("{}: {}", flags.trace, std::strerror(trace.read_error())));
    return std::nullopt;
  }
  if (malformed > kShownProblems)
    complain(fmt::format("and {} more malformed lines", malformed - kShownProblems));
  return malformed;
}

void print_text(const Flags& flags, const std::vector<Run>& runs, std::uint64_t malformed) {
  const Simulation::Totals& any = runs.front().simulation->totals();
  fmt::print("{}: {} requests for {} octets{}\n\n", flags.trace, any.requests, any.bytes,
             malformed == 0 ? ""
                            : fmt::format(", {} malformed {} passed over", malformed,
                                          malformed == 1 ? "line" : "lines"));
  fmt::print("{:<8} {:>10} {:>7} {:>8}   {:>12} {:>12} {:>12} {:>12}\n", "policy", "size", "shards",
             "chunk", "object miss", "byte miss", "evictions", "too large");
  for (const Run& run : runs) {
    const Simulation::Totals& totals = run.simulation->totals();
    fmt::print("{:<8} {:>10} {:>7} {:>8}   {:>12.4f} {:>12.4f} {:>12} {:>12}\n",
               cache::name_of(run.options.policy), format_size(run.options.capacity_bytes),
               run.options.shards,
               run.options.chunk_bytes == 0 ? "-" : format_size(run.options.chunk_bytes),
               totals.object_miss_ratio(), totals.byte_miss_ratio(), totals.evictions,
               totals.not_admitted);
  }
}

void print_json(const Flags& flags, const std::vector<Run>& runs, std::uint64_t malformed) {
  nlohmann::json results = nlohmann::json::array();
  for (const Run& run : runs) {
    const Simulation::Totals& totals = run.simulation->totals();
    results.push_back({{"policy", cache::name_of(run.options.policy)},
                       {"sizeBytes", run.options.capacity_bytes},
                       {"shards", run.options.shards},
                       {"chunkBytes", run.options.chunk_bytes},
                       {"objectMissRatio", totals.object_miss_ratio()},
                       {"byteMissRatio", totals.byte_miss_ratio()},
                       {"misses", totals.missed_requests},
                       {"missedBytes", totals.missed_bytes},
                       {"evictions", totals.evictions},
                       {"tooLarge", totals.not_admitted}});
  }
  const Simulation::Totals& any = runs.front().simulation->totals();
  const nlohmann::json json = {{"trace", flags.trace},
                               {"requests", any.requests},
                               {"bytes", any.bytes},
                               {"malformedLines", malformed},
                               {"results", std::move(results)}};
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int run_replay(const Flags& flags) {
  auto runs = make_runs(flags);
  if (!runs) {
    complain(runs.error().context);
    return kInvalid;
  }
  auto trace = TraceReader::open(flags.trace);
  if (!trace) {
    complain(trace.error().context);
    return kInvalid;
  }
  const auto malformed = replay(*trace, flags, *runs);
  if (!malformed) return kInvalid;
  flags.json ? print_json(flags, *runs, *malformed) : print_text(flags, *runs, *malformed);
  return kOk;
}

}  // namespace

void add_replay_cache(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand(
      "replay-cache", "Tell what a trace of requests would miss, by size and policy.");
  command->add_option("trace", flags->trace, "Lines of time,key,size; - is standard input.")
      ->type_name("TRACE.csv")
      ->required();
  add_flag_with_value(*command, "--size", flags->sizes,
                      "How large the cache is; several by commas.", "SIZE")
      ->required()
      ->delimiter(',');
  add_flag_with_value(*command, "--policy", flags->policies,
                      "s3fifo, lru or gdsf; several by commas [s3fifo].", "POLICY")
      ->delimiter(',');
  add_flag_with_value(*command, "--shards", flags->shards,
                      "In how many parts it is; a power of two [1].", "N");
  add_flag_with_value(*command, "--chunk", flags->chunk,
                      "Keep larger objects in pieces of so much [each in one].", "SIZE");
  command->add_flag("--skip-malformed", flags->skip_malformed,
                    "Go on after lines that are not time,key,size.");
  command->add_flag("--json", flags->json, "For machines.");
  command->footer(
      "The policy, the shards and the budget are those of `headgate run`; an object charges its "
      "octets, nothing for\n"
      "its head. Object miss is the part of the requests that were not answered from the cache in "
      "full, byte miss the\n"
      "part of the octets. A line is the time in seconds, the key and the size in octets; the key "
      "may have commas.\n"
      "Lines are taken in their order. A first line `time,key,size` is passed over.\n\n"
      "Examples:\n"
      "  headgate replay-cache trace.csv --size 20GiB\n"
      "  headgate replay-cache trace.csv --size 5GiB,10GiB,20GiB --policy s3fifo,lru,gdsf\n"
      "  headgate generate-trace --requests 5000000 | headgate replay-cache - --size 1GiB --shards "
      "16 --chunk 1MiB\n\n"
      "Exit codes: 0 done, 2 bad flags, or a trace that is unreadable or malformed.");
  command->callback([flags, exit_code] { *exit_code = run_replay(*flags); });
}

}  // namespace headgate::cli
