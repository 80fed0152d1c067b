// SPDX-License-Identifier: MIT
// Thread CPU of our engine and of libmodsecurity for the same requests, in the same run:
//   crs_bench [--paranoia N] [--cache FOLDER] [--rounds N]
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <vector>

#include "tests/crs/engine.h"
#include "tests/crs/peer.h"

namespace {

using namespace headgate::crs_test;

double cpu_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// The median of `rounds` calls with the number of the round, after some to warm up.
double median(int rounds, const std::function<void(std::size_t)>& work) {
  for (int i = 0; i < rounds / 10 + 1; ++i) work(0);
  std::vector<double> took;
  for (int i = 0; i < rounds; ++i) {
    const double before = cpu_microseconds();
    work(static_cast<std::size_t>(i));
    took.push_back(cpu_microseconds() - before);
  }
  std::nth_element(took.begin(), took.begin() + rounds / 2, took.end());
  return took[static_cast<std::size_t>(rounds / 2)];
}

WireRequest browser() {
  WireRequest request;
  request.target = "/static/site/logo.png";
  request.headers = {
      {"Host", "www.example.com"},
      {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"},
      {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"},
      {"Accept-Language", "en-US,en;q=0.5"},
      {"Accept-Encoding", "gzip, deflate, br"},
      {"Referer", "https://www.example.com/products/list"},
      {"Connection", "keep-alive"},
      {"Upgrade-Insecure-Requests", "1"},
      {"Sec-Fetch-Dest", "document"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Cookie", "sid=4f1c2a9be07d4a51; theme=dark; consent=yes"},
      {"Cache-Control", "max-age=0"}};
  return request;
}

// `seed` makes every value another, so that nothing is remembered of the last request.
WireRequest form(std::size_t arguments, std::size_t value_octets, std::size_t seed) {
  WireRequest request = browser();
  request.method = "POST";
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  const std::string_view words = "the quick brown fox jumps over a lazy dog ";
  for (std::size_t i = 0; i < arguments; ++i) {
    if (i > 0) request.body += '&';
    request.body += fmt::format("field{}={}x", i, seed * arguments + i);
    for (std::size_t k = 0; k < value_octets; ++k) {
      const char c = words[(i + k) % words.size()];
      request.body += c == ' ' ? '+' : c;
    }
  }
  request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  return request;
}

WireRequest json(std::size_t seed) {
  WireRequest request = browser();
  request.method = "POST";
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = "{\"items\":[";
  for (int i = 0; i < 40; ++i)
    request.body += fmt::format("{}{{\"id\":{},\"name\":\"item number {}\",\"ok\":true}}",
                                i == 0 ? "" : ",", i, seed * 40 + static_cast<std::size_t>(i));
  request.body += "]}";
  request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("CPU of our engine and of libmodsecurity");
  std::string folder = "/usr/share/modsecurity-crs/rules";
  std::string cache;
  int paranoia = 1;
  int rounds = 1000;
  bool alone = false;
  app.add_option("--rules", folder);
  app.add_option("--cache", cache);
  app.add_option("--paranoia", paranoia);
  app.add_option("--rounds", rounds);
  std::string only;
  app.add_option("--only", only, "one of the requests, by its name");
  app.add_flag("--alone", alone, "without libmodsecurity");
  CLI11_PARSE(app, argc, argv);

  const auto query = [](std::size_t seed) {
    WireRequest request = browser();
    request.target = fmt::format(
        "/search?q=running+shoes+{0}&page={0}&sort=price{0}&size=42{0}&color=dark%20blue{0}", seed);
    return request;
  };
  using Make = std::function<WireRequest(std::size_t)>;
  const std::pair<const char*, Make> kinds[] = {
      {"GET", [](std::size_t) { return browser(); }},
      {"GET, five parameters", query},
      {"form of 2 KB", [](std::size_t seed) { return form(10, 200, seed); }},
      {"JSON of 2 KB", json},
      {"form of 500 arguments", [](std::size_t seed) { return form(500, 10, seed); }},
      {"form of 100 KB", [](std::size_t seed) { return form(10, 10000, seed); }},
      {"form of 100 KB in one value", [](std::size_t seed) { return form(1, 100000, seed); }}};
  const auto rules = load_crs(folder, regression_options(paranoia), cache);
  headgate::guard::waf::Workspace workspace;
  Peer peer(folder, paranoia);
  fmt::print("paranoia {}, medians of thread CPU\n", paranoia);
  for (const auto& [name, make] : kinds) {
    if (!only.empty() && only != name) continue;
    std::vector<WireRequest> requests;
    for (std::size_t seed = 0; seed < 64; ++seed) requests.push_back(make(seed));
    const bool large = requests.front().body.size() > 4000;
    const double ours = median(large ? std::min(rounds, 200) : rounds, [&](std::size_t round) {
      evaluate(*rules, workspace, requests[round % requests.size()]);
    });
    const double theirs =
        alone ? 0 : median(large ? 10 : std::min(rounds, 200), [&](std::size_t round) {
          peer.evaluate(requests[round % requests.size()]);
        });
    fmt::print("{:<28} ours {:>9.1f} us, libmodsecurity {:>10.1f} us: {:.1f} times; matched {}\n",
               name, ours, theirs, theirs / ours,
               fmt::join(evaluate(*rules, workspace, requests.front()).rules, " "));
  }
  return 0;
}
