// SPDX-License-Identifier: MIT
// A folder that goes with the test, and a git repository in one.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace headgate::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "headgate-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

/// A repository made by the git program, free of the user's configuration.
class ScratchRepository {
 public:
  explicit ScratchRepository(std::string path, const std::string& options = "")
      : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    git("-c init.defaultBranch=main init --quiet " + options);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  /// The first line of what it prints; throws when it fails.
  std::string git(const std::string& arguments) const {
    const std::string command =
        "GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=Test "
        "GIT_AUTHOR_EMAIL=t@localhost "
        "GIT_COMMITTER_NAME=Test GIT_COMMITTER_EMAIL=t@localhost git -C '" +
        path_ + "' " + arguments + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string output;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
    if (::pclose(pipe) != 0) throw std::runtime_error("git " + arguments + ": " + output);
    return output.substr(0, output.find('\n'));
  }

  void write(const std::string& file, const std::string& content) const {
    test::write(path_ + "/" + file, content);
  }

  /// Everything as it is now; the commit's id.
  std::string commit(const std::string& message = "change") const {
    git("add --all");
    git("commit --quiet --allow-empty --message '" + message + "'");
    return git("rev-parse HEAD");
  }

 private:
  std::string path_;
};

/// A valid repository of one file: distribution `shop`, whose responses carry X-Mark: `mark`.
inline std::string shop_yaml(const std::string& mark) {
  return R"(apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.test]
  origins:
    - id: main
      domainName: 127.0.0.1
      custom: { originProtocolPolicy: http-only, httpPort: 9 }
  defaultCacheBehavior: { targetOriginId: main, viewerProtocolPolicy: allow-all, responseHeadersPolicy: mark }
---
apiVersion: headgate/v1
kind: ResponseHeadersPolicy
metadata: { name: mark }
spec:
  customHeaders: [{ header: X-Mark, value: ")" +
         mark + R"(", override: true }]
)";
}

inline std::string invalidation_yaml(const std::string& name, const std::string& path) {
  return "apiVersion: headgate/v1\nkind: Invalidation\nmetadata: { name: " + name +
         " }\nspec:\n  distribution: shop\n  select: { paths: [\"" + path + "\"] }\n";
}

}  // namespace headgate::test
