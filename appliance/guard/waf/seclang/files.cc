// SPDX-License-Identifier: MIT
// Rule files on disk.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "appliance/guard/waf/seclang/reader.h"

namespace headgate::guard::waf {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kGreatestFile = 4 << 20;

class FilesOnDisk final : public RuleFiles {
 public:
  Result<std::string> read(const std::string& path) const override {
    std::ifstream file(path, std::ios::binary);
    std::string text(kGreatestFile + 1, '\0');
    if (!file) return fail(Blame::Config, "{} cannot be opened", path);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return fail(Blame::Config, "{} cannot be read", path);
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kGreatestFile) return fail(Blame::Config, "{} is longer than 4 MiB", path);
    return text;
  }

  std::vector<std::string> list(const std::string& pattern) const override {
    std::error_code error;
    fs::path path = pattern;
    if (fs::is_directory(path, error)) path /= "*.conf";
    const std::string name = path.filename();
    const std::size_t star = name.find('*');
    if (star == std::string::npos) {
      if (fs::exists(path, error)) return {path};
      return {};
    }
    std::vector<std::string> found;
    for (fs::directory_iterator at(path.parent_path(), error), end; !error && at != end;
         at.increment(error)) {
      const std::string candidate = at->path().filename();
      if (candidate.size() + 1 >= name.size() && candidate.starts_with(name.substr(0, star)) &&
          candidate.ends_with(name.substr(star + 1)))
        found.push_back(at->path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

}  // namespace

std::unique_ptr<RuleFiles> rule_files_on_disk() { return std::make_unique<FilesOnDisk>(); }

}  // namespace headgate::guard::waf
