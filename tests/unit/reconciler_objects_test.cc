// SPDX-License-Identifier: MIT
// Reading a repository's objects through git: what is there, what is not, and files that fail under
// the one who reads them.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "reconciler/source/objects/object_reader.h"
#include "reconciler/source/repository.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::ScratchFolder;
using test::ScratchRepository;

namespace {

namespace fs = std::filesystem;

struct Fixture {
  ScratchFolder folder;
  ScratchRepository repository{folder / "repo"};
  ObjectReader reader{repository / ".git"};

  std::string store(const std::string& content) const {
    repository.write("scratch", content);
    return repository.git("hash-object -w --path x -- scratch");
  }

  /// Only in packs, as after a large fetch.
  void pack() const { repository.git("repack -adq"); }

  std::vector<fs::path> packs(const std::string& extension) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(repository / ".git/objects/pack"))
      if (entry.path().extension() == extension) {
        fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
        found.push_back(entry.path());
      }
    REQUIRE_FALSE(found.empty());
    return found;
  }

  std::string octets(const std::string& id) {
    auto found = reader.read(id);
    REQUIRE_MESSAGE(found.has_value(), (found ? "" : found.error().context));
    REQUIRE(found->has_value());
    return (*found)->octets;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "objects are found by their id or its beginning") {
  const std::string id = store("hello\n");
  const auto header = reader.header(id.substr(0, 9));
  REQUIRE((header.has_value() && header->has_value()));
  CHECK((*header)->id == id);
  CHECK((*header)->type == "blob");
  CHECK((*header)->size == 6);
  CHECK(octets(id) == "hello\n");
  CHECK(octets(store("")).empty());
  CHECK(octets(id.substr(0, 4)) == "hello\n");

  const std::string none(40, '1');
  CHECK_FALSE(reader.header(none).value().has_value());
  CHECK_FALSE(reader.read(none).value().has_value());
  CHECK_FALSE(reader.read("HEAD").has_value());
  CHECK_FALSE(reader.read(id + "\ncontents " + id).has_value());
}

TEST_CASE_FIXTURE(Fixture, "of several ids with the same beginning, none is taken") {
  // "42" and "7" and so on until two ids share four digits: a few hundred at most.
  std::string beginning;
  std::set<std::string> seen;
  for (int i = 0; beginning.empty(); ++i) {
    const std::string four = store(std::to_string(i)).substr(0, 4);
    if (!seen.insert(four).second) beginning = four;
  }
  const auto found = reader.read(beginning);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().context.find("several objects' ids begin with " + beginning) !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "many headers come in their order, and those of no object") {
  std::vector<std::string> ids;
  std::string list;
  for (int i = 0; i < 1500; ++i) {
    repository.write("many/" + std::to_string(i), std::to_string(i));
    list += "many/" + std::to_string(i) + "\n";
  }
  repository.write("list", list);
  repository.git("hash-object -w --stdin-paths < '" + repository / "list" + "' > '" +
                 repository / "ids" + "'");
  std::istringstream lines(test::read(repository / "ids"));
  for (std::string id; lines >> id;) ids.push_back(id);
  REQUIRE(ids.size() == 1500);
  ids[700] = std::string(40, '1');
  const auto headers = reader.headers(ids);
  REQUIRE(headers.has_value());
  REQUIRE(headers->size() == 1500);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CAPTURE(i);
    REQUIRE((*headers)[i].has_value() == (i != 700));
    if (i != 700) CHECK((*headers)[i]->id == ids[i]);
    if (i != 700) CHECK((*headers)[i]->size == std::to_string(i).size());
  }
}

TEST_CASE_FIXTURE(Fixture, "what comes while the program runs is found") {
  CHECK(octets(store("before")) == "before");
  const std::string loose = store("after");
  CHECK(octets(loose) == "after");
  repository.commit();
  pack();  // what it has seen loose is gone
  CHECK(octets(repository.git("rev-parse HEAD:scratch")) == "after");
  ScratchRepository other(folder / "other");
  other.write("file", "elsewhere");
  other.commit();
  const std::string elsewhere = other.git("rev-parse HEAD:file");
  CHECK_FALSE(reader.read(elsewhere).value().has_value());
  reader.add(other / ".git/objects");
  CHECK(octets(elsewhere) == "elsewhere");
}

