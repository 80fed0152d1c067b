// SPDX-License-Identifier: MIT
// Who may include whom: reads every #include of schema/, appliance/ and reconciler/ and knows the
// arrows.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = HEADGATE_SOURCE_DIR;

struct Include {
  std::string from;  ///< "appliance/cache/store/store.cc"
  std::string what;  ///< "appliance/http/field.h", or "h2o.h"
};

/// "appliance/cache", "schema", "reconciler": the part of the program that a path from the root
/// belongs to.
std::string area_of(const std::string& path) {
  const std::size_t first = path.find('/');
  if (first == std::string::npos) return "";
  const std::string top = path.substr(0, first);
  if (top != "appliance") return top;
  return path.substr(0, path.find('/', first + 1));
}

/// Which areas an area may include besides itself, schema and the standard library.
const std::map<std::string, std::set<std::string>>& arrows() {
  static const std::map<std::string, std::set<std::string>> kArrows = [] {
    std::map<std::string, std::set<std::string>> may;
    may["schema"] = {};
    may["appliance/base"] = {};
    may["appliance/http"] = {"appliance/base"};
    for (const char* area : {"compress", "cache", "origin", "guard", "functions"})
      may[std::string("appliance/") + area] = {"appliance/base", "appliance/http"};
    // The access log and the metrics speak of guard's reasons.
    may["appliance/observe"] = {"appliance/base", "appliance/http", "appliance/guard"};
    auto& snapshot = may["appliance/snapshot"];
    snapshot = {"appliance/base",   "appliance/http",  "appliance/compress", "appliance/cache",
                "appliance/origin", "appliance/guard", "appliance/functions"};
    may["appliance/admin"] = {"appliance/base", "appliance/http", "appliance/observe"};
    may["appliance/demo"] = {"appliance/base", "appliance/http"};
    auto& server = may["appliance/server"];
    server = snapshot;
    server.insert({"appliance/snapshot", "appliance/observe"});
    may["appliance/warm"] = server;
    auto& reconciler = may["reconciler"];
    reconciler = server;
    reconciler.insert({"appliance/server", "appliance/admin"});
    auto& cli = may["appliance/cli"];
    cli = reconciler;
    cli.insert({"reconciler", "appliance/demo", "appliance/warm"});
    return may;
  }();
  return kArrows;
}

std::vector<Include> read_includes() {
  std::vector<Include> includes;
  for (const char* top : {"schema", "appliance", "reconciler"}) {
    if (!fs::exists(kRoot / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / top)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("#include")) continue;
        const std::size_t open = line.find_first_of("<\"");
        const std::size_t close = line.find_last_of(">\"");
        if (open == std::string::npos || close <= open) continue;
        includes.push_back({.from = fs::relative(entry.path(), kRoot).generic_string(),
                            .what = line.substr(open + 1, close - open - 1)});
      }
    }
  }
  return includes;
}

/// Empty when the arrow is right, else what is wrong with it.
std::string verdict(const Include& include) {
  const std::string from = area_of(include.from);
  const bool is_h2o = include.what == "h2o.h" || include.what.starts_with("h2o/");
  if (is_h2o && from != "appliance/server") return "only appliance/server knows h2o";
  const bool is_quic = include.what.starts_with("ngtcp2/") ||
                       include.what.starts_with("nghttp3/") || include.what.starts_with("gnutls/");
  if (is_quic && !include.from.starts_with("appliance/server/h3/"))
    return "only appliance/server/h3 knows QUIC";
  const auto known = arrows().find(from);
  if (known == arrows().end()) return "a folder without arrows: add it to layering_test.cc";
  const std::string to = area_of(include.what);
  const bool ours = arrows().count(to) != 0 || to == "tests" || to.starts_with("appliance");
  if (!ours || to == from || to == "schema") return "";
  return known->second.count(to) != 0 ? "" : "this arrow points the wrong way";
}

}  // namespace

TEST_CASE("every #include follows the arrows: schema, appliance, reconciler, cli") {
  const std::vector<Include> includes = read_includes();
  CHECK(includes.size() > 100);
  for (const Include& include : includes) {
    const std::string wrong = verdict(include);
    CHECK_MESSAGE(wrong.empty(), include.from, " includes ", include.what, ": ", wrong);
  }
}

TEST_CASE("wrong arrows are told from right ones") {
  const auto wrong = [](const char* from, const char* what) {
    return !verdict({.from = from, .what = what}).empty();
  };
  CHECK_FALSE(wrong("appliance/cache/body.h", "appliance/base/loop.h"));
  CHECK_FALSE(wrong("appliance/cache/body.h", "appliance/cache/account.h"));
  CHECK_FALSE(wrong("appliance/server/h3/crypto/tls.cc", "gnutls/x509.h"));
  CHECK(wrong("appliance/server/worker.cc", "ngtcp2/ngtcp2.h"));
  CHECK_FALSE(wrong("appliance/base/time.h", "schema/base/units.h"));
  CHECK_FALSE(wrong("appliance/server/h2o_loop.h", "h2o.h"));
  CHECK_FALSE(wrong("appliance/base/hash.cc", "xxhash.h"));
  CHECK_FALSE(wrong("appliance/http/authority.cc", "arpa/inet.h"));
  CHECK(wrong("schema/load.h", "appliance/base/time.h"));
  CHECK(wrong("appliance/base/loop.h", "appliance/http/field.h"));
  CHECK(wrong("appliance/http/field.h", "appliance/cache/body.h"));
  CHECK(wrong("appliance/cache/body.h", "appliance/origin/client.h"));
  CHECK(wrong("appliance/cache/body.h", "appliance/server/edge.h"));
  CHECK(wrong("appliance/server/edge.h", "reconciler/loop.h"));
  CHECK(wrong("reconciler/loop.h", "appliance/cli/main.h"));
  CHECK(wrong("appliance/origin/client.cc", "h2o.h"));
  CHECK(wrong("appliance/cli/run.cc", "h2o/socket.h"));
  CHECK(wrong("appliance/cache/body.cc", "tests/support/test_loop.h"));
  CHECK(wrong("appliance/new/thing.h", "vector"));
}
