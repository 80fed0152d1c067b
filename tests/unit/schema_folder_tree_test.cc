// SPDX-License-Identifier: MIT
// A plain folder as a tree.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "schema/folder_tree.h"

using namespace headgate;
using namespace headgate::schema;
namespace fs = std::filesystem;

namespace {

/// A folder that goes away with the test.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "headgate-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void write(const std::string& path, const std::string& content) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

std::vector<std::string> paths(const FolderTree& tree) {
  std::vector<std::string> out;
  for (const Tree::Entry& entry : tree.entries()) out.push_back(entry.path);
  return out;
}

}  // namespace

TEST_CASE("a folder is listed in byte order, without .git; another repository in it is one entry") {
  Scratch scratch;
  scratch.write("b.yaml", "b");
  scratch.write("a/c.yaml", "c");
  scratch.write("a.yaml", "a");
  scratch.write(".git/config.yaml", "x");
  scratch.write("sub/.git/x.yaml", "x");
  scratch.write("sub/x.yaml", "x");
  scratch.write("worktree/.git", "gitdir: elsewhere");
  Result<FolderTree> tree = FolderTree::open(scratch.root().string());
  REQUIRE(tree);
  CHECK(paths(*tree) ==
        std::vector<std::string>{"a.yaml", "a/c.yaml", "b.yaml", "sub", "worktree"});
  for (const auto& entry : tree->entries()) {
    const bool is_repository = entry.path == "sub" || entry.path == "worktree";
    CHECK((entry.kind == Tree::Entry::Kind::Submodule) == is_repository);
  }
  CHECK(*tree->read(tree->entries()[1]) == "c");
  CHECK(tree->entries()[0].size == 1);
}

TEST_CASE("a symbolic link is listed and not read, a linked folder is not entered") {
  Scratch scratch, outside;
  outside.write("secret.yaml", "secret");
  scratch.write("a.yaml", "a");
  fs::create_symlink(outside.root() / "secret.yaml", scratch.root() / "link.yaml");
  fs::create_directory_symlink(outside.root(), scratch.root() / "folder");
  Result<FolderTree> tree = FolderTree::open(scratch.root().string());
  REQUIRE(tree);
  CHECK(paths(*tree) == std::vector<std::string>{"a.yaml", "folder", "link.yaml"});
  Result<std::string> content = tree->read(tree->entries()[2]);
  REQUIRE(!content);
  CHECK(content.error().context == "symbolic links are not read");
  Loader loader;
  Loaded loaded = loader.load(*tree);
  CHECK(!loaded.model);
}

TEST_CASE("an entry's id changes with its content") {
  Scratch scratch;
  scratch.write("a.yaml", "one");
  auto id = [&] { return FolderTree::open(scratch.root().string())->entries()[0].id; };
  std::string before = id();
  CHECK(id() == before);
  scratch.write("a.yaml", "three");
  CHECK(id() != before);
}

TEST_CASE("what is no folder is refused with its name") {
  Result<FolderTree> missing = FolderTree::open("/nonexistent/headgate");
  REQUIRE(!missing);
  CHECK(missing.error().context.find("/nonexistent/headgate") != std::string::npos);
  Scratch scratch;
  scratch.write("a.yaml", "a");
  CHECK(!FolderTree::open((scratch.root() / "a.yaml").string()));
}

TEST_CASE("a file that is gone since the folder was opened is an error") {
  Scratch scratch;
  scratch.write("a.yaml", "a");
  Result<FolderTree> tree = FolderTree::open(scratch.root().string());
  REQUIRE(tree);
  fs::remove(scratch.root() / "a.yaml");
  CHECK(!tree->read(tree->entries()[0]));
}
