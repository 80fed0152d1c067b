// SPDX-License-Identifier: MIT
// `headgate audit`: whether the trail of events is whole.
#include "reconciler/state/audit.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/cli/client/client.h"
#include "appliance/cli/command.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::vector<std::string> files;
  std::string state = "/var/lib/headgate";
  std::string last_hash;
};

/// The oldest first.
std::vector<std::string> files_of(const Flags& flags) {
  if (!flags.files.empty()) return flags.files;
  std::vector<std::string> files;
  for (int i = 4; i > 0; --i)
    if (const std::string older = fmt::format("{}/audit.jsonl.{}", flags.state, i);
        std::ifstream(older).good())
      files.push_back(older);
  files.push_back(flags.state + "/audit.jsonl");
  return files;
}

int audit(const Flags& flags) {
  std::optional<std::string> previous;
  std::uint64_t records = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  for (const std::string& file : files_of(flags)) {
    std::ifstream lines(file, std::ios::binary);
    if (!lines) {
      complain(fmt::format("{}: {}", file, std::strerror(errno)));
      return kInvalid;
    }
    const auto report = reconciler::verify_audit(lines, previous);
    if (report.broken_line != 0) {
      fmt::print("{}:{}: {}\n", file, report.broken_line, report.problem);
      return kFailure;
    }
    if (report.records == 0) continue;
    if (records == 0) first = report.first_sequence;
    records += report.records;
    last = report.last_sequence;
    previous = report.last_hash;
  }
  if (records == 0) {
    fmt::print("no records\n");
    return kOk;
  }
  fmt::print("{} records, {} to {}, are whole\nlast: {}\n", records, first, last, *previous);
  if (flags.last_hash.empty() || flags.last_hash == *previous) return kOk;
  fmt::print("but the last one is not {}\n", clean(flags.last_hash));
  return kFailure;
}

}  // namespace

void add_audit(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand("audit", "Check that the trail of events is whole.");
  command->add_option("file", flags->files, "Files of one trail, the oldest first.")
      ->type_name("FILE");
  add_flag_with_value(*command, "--state", flags->state,
                      "The appliance's state folder, where audit.jsonl is.", "DIR")
      ->capture_default_str();
  add_flag_with_value(*command, "--last", flags->last_hash,
                      "The hash that the trail must end with, kept elsewhere.", "SHA256");
  command->footer(
      "Every event, activations, refusals, purges, overrides, is a line of JSON in audit.jsonl "
      "that "
      "names the\n"
      "SHA-256 of the line before. A line that was changed, taken out or put in breaks the chain. "
      "Keep the last\n"
      "hash somewhere else, and a trail that was made anew is found, too.\n\n"
      "Examples:\n"
      "  headgate audit\n"
      "  headgate audit backup/audit.jsonl.1 backup/audit.jsonl --last 3f9a…\n\n"
      "Exit codes: 0 whole, 1 broken, with FILE:LINE, 2 a file cannot be read.");
  command->callback([flags, exit_code] { *exit_code = audit(*flags); });
}

}  // namespace headgate::cli
