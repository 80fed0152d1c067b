// SPDX-License-Identifier: MIT
// `headgate generate-trace`: a synthetic trace of requests for `headgate replay-cache`.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>

#include "appliance/cache/simulate/generator.h"
#include "appliance/cli/command.h"
#include "schema/base/units.h"

namespace headgate::cli {
namespace {

using cache::TraceGenerator;

struct Flags {
  TraceGenerator::Options options;
  std::string median_size = "24KiB";
  std::string max_size = "4GiB";
};

Status check(Flags& flags) {
  TraceGenerator::Options& options = flags.options;
  HG_TRY(const std::uint64_t median, parse_size(flags.median_size), "--median-size {}",
         flags.median_size);
  HG_TRY(options.max_size, parse_size(flags.max_size), "--max-size {}", flags.max_size);
  options.median_size = static_cast<double>(median);
  if (median == 0 || median > options.max_size)
    return fail(Blame::Config, "--median-size {}: more than 0, at most --max-size",
                flags.median_size);
  if (options.objects == 0) return fail(Blame::Config, "--objects 0: at least 1");
  if (!(options.zipf >= 0 && options.zipf <= 4))
    return fail(Blame::Config, "--zipf {}: 0 to 4", options.zipf);
  if (!(options.sigma >= 0 && options.sigma <= 8))
    return fail(Blame::Config, "--sigma {}: 0 to 8", options.sigma);
  if (!(options.one_hit >= 0 && options.one_hit <= 1))
    return fail(Blame::Config, "--one-hit {}: 0 to 1", options.one_hit);
  if (!(options.requests_per_second > 0))
    return fail(Blame::Config, "--rate {}: more than 0", options.requests_per_second);
  return {};
}

int generate(Flags& flags) {
  if (const Status good = check(flags); !good) {
    complain(good.error().context);
    return kInvalid;
  }
  TraceGenerator generator(flags.options);
  std::string lines = "time,key,size\n";
  bool written = true;
  while (written && !generator.done()) {
    const TraceGenerator::Request request = generator.next();
    fmt::format_to(std::back_inserter(lines), "{:.6f},{},{}\n", request.time_s,
                   cache::key_of(request), request.size_bytes);
    if (lines.size() < 65536) continue;
    written = std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size();
    lines.clear();
  }
  written = written && std::fwrite(lines.data(), 1, lines.size(), stdout) == lines.size() &&
            std::fflush(stdout) == 0;
  if (written) return kOk;
  complain(fmt::format("standard output: {}", std::strerror(errno)));
  return kFailure;
}

}  // namespace

void add_generate_trace(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  TraceGenerator::Options& options = flags->options;
  CLI::App* command =
      program.add_subcommand("generate-trace", "Print a synthetic trace of requests to a CDN.");
  const auto add = [command](const char* name, auto& value, const char* help, const char* type) {
    add_flag_with_value(*command, name, value, help, type)->capture_default_str();
  };
  add("--seed", options.seed, "The same seed and flags give the same trace.", "N");
  add("--requests", options.requests, "Lines.", "N");
  add("--objects", options.objects, "That are popular at one time.", "N");
  add("--zipf", options.zipf, "The exponent of their popularity; 0: all the same.", "X");
  add("--one-hit", options.one_hit, "The part of the requests for what is asked for once.", "X");
  add("--median-size", flags->median_size, "Of the sizes, which are log-normal.", "SIZE");
  add("--sigma", options.sigma, "Of the logarithm of sizes; 0: all the same.", "X");
  add("--max-size", flags->max_size, "Larger ones are cut.", "SIZE");
  add("--scan-every", options.scan_every, "Requests between scans; 0: none.", "N");
  add("--scan-length", options.scan_length, "Objects that a scan asks for, the same each time.",
      "N");
  add("--lifetime", options.lifetime, "Requests until another object is as popular; 0: never.",
      "N");
  add("--rate", options.requests_per_second, "Requests in a second of the trace.", "X");
  command->footer(
      "Lines are time,key,size. Keys that begin with o are popular, with u are asked for once, "
      "with s are of a scan.\n\n"
      "Examples:\n"
      "  headgate generate-trace > trace.csv\n"
      "  headgate generate-trace --zipf 0.8 --scan-every 200000 --lifetime 500000 | headgate "
      "replay-cache - --size 2GiB\n\n"
      "Exit codes: 0 done, 1 the output cannot be written, 2 bad flags.");
  command->callback([flags, exit_code] { *exit_code = generate(*flags); });
}

}  // namespace headgate::cli
