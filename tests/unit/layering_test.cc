// SPDX-License-Identifier: MIT
// Reads every #include of the tree: arrows between folders go one way only.
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

/// What a folder's files may include besides their own folder's. `schema/base` is everyone's;
/// `schema` is the whole of it.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"schema", {}},
    {"appliance/base", {"schema/base"}},
    {"appliance/http", {"schema/base", "appliance/base"}},
    {"appliance/cache", {"schema/base", "appliance/base", "appliance/http"}},
    {"appliance/origin", {"schema/base", "appliance/base", "appliance/http"}},
    {"appliance/guard", {"schema", "appliance/base", "appliance/http"}},
    {"appliance/snapshot",
     {"schema", "appliance/base", "appliance/http", "appliance/cache", "appliance/origin",
      "appliance/guard"}},
    {"appliance/observe", {"schema/base", "appliance/base", "appliance/http", "appliance/guard"}},
    {"appliance/admin", {"schema", "appliance/base", "appliance/http"}},
    {"appliance/demo", {"schema", "appliance/base", "appliance/http"}},
    {"appliance/server",
     {"schema", "appliance/base", "appliance/http", "appliance/cache", "appliance/origin",
      "appliance/guard", "appliance/snapshot", "appliance/observe"}},
    {"reconciler",
     {"schema", "appliance/base", "appliance/http", "appliance/cache", "appliance/origin",
      "appliance/guard", "appliance/snapshot", "appliance/observe"}},
    {"appliance/cli", {"schema", "appliance", "reconciler"}},
};

bool is_in(const std::string& path, const std::string& folder) {
  return path.starts_with(folder + "/");
}

/// The entry of kMayInclude that a path belongs to, or empty.
std::string area_of(const std::string& path) {
  const auto found = std::find_if(kMayInclude.begin(), kMayInclude.end(),
                                  [&](const auto& entry) { return is_in(path, entry.first); });
  return found == kMayInclude.end() ? std::string() : found->first;
}

struct Include {
  std::string file;
  int line = 0;
  std::string target;
};

std::vector<Include> includes_of(const fs::path& root, const std::string& top) {
  std::vector<Include> includes;
  for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
    const std::string ending = entry.path().extension();
    if (ending != ".h" && ending != ".cc") continue;
    std::ifstream file(entry.path());
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      if (!line.starts_with("#include")) continue;
      const auto begin = line.find_first_of("<\"");
      const auto end = line.find_last_of(">\"");
      if (begin == std::string::npos || end <= begin) continue;
      includes.push_back(
          {fs::relative(entry.path(), root), number, line.substr(begin + 1, end - begin - 1)});
    }
  }
  return includes;
}

std::vector<Include> all_includes() {
  std::vector<Include> all;
  for (const char* top : {"schema", "appliance", "reconciler"}) {
    const auto some = includes_of(HEADGATE_SOURCE_DIR, top);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

bool allowed(const std::string& area, const std::string& target) {
  if (area_of(target).empty()) return true;  // not of ours
  if (is_in(target, area)) return true;
  const auto& others = kMayInclude.at(area);
  return std::any_of(others.begin(), others.end(),
                     [&](const std::string& other) { return is_in(target, other); });
}

}  // namespace

TEST_CASE("includes go only from a layer to those below it") {
  const auto includes = all_includes();
  REQUIRE(includes.size() > 100);
  for (const auto& include : includes) {
    const std::string area = area_of(include.file);
    INFO(include.file << ":" << include.line << ": #include \"" << include.target << "\"");
    CHECK_MESSAGE(!area.empty(), "the folder is not in the table of this test");
    if (!area.empty()) CHECK_MESSAGE(allowed(area, include.target), area << " may not know it");
  }
}

TEST_CASE("only appliance/server includes h2o") {
  for (const auto& include : all_includes()) {
    if (include.target != "h2o.h" && !include.target.starts_with("h2o/")) continue;
    INFO(include.file << ":" << include.line);
    CHECK(is_in(include.file, "appliance/server"));
  }
}

TEST_CASE("a header is included by its path from the root") {
  for (const auto& include : all_includes()) {
    INFO(include.file << ":" << include.line << ": #include \"" << include.target << "\"");
    CHECK_FALSE(include.target.starts_with("."));
  }
}