TEST_CASE_FIXTURE(Fixture, "an object of another folder whose name needs quotes is found") {
  ScratchRepository other(folder / "a:b \"c\"\\d");
  other.write("file", "elsewhere");
  other.commit();
  reader.add(other / ".git/objects");
  CHECK(octets(other.git("rev-parse HEAD:file")) == "elsewhere");
}

TEST_CASE_FIXTURE(Fixture, "a program that has ended is started again") {
  const std::string id = store("hello");
  // It ends with the thread that has started it.
  std::thread([&] { CHECK(octets(id) == "hello"); }).join();
  CHECK(octets(id) == "hello");
  reader.rest();
  CHECK(octets(id) == "hello");
}

TEST_CASE_FIXTURE(Fixture, "a pack or an index that is cut short under its reader is an error") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 65'521) + " ";
  repository.write("large", text);
  const std::string commit = repository.commit();
  pack();
  const std::string id = repository.git("rev-parse HEAD:large");
  SUBCASE("the index, which the program has mapped") {
    CHECK(reader.header(commit).value().has_value());
    for (const fs::path& file : packs(".idx")) fs::resize_file(file, 1100);
  }
  SUBCASE("the pack, which the program has mapped") {
    CHECK(octets(commit).starts_with("tree "));
    for (const fs::path& file : packs(".pack")) fs::resize_file(file, 100);
  }
  const auto found = reader.read(id);
  CHECK((!found.has_value() || !found->has_value()));
}

TEST_CASE_FIXTURE(Fixture, "an object that lost its end, larger ones than are read: errors") {
  SUBCASE("lost its end") {
    const std::string id = store(std::string(5000, 'x') + "abcdefgh");
    const std::string file = repository / (".git/objects/" + id.substr(0, 2) + "/" + id.substr(2));
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    fs::resize_file(file, fs::file_size(file) - 4);
    const auto found = reader.read(id);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().context.find(id) != std::string::npos);  // what git says of it
  }
  SUBCASE("larger") {
    const std::string file = repository / "large";
    test::write(file, "x");
    fs::resize_file(file, ObjectReader::kMaxOctets + 1);
    const std::string id = repository.git("hash-object -w large");
    const auto found = reader.read(id);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().context.find("is larger than 64MiB") != std::string::npos);
    CHECK(reader.header(id).value()->size == ObjectReader::kMaxOctets + 1);
  }
  CHECK(octets(store("else")) == "else");
}

TEST_CASE_FIXTURE(Fixture, "a replacement is not read: what was signed is") {
  const std::string one = store("one");
  const std::string two = store("two");
  repository.git("replace " + one + " " + two);
  CHECK(repository.git("cat-file -p " + one) == "two");
  CHECK(octets(one) == "one");
}

TEST_CASE_FIXTURE(Fixture, "what a partial clone lacks is not fetched, whatever it says") {
  const std::string evidence = folder / "evidence";
  repository.git("config core.repositoryFormatVersion 1");
  repository.git("config extensions.partialClone promised");
  repository.git("config remote.promised.promisor true");
  repository.git("config remote.promised.url 'ext::touch " + evidence + "'");
  repository.git("config protocol.ext.allow always");
  const std::string none(40, '1');
  CHECK_THROWS(repository.git("cat-file -p " + none));
  REQUIRE(fs::exists(evidence));  // git by itself does
  fs::remove(evidence);
  const auto found = reader.read(none);
  CHECK((!found.has_value() || !found->has_value()));
  CHECK_FALSE(fs::exists(evidence));
}

TEST_CASE_FIXTURE(Fixture, "what is stored under another object's id is refused") {
  repository.write("file", "one");
  const std::string commit = repository.commit();
  const std::string id = repository.git("rev-parse HEAD:file");
  const std::string other = store("two");
  const auto path = [&](const std::string& of) {
    return repository / (".git/objects/" + of.substr(0, 2) + "/" + of.substr(2));
  };
  fs::remove(path(id));
  fs::copy_file(path(other), path(id));
  const auto opened = Repository::open(repository.path());
  REQUIRE(opened.has_value());
  const auto tree = opened->tree(commit);
  REQUIRE(tree.has_value());
  const auto text = (*tree)->read((*tree)->entries().front());
  CHECK_FALSE(text.has_value());
  CHECK((*tree)->damaged());
}
