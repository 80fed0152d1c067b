// SPDX-License-Identifier: MIT
// Configuration trees on disk: what is not exactly what was written is refused.
#include <doctest/doctest.h>

#include "reconciler/state/snapshot_store.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;

namespace {

StoredTree sample() {
  StoredTree tree;
  tree.add({"a/shop.yaml", "1111", 5}, "one\n2");
  tree.add({"empty.yaml", "2222", 0}, "");
  tree.add({"z \n.yaml", "3333", 3}, std::string("\0\n ", 3));
  return tree;
}

std::string packed_sample() {
  auto packed = pack_tree(sample(), {"z \n.yaml", "a/shop.yaml", "empty.yaml", "a/shop.yaml"});
  REQUIRE(packed.has_value());
  return *packed;
}

}  // namespace

TEST_CASE("a tree comes back from disk as it was") {
  const test::ScratchFolder folder;
  Disk disk;
  SnapshotStore store(folder.path(), disk);
  const std::string packed = packed_sample();
  REQUIRE(store.write(digest_of(packed), packed).has_value());
  const auto tree = store.read(digest_of(packed));
  REQUIRE(tree.has_value());
  const StoredTree expected = sample();
  REQUIRE((*tree)->entries().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& entry = (*tree)->entries()[i];
    CHECK(entry.path == expected.entries()[i].path);
    CHECK(entry.id == expected.entries()[i].id);
    CHECK(entry.size == expected.entries()[i].size);
    CHECK(*(*tree)->read(entry) == *expected.read(entry));
  }
}

TEST_CASE("the same files give the same digest, whatever the order in which they are named") {
  CHECK(digest_of(packed_sample()) ==
        digest_of(*pack_tree(sample(), {"a/shop.yaml", "empty.yaml", "z \n.yaml"})));
  CHECK(digest_of(packed_sample()) != digest_of(*pack_tree(sample(), {"a/shop.yaml"})));
}

TEST_CASE("where the configuration is belongs to the snapshot") {
  const std::vector<std::string> files = {"a/shop.yaml", "empty.yaml"};
  StoredTree tree = sample();
  tree.set_layout({"a", "prod"});
  const std::string packed = *pack_tree(tree, files);
  const auto unpacked = unpack_tree(packed);
  REQUIRE(unpacked.has_value());
  CHECK((*unpacked)->layout() == schema::Layout{"a", "prod"});
  CHECK((*unpacked)->entries().size() == 2);
  for (std::size_t length = 0; length < packed.size(); ++length)
    CHECK_FALSE(unpack_tree(std::string_view(packed).substr(0, length)).has_value());

  StoredTree plain = sample();
  const std::string without = *pack_tree(plain, files);
  CHECK(without.starts_with("headgate snapshot 1\n"));  // as releases before wrote it
  CHECK((*unpack_tree(without))->layout() == schema::Layout());
  CHECK(digest_of(without) != digest_of(packed));
}

TEST_CASE("a file that the tree does not have cannot be packed") {
  CHECK_FALSE(pack_tree(sample(), {"nowhere.yaml"}).has_value());
}

TEST_CASE("a snapshot that was cut at any length is refused") {
  const test::ScratchFolder folder;
  Disk disk;
  const SnapshotStore store(folder.path(), disk);
  const std::string packed = packed_sample();
  for (std::size_t length = 0; length < packed.size(); ++length) {
    INFO("cut after " << length << " octets");
    test::write(folder / digest_of(packed), packed.substr(0, length));
    CHECK_FALSE(store.read(digest_of(packed)).has_value());
    CHECK_FALSE(unpack_tree(std::string_view(packed).substr(0, length)).has_value());
  }
}

TEST_CASE("a snapshot with one altered bit is refused") {
  const test::ScratchFolder folder;
  Disk disk;
  const SnapshotStore store(folder.path(), disk);
  const std::string packed = packed_sample();
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string altered = packed;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    test::write(folder / digest_of(packed), altered);
    INFO("bit " << bit);
    CHECK_FALSE(store.read(digest_of(packed)).has_value());
  }
}

TEST_CASE("a damaged snapshot is replaced when the same configuration comes again") {
  const test::ScratchFolder folder;
  Disk disk;
  SnapshotStore store(folder.path(), disk);
  const std::string packed = packed_sample();
  test::write(folder / digest_of(packed), "torn");
  REQUIRE(store.write(digest_of(packed), packed).has_value());
  CHECK(store.read(digest_of(packed)).has_value());
}

TEST_CASE("only the snapshots that are kept stay on disk") {
  const test::ScratchFolder folder;
  Disk disk;
  SnapshotStore store(folder.path(), disk);
  for (const char* name : {"a", "b", "c", "c.tmp"}) test::write(folder / name, "x");
  store.keep_only({"b", "gone"});
  CHECK(std::filesystem::exists(folder / "b"));
  for (const char* name : {"a", "c", "c.tmp"}) CHECK_FALSE(std::filesystem::exists(folder / name));
}
