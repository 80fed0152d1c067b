// SPDX-License-Identifier: MIT
// Runs cases in the format of the CRS project's regression tests through the engine:
//   crs_regression FOLDER [--paranoia N] [--rules FOLDER] [--cache FOLDER] [--at-least N] [-v]
// Exits with 1 when fewer than --at-least cases agree (default: all of them).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/crs/engine.h"

namespace {

using namespace headgate::crs_test;
namespace fs = std::filesystem;

struct Tally {
  int agree = 0;
  int refused = 0;  ///< of those: refused by any strict parser, where that counts as agreeing
  int by_status = 0;
  int cases = 0;
};

bool about_protocol(const std::string& id) {
  return id.starts_with("920") || id.starts_with("921");
}

std::vector<std::string> yaml_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Cases of the CRS's regression tests, through the engine");
  std::string folder;
  std::string rules_folder = "/usr/share/modsecurity-crs/rules";
  std::string cache;
  int paranoia = 4;
  int at_least = -1;
  bool verbose = false;
  app.add_option("folder", folder)->required();
  app.add_option("--rules", rules_folder);
  app.add_option("--cache", cache);
  app.add_option("--paranoia", paranoia);
  app.add_option("--at-least", at_least);
  app.add_flag("-v", verbose);
  CLI11_PARSE(app, argc, argv);

  const auto rules = load_crs(rules_folder, regression_options(paranoia), cache);
  headgate::guard::waf::Workspace workspace;
  std::map<std::string, Tally> families;
  for (const std::string& file : yaml_files(folder)) {
    for (const Case& one : read_cases(file)) {
      Tally& tally = families[fs::path(file).parent_path().filename()];
      ++tally.cases;
      if (one.by_status) {  // for the tests over the wire
        ++tally.by_status;
        ++tally.agree;
        continue;
      }
      // What no server lets through no rule sees.
      const Outcome outcome =
          one.request.well_formed ? evaluate(*rules, workspace, one.request) : Outcome();
      bool agrees = (one.expected.empty() || outcome.rules.count(one.expected) != 0) &&
                    (one.unexpected.empty() || outcome.rules.count(one.unexpected) == 0);
      if (!agrees && !one.request.well_formed && about_protocol(one.expected)) {
        agrees = true;
        ++tally.refused;
      }
      if (agrees) ++tally.agree;
      if (agrees && !verbose) continue;
      fmt::print("{} {}: expected '{}', not '{}'; matched {}\n", agrees ? "agrees" : "DIFFERS",
                 one.title, one.expected, one.unexpected, fmt::join(outcome.rules, " "));
    }
  }
  Tally all;
  for (const auto& [family, tally] : families) {
    fmt::print("{}: {} of {} agree ({} refused by strict parsing, {} only about a status)\n",
               family, tally.agree, tally.cases, tally.refused, tally.by_status);
    all.agree += tally.agree;
    all.cases += tally.cases;
  }
  fmt::print("all: {} of {}\n", all.agree, all.cases);
  return all.agree >= (at_least < 0 ? all.cases : at_least) && all.cases > 0 ? 0 : 1;
}
