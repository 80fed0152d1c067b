// SPDX-License-Identifier: MIT
// Compares our engine with libmodsecurity on requests that generate.py has written:
//   crs_differential FILE [--paranoia N] [--cache FOLDER] [--show N] [--argued FILE]
// Prints, by rule, how often only one of them matched. Exits with 1 when a rule differs that is not
// argued about.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/crs/engine.h"
#include "tests/crs/peer.h"

namespace {

using namespace headgate::crs_test;

// JSON has Latin-1 as UTF-8.
std::string octets(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80 || i + 1 == utf8.size()) {
      out += utf8[i];
    } else {
      out += static_cast<char>((lead & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    }
  }
  return out;
}

WireRequest read_request(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  WireRequest request;
  request.method = octets(json["method"]);
  request.target = octets(json["target"]);
  request.protocol = octets(json["protocol"]);
  request.body = octets(json["body"]);
  for (const auto& header : json["headers"])
    request.headers.emplace_back(octets(header[0]), octets(header[1]));
  return request;
}

struct Difference {
  int both = 0;
  int only_ours = 0;
  int only_theirs = 0;
  std::vector<std::string> samples;
};

// First words of the lines of a file: rules that may differ.
std::set<std::string> argued_rules(const std::string& path) {
  std::set<std::string> ids;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) ids.insert(line.substr(0, line.find(' ')));
  return ids;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Our engine and libmodsecurity on the same requests");
  std::string path;
  std::string folder = "/usr/share/modsecurity-crs/rules";
  std::string cache;
  int paranoia = 4;
  std::size_t show = 0;
  std::string argued;
  app.add_option("file", path)->required();
  app.add_option("--rules", folder);
  app.add_option("--cache", cache);
  app.add_option("--paranoia", paranoia);
  app.add_option("--show", show);
  app.add_option("--argued", argued);
  CLI11_PARSE(app, argc, argv);

  const auto rules = load_crs(folder, regression_options(paranoia), cache);
  headgate::guard::waf::Workspace workspace;
  Peer peer(folder, paranoia);
  std::map<std::string, Difference> by_rule;
  std::ifstream file(path);
  int requests = 0;
  int same = 0;
  for (std::string line; std::getline(file, line);) {
    const WireRequest request = read_request(line);
    const auto ours = evaluate(*rules, workspace, request).rules;
    const auto theirs = peer.evaluate(request);
    ++requests;
    if (ours == theirs) ++same;
    for (const std::string& id : ours) {
      Difference& difference = by_rule[id];
      const bool both = theirs.count(id) != 0;
      ++(both ? difference.both : difference.only_ours);
      if (!both && difference.samples.size() < show) difference.samples.push_back("ours: " + line);
    }
    for (const std::string& id : theirs) {
      if (ours.count(id) != 0) continue;
      Difference& difference = by_rule[id];
      ++difference.only_theirs;
      if (difference.samples.size() < show) difference.samples.push_back("theirs: " + line);
    }
  }
  const std::set<std::string> known = argued_rules(argued);
  int news = 0;
  for (const auto& [id, difference] : by_rule) {
    if (difference.only_ours == 0 && difference.only_theirs == 0) continue;
    if (known.count(id) == 0) ++news;
    fmt::print("{}: both {}, only ours {}, only theirs {}\n", id, difference.both,
               difference.only_ours, difference.only_theirs);
    for (const std::string& sample : difference.samples) fmt::print("    {}\n", sample);
  }
  fmt::print("{} of {} requests alike, {} rules seen, {} differ without a reason\n", same, requests,
             by_rule.size(), news);
  return requests > 0 && news == 0 ? 0 : 1;
}
