// SPDX-License-Identifier: MIT
// Runs the golden cases: a repository in one file, a line of dashes, and what loading it gives. See
// README.md.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "schema/codes.h"
#include "schema/encode.h"
#include "schema/folder_tree.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace headgate::schema {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDashes = "----------";
constexpr std::string_view kMarker = "--- file: ";

struct Case {
  std::string input;     ///< all before the dashes
  std::string expected;  ///< all after them
  bool edge = false;
  bool defaults = false;
  Layout layout;
  std::vector<std::string> submodules;
  std::map<std::string, std::string> files;
};

std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\x") == 0 && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// "NAME", "NAME escaped" (\xNN stands for an octet), "NAME repeat N" (the body that many times).
void add_file(Case& test, std::string_view header, const std::string& body) {
  std::istringstream words{std::string(header)};
  std::string name, modifier;
  std::size_t count = 0;
  words >> name >> modifier >> count;
  std::string content = modifier == "escaped" ? unescape(body) : body;
  if (modifier == "repeat")
    for (std::size_t i = 1; i < count; ++i) content += body;
  test.files[name] = content;
}

Case parse(const std::string& text) {
  Case test;
  std::string name = "case.yaml", body;
  bool after = false, any = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (after) {
      test.expected += line + "\n";
      continue;
    }
    if (line.starts_with(kDashes)) {
      after = true;
      continue;
    }
    test.input += line + "\n";
    if (!any && line.starts_with("#")) {
      test.edge = test.edge || line == "# edge";
      test.defaults = test.defaults || line == "# defaults";
      std::istringstream words(line);
      std::string hash, word, value;
      words >> hash >> word >> value;
      if (word == "path:") test.layout.path = value;
      if (word == "overlay:") test.layout.overlay = value;
      if (word == "submodule:") test.submodules.push_back(value);
      continue;
    }
    if (line.starts_with(kMarker)) {
      if (any) add_file(test, name, body);
      name = line.substr(kMarker.size());
      body.clear();
      any = true;
      continue;
    }
    any = true;
    body += line + "\n";
  }
  add_file(test, name, body);
  return test;
}

/// The managed policies that a case uses are the same everywhere.
void leave_out_managed(Json& model) {
  for (const char* kind : {"CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy"}) {
    if (!model.is_object() || !model.contains(kind)) continue;
    Json kept = Json::object();
    for (const auto& [name, policy] : model[kind].items())
      if (!name.starts_with("Managed-")) kept[name] = policy;
    if (kept.empty())
      model.erase(kind);
    else
      model[kind] = kept;
  }
}

std::string run(const Case& test, std::set<int>& seen) {
  std::vector<Diagnostic> diagnostics;
  Json json;
  EncodeOptions options;
  options.secret_key = "golden";
  options.defaults = test.defaults ? Defaults::Included : Defaults::LeftOut;
  if (test.edge) {
    LoadedEdge loaded = load_edge("edge.yaml", test.files.begin()->second);
    diagnostics = loaded.diagnostics;
    if (loaded.edge) json = to_json(*loaded.edge, options);
  } else {
    MemoryTree tree(test.files);
    tree.set_layout(test.layout);
    for (const std::string& path : test.submodules) tree.put_submodule(path);
    Loader loader;
    Loaded loaded = loader.load(tree);
    diagnostics = loaded.diagnostics;
    if (loaded.model) json = to_json(*loaded.model, options);
    if (!test.defaults) leave_out_managed(json);
  }
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) {
    out += diagnostic.text() + "\n";
    seen.insert(diagnostic.code);
  }
  if (!json.is_null()) out += json.dump(2) + "\n";
  return out;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void show_difference(const fs::path& path, const std::string& expected, const std::string& got) {
  std::istringstream a(expected), b(got);
  std::string left, right;
  for (int line = 1;; ++line) {
    bool more_left = static_cast<bool>(std::getline(a, left));
    bool more_right = static_cast<bool>(std::getline(b, right));
    if (!more_left && !more_right) return;
    if (more_left == more_right && left == right) continue;
    std::cerr << fmt::format("{}: line {} after the dashes\n  expected: {}\n  got:      {}\n",
                             path.filename().string(), line, more_left ? left : "(end)",
                             more_right ? right : "(end)");
    return;
  }
}

int run_cases(const fs::path& folder, bool update) {
  int failures = 0, count = 0;
  std::set<int> seen;
  std::set<fs::path> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".golden") paths.insert(entry.path());
  for (const fs::path& path : paths) {
    Case test = parse(read_file(path));
    std::string got = run(test, seen);
    ++count;
    if (got == test.expected) continue;
    if (update) {
      std::ofstream(path, std::ios::binary) << test.input << kDashes << "\n" << got;
      std::cout << "updated " << path.filename().string() << "\n";
      continue;
    }
    show_difference(path, test.expected, got);
    ++failures;
  }
  // What no text can hold is in unit tests; 15xx are about a running edge, what has expired and
  // 16xx about a repository's history.
  const std::set<int> elsewhere = {static_cast<int>(Code::Unreadable),
                                   static_cast<int>(Code::TooManyFiles),
                                   static_cast<int>(Code::InvalidationExpired)};
  constexpr int kFirstElsewhere = 1500;
  for (const CodeInfo& info : codes()) {
    int code = static_cast<int>(info.code);
    if (seen.contains(code) || elsewhere.contains(code) || code >= kFirstElsewhere) continue;
    std::cerr << fmt::format("no golden case shows HG{:04}: {}\n", code, info.meaning);
    ++failures;
  }
  std::cout << fmt::format("{} cases, {} failures\n", count, failures);
  return failures;
}

/// The machine's own file: its limits are said to be the defaults.
int run_edge_example(const fs::path& path) {
  const std::string name = "examples/" + path.filename().string();
  LoadedEdge loaded = load_edge(name, read_file(path));
  for (const Diagnostic& diagnostic : loaded.diagnostics) std::cerr << diagnostic.text() << "\n";
  if (!loaded.edge || !loaded.diagnostics.empty()) return 1;
  EncodeOptions options;
  options.defaults = Defaults::LeftOut;
  const Json json = to_json(*loaded.edge, options);
  if (json["spec"].contains("limits")) {
    std::cerr << name << ": not the defaults: " << json["spec"]["limits"].dump() << "\n";
    return 1;
  }
  std::cout << name << " loaded\n";
  return 0;
}

/// Every example loads without an error or a warning.
int run_examples(const fs::path& folder) {
  int failures = 0;
  if (!fs::is_directory(folder)) return 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") failures += run_edge_example(entry.path());
    if (!entry.is_directory()) continue;
    Result<FolderTree> tree = FolderTree::open(entry.path().string());
    if (!tree) {
      std::cerr << tree.error().context << "\n";
      ++failures;
      continue;
    }
    Loader loader;
    for (const Diagnostic& diagnostic : loader.load(*tree).diagnostics) {
      std::cerr << "examples/" << entry.path().filename().string() << "/" << diagnostic.text()
                << "\n";
      ++failures;
    }
    std::cout << "examples/" << entry.path().filename().string() << " loaded\n";
  }
  return failures;
}

}  // namespace
}  // namespace headgate::schema

int main(int argc, char** argv) {
  const std::filesystem::path source = HEADGATE_SOURCE_DIR;
  std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "--examples") return headgate::schema::run_examples(source / "examples") == 0 ? 0 : 1;
  if (!mode.empty() && mode != "--update") {
    std::cerr << "usage: golden [--update | --examples]\n";
    return 2;
  }
  return headgate::schema::run_cases(source / "tests" / "golden", mode == "--update") == 0 ? 0 : 1;
}
