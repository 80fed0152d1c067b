// SPDX-License-Identifier: MIT
// Following a ref of a real repository: what moves, what hangs, what breaks.
#include <doctest/doctest.h>

#include "reconciler/source/source.h"
#include "reconciler/source/working_tree.h"
#include "tests/support/scratch.h"
#include "tests/support/silent_server.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::ScratchFolder;
using test::ScratchRepository;
using test::SilentServer;

namespace {

std::unique_ptr<Source> follow(const std::string& url, const std::string& state,
                               const std::string& ref = "main",
                               Duration timeout = std::chrono::minutes(1)) {
  std::filesystem::create_directories(state);
  schema::EdgeSource options;
  options.urls = {url};
  options.ref = ref;
  options.timeout = timeout;
  auto source = Source::open(options, state);
  REQUIRE_MESSAGE(source.has_value(), (source ? "" : source.error().context));
  return std::move(*source);
}

std::string fetch(Source& source) {
  const auto commit = source.fetch(nullptr);
  REQUIRE_MESSAGE(commit.has_value(), (commit ? "" : commit.error().context));
  return *commit;
}

std::string failure(Source& source) {
  const auto commit = source.fetch(nullptr);
  REQUIRE_FALSE(commit.has_value());
  return commit.error().context;
}

std::string content(Source& source, const std::string& commit, const std::string& path) {
  const auto tree = source.tree(commit);
  REQUIRE_MESSAGE(tree.has_value(), (tree ? "" : tree.error().context));
  for (const auto& entry : (*tree)->entries())
    if (entry.path == path) return (*tree)->read(entry).value_or("unreadable");
  return "missing";
}

/// Whether reading the first file finds damage.
bool damages_reading(Source& source, const std::string& commit) {
  const auto tree = source.tree(commit);
  REQUIRE(tree.has_value());
  const auto text = (*tree)->read((*tree)->entries().front());
  REQUIRE((*tree)->damaged() == !text.has_value());
  return (*tree)->damaged();
}

struct Fixture {
  ScratchFolder folder;
  ScratchRepository repository{folder / "site"};
  std::string state = folder / "state";
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a working repository is followed commit by commit") {
  repository.write("a/shop.yaml", "one");
  const std::string first = repository.commit();
  const auto source = follow(repository.path(), state);
  CHECK(fetch(*source) == first);
  CHECK(content(*source, first, "a/shop.yaml") == "one");
  CHECK(fetch(*source) == first);
  repository.write("a/shop.yaml", "two");
  const std::string second = repository.commit("say 'two'");
  CHECK(fetch(*source) == second);
  CHECK(content(*source, second, "a/shop.yaml") == "two");
  CHECK(source->describe(second)->author == "Test");
  CHECK(source->is_ancestor(first, second));
  CHECK_FALSE(source->is_ancestor(second, first));
  CHECK(source->remakes() == 0);
}

TEST_CASE_FIXTURE(
    Fixture,
    "a bare repository and file:// are followed too, from a mirror that is there already") {
  repository.write("x.yaml", "one");
  const std::string first = repository.commit();
  repository.git("clone --quiet --bare . '" + folder / "bare.git" + "'");
  CHECK(fetch(*follow(folder / "bare.git", state)) == first);
  CHECK(fetch(*follow("file://" + folder / "bare.git", state)) == first);
}

TEST_CASE_FIXTURE(Fixture, "a force-push is followed, to whatever the ref names") {
  repository.write("x.yaml", "one");
  const std::string first = repository.commit();
  repository.write("x.yaml", "two");
  const std::string second = repository.commit();
  const auto source = follow(repository.path(), state);
  CHECK(fetch(*source) == second);
  repository.git("reset --quiet --hard HEAD~1");
  CHECK(fetch(*source) == first);
  repository.write("x.yaml", "other");
  const std::string other = repository.commit();
  CHECK(fetch(*source) == other);
  CHECK_FALSE(source->is_ancestor(second, other));
  CHECK(content(*source, other, "x.yaml") == "other");
}

TEST_CASE_FIXTURE(Fixture, "a branch wins over a tag of the same name") {
  const std::string first = repository.commit();
  repository.git("tag main");
  const std::string second = repository.commit();
  CHECK(fetch(*follow(repository.path(), state)) == second);
  CHECK(fetch(*follow(repository.path(), state, "refs/tags/main")) == first);
}

TEST_CASE_FIXTURE(Fixture, "tags, annotated ones too, and commit ids can be followed") {
  const std::string first = repository.commit();
  repository.git("tag --annotate --message release v1");
  repository.commit();
  CHECK(fetch(*follow(repository.path(), state, "v1")) == first);
  CHECK(fetch(*follow(repository.path(), folder / "other", first)) == first);
}

TEST_CASE_FIXTURE(Fixture, "what cannot be followed says what to do") {
  repository.commit();
  CHECK(
      failure(*follow(repository.path(), state, "release")).find("no branch or tag \"release\"") !=
      std::string::npos);
  CHECK(failure(*follow(folder / "nowhere", state)).find("check the path") != std::string::npos);
  schema::EdgeSource options;
  options.urls = {repository.path()};
  for (const char* ref : {"", "--upload-pack=id", "a..b", "a b", "a:b", "a^", "main/"}) {
    INFO(ref);
    options.ref = ref;
    CHECK_FALSE(Source::check(options).has_value());
  }
}

TEST_CASE_FIXTURE(Fixture, "a repository that comes back is followed again") {
  const std::string first = repository.commit();
  const auto source = follow(repository.path(), state);
  CHECK(fetch(*source) == first);
  std::filesystem::rename(repository.path(), folder / "away");
  failure(*source);
  CHECK(source->tree(first).has_value());  // what was fetched can be read still
  std::filesystem::rename(folder / "away", repository.path());
  CHECK(fetch(*source) == first);
}

TEST_CASE_FIXTURE(Fixture, "a remote that never answers is given up at the deadline") {
  const SilentServer silent;
  for (const std::string scheme : {"git", "http"}) {
    const auto source = follow(scheme + "://" + silent.authority() + "/site", state, "main",
                               std::chrono::milliseconds(300));
    CHECK(failure(*source).find("no answer within 300ms") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Fixture, "a fetch that is cancelled ends at once") {
  const SilentServer silent;
  const auto source =
      follow("git://" + silent.authority() + "/site", state, "main", std::chrono::hours(1));
  Cancellation cancellation;
  cancellation.cancel();
  CHECK_FALSE(source->fetch(&cancellation).has_value());
}

TEST_CASE_FIXTURE(Fixture,
                  "a mirror that was damaged anywhere gives what was committed, or is made again") {
  const std::string text_of_file = "one, and enough of it to be compressed, compressed, compressed";
  repository.write("x.yaml", text_of_file);
  const std::string first = repository.commit();
  fetch(*follow(repository.path(), state));
  const std::string packs = state + "/repo.git/objects/pack/";
  REQUIRE(std::filesystem::exists(packs));
  std::map<std::string, std::string> whole;
  for (const auto& file : std::filesystem::directory_iterator(packs)) {
    std::filesystem::permissions(file.path(), std::filesystem::perms::owner_all);
    whole[file.path().extension()] = test::read(file.path());
  }
  REQUIRE(whole.count(".pack") == 1);

  const auto check = [&](const std::string& extension, const std::string& damaged) {
    for (const auto& file : std::filesystem::directory_iterator(packs))
      if (file.path().extension() == extension) {
        std::filesystem::permissions(file.path(), std::filesystem::perms::owner_all);
        test::write(file.path(), damaged);
      }
    const auto source = follow(repository.path(), state);
    REQUIRE(fetch(*source) == first);
    if (damages_reading(*source, first)) source->distrust();
    REQUIRE(fetch(*source) == first);
    REQUIRE(content(*source, first, "x.yaml") == text_of_file);
  };
  for (const std::string extension : {".pack", ".idx"}) {
    const std::string& content = whole[extension];
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{10}, content.size() / 2, content.size() - 1}) {
      INFO(extension << " cut after " << length);
      check(extension, content.substr(0, length));
    }
    for (std::size_t at = 0; at < content.size(); at += content.size() / 24) {
      INFO(extension << " altered at " << at);
      std::string altered = content;
      altered[at] = static_cast<char>(altered[at] ^ 0x55);
      check(extension, altered);
    }
  }
}

TEST_CASE_FIXTURE(
    Fixture,
    "files in the place of the mirror, and locks of a git that was killed, are no obstacle") {
  test::write(state + "/repo.git/HEAD", "rubbish");
  const std::string first = repository.commit();
  const auto source = follow(repository.path(), state);
  CHECK(fetch(*source) == first);
  for (const char* lock : {"/refs/headgate/followed.lock", "/packed-refs.lock", "/config.lock",
                           "/objects/pack/tmp_pack_x"})
    test::write(state + "/repo.git" + lock, "");
  const std::string second = repository.commit();
  CHECK(fetch(*source) == second);
  CHECK(source->remakes() == 0);
}

TEST_CASE_FIXTURE(Fixture, "hooks and configuration of the followed repository do not run") {
  test::write(repository / ".git/hooks/post-upload-pack",
              "#!/bin/sh\ntouch '" + folder / "ran" + "'\n");
  repository.git("config uploadpack.packObjectsHook 'touch " + folder / "ran" + "; git'");
  repository.git("config core.fsmonitor 'touch " + folder / "ran" + "'");
  const std::string first = repository.commit();
  std::filesystem::remove(folder / "ran");
  CHECK(fetch(*follow(repository.path(), state)) == first);
  CHECK_FALSE(std::filesystem::exists(folder / "ran"));
}

TEST_CASE_FIXTURE(Fixture, "many small fetches are packed, and everything is there afterwards") {
  repository.write("x.yaml", "0");
  repository.commit();
  const auto source = follow(repository.path(), state);
  std::string last;
  for (int i = 1; i <= 101; ++i) {
    repository.write("x.yaml", std::to_string(i));
    last = repository.commit();
    fetch(*source);
  }
  REQUIRE(source->maintain(nullptr).has_value());
  CHECK(content(*source, last, "x.yaml") == "101");
  std::size_t packs = 0;
  for (const auto& file : std::filesystem::directory_iterator(state + "/repo.git/objects/pack"))
    if (file.path().extension() == ".pack") ++packs;
  CHECK(packs == 1);
  repository.write("x.yaml", "more");
  repository.commit();
  CHECK(content(*source, fetch(*source), "x.yaml") == "more");
}

TEST_CASE_FIXTURE(Fixture, "symbolic links and submodules are listed and cannot be read") {
  repository.write("real.yaml", "one");
  std::filesystem::create_symlink("/etc/passwd", repository / "link.yaml");
  const std::string commit = repository.commit();
  repository.git("update-index --add --cacheinfo 160000," + commit + ",sub.yaml");
  repository.git("commit --quiet --message submodule");
  const auto source = follow(repository.path(), state);
  const std::string head = fetch(*source);
  CHECK(content(*source, head, "real.yaml") == "one");
  CHECK(content(*source, head, "link.yaml") == "unreadable");
  CHECK(content(*source, head, "sub.yaml") == "unreadable");
  CHECK_FALSE((*source->tree(head))->damaged());
}

TEST_CASE_FIXTURE(Fixture, "entries come in the order of their octets") {
  for (const char* path : {"a.yaml", "a/b.yaml", "a-b/c.yaml", "B.yaml"})
    repository.write(path, "x");
  const std::string commit = repository.commit();
  const auto source = follow(repository.path(), state);
  fetch(*source);
  std::vector<std::string> paths;
  const auto tree = source->tree(commit);
  for (const auto& entry : (*tree)->entries()) paths.push_back(entry.path);
  CHECK(paths == std::vector<std::string>{"B.yaml", "a-b/c.yaml", "a.yaml", "a/b.yaml"});
}

TEST_CASE_FIXTURE(Fixture, "a working tree leaves out what git ignores") {
  repository.write(".gitignore", "build/\n*.local.yaml\n");
  for (const char* path :
       {"shop.yaml", "build/x.yaml", "build/deep/y.yaml", "sub/mine.local.yaml", "sub/z.yaml"})
    repository.write(path, "x");
  const auto paths = [](const std::string& root) {
    std::vector<std::string> result;
    const auto tree = WorkingTree::open(root);
    REQUIRE(tree.has_value());
    for (const auto& entry : (*tree)->entries()) result.push_back(entry.path);
    return result;
  };
  CHECK(paths(repository.path()) ==
        std::vector<std::string>{".gitignore", "shop.yaml", "sub/z.yaml"});
  CHECK(paths(repository / "sub") == std::vector<std::string>{"z.yaml"});
  // A folder that is ignored as a whole is meant when it is named.
  CHECK(paths(repository / "build") == std::vector<std::string>{"deep/y.yaml", "x.yaml"});
  CHECK_FALSE(WorkingTree::open(repository / "shop.yaml").has_value());
}
