// SPDX-License-Identifier: MIT
// Loading trees one after the other: what is read again, what is shared, what survives.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "schema/codes.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

using namespace headgate;
using namespace headgate::schema;

namespace {

std::string distribution(std::string_view name, std::string_view more = "") {
  return fmt::format(R"(apiVersion: headgate/v1
kind: Distribution
metadata: {{ name: {} }}
spec:
  aliases: [{}.example.com]
  origins: [{{ id: web, domainName: web.example.com }}]
  defaultCacheBehavior: {{ targetOriginId: web, viewerProtocolPolicy: allow-all }}
{})",
                     name, name, more);
}

MemoryTree many(int count) {
  MemoryTree tree;
  for (int i = 0; i < count; ++i)
    tree.put(fmt::format("distributions/d{}.yaml", i), distribution(fmt::format("d{}", i)));
  return tree;
}

std::vector<int> codes_of(const Loaded& loaded) {
  std::vector<int> out;
  for (const Diagnostic& diagnostic : loaded.diagnostics) out.push_back(diagnostic.code);
  return out;
}

}  // namespace

TEST_CASE("an unchanged file is neither read nor parsed again and yields the same pointers") {
  MemoryTree tree = many(20);
  Loader loader;
  Loaded first = loader.load(tree);
  REQUIRE(first.model);
  CHECK(tree.reads == 20);
  tree.put("distributions/d7.yaml", distribution("d7", "  comment: changed\n"));
  Loaded second = loader.load(tree);
  REQUIRE(second.model);
  CHECK(tree.reads == 21);
  for (const auto& entry : first.model->distributions) {
    const std::string& name = entry.first;  // CAPTURE captures no structured bindings with clang 14
    CAPTURE(name);
    CHECK((second.model->distributions.at(name) == entry.second) == (name != "d7"));
  }
  CHECK(second.model->distributions.at("d7")->comment == "changed");
}

TEST_CASE("a file is decoded again when a file that it refers to changes, comes or goes") {
  MemoryTree tree;
  tree.put("d/shop.yaml",
           distribution(
               "shop",
               "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: page.html } }]\n"));
  tree.put("page.html", "from the root");
  Loader loader;
  auto body = [&] {
    Loaded loaded = loader.load(tree);
    return loaded.model
               ? loaded.model->distributions.at("shop")->custom_error_responses.at(0).inline_body
               : loaded.diagnostics.at(0).text();
  };
  CHECK(body() == "from the root");
  tree.put("page.html", "changed");
  CHECK(body() == "changed");
  tree.put("d/page.html", "beside");
  CHECK(body() == "beside");
  tree.remove("d/page.html");
  CHECK(body() == "changed");
  tree.remove("page.html");
  CHECK(body().find("[HG1309]") != std::string::npos);
  tree.put("page.html", "back");
  CHECK(body() == "back");
}

TEST_CASE(
    "the files of a model are its YAML, what that refers to, and the rules of what is ignored") {
  MemoryTree tree;
  tree.put("shop.yaml",
           distribution(
               "shop",
               "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: page.html } }]\n"));
  tree.put("page.html", "x");
  tree.put("unused.html", "x");
  tree.put("notes.yaml", "not: ours");
  tree.put(".headgateignore", "notes.yaml\n");
  Loader loader;
  Loaded loaded = loader.load(tree);
  REQUIRE(loaded.model);
  CHECK(loaded.files == std::vector<std::string>{".headgateignore", "page.html", "shop.yaml"});
}

TEST_CASE("cross-file diagnostics keep their positions when the files come from the cache") {
  MemoryTree tree = many(3);
  tree.put("z.yaml", distribution("z"));
  Loader loader;
  REQUIRE(loader.load(tree).model);
  std::string other = distribution("a");
  other.replace(other.find("a.example.com"), 13, "z.example.com");
  tree.put("a.yaml", other);
  Loaded loaded = loader.load(tree);
  REQUIRE(!loaded.model);
  REQUIRE(loaded.diagnostics.size() == 1);
  // The file that was cached is the one that is complained about: it comes later in byte order.
  CHECK(loaded.diagnostics[0].file == "z.yaml");
  CHECK(loaded.diagnostics[0].line == 5);
  CHECK(loaded.diagnostics[0].column == 13);
  CHECK(loaded.diagnostics[0].hint == "a.yaml:5");
}

TEST_CASE("local diagnostics of a cached file are reported by every load") {
  MemoryTree tree;
  tree.put("shop.yaml", distribution("shop", "  coment: x\n"));
  Loader loader;
  CHECK(codes_of(loader.load(tree)) == std::vector<int>{1201});
  CHECK(codes_of(loader.load(tree)) == std::vector<int>{1201});
  CHECK(tree.reads == 1);
}

TEST_CASE("a file that cannot be read is an error, and is tried again") {
  MemoryTree tree = many(2);
  tree.unreadable = "distributions/d1.yaml";
  Loader loader;
  Loaded failed = loader.load(tree);
  CHECK(!failed.model);
  CHECK(codes_of(failed) == std::vector<int>{static_cast<int>(Code::Unreadable)});
  tree.unreadable.clear();
  CHECK(loader.load(tree).model);
}

TEST_CASE("a referenced file that cannot be read is an error where it is referred to") {
  MemoryTree tree;
  tree.put("shop.yaml",
           distribution(
               "shop",
               "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: page.html } }]\n"));
  tree.put("page.html", "x");
  tree.unreadable = "page.html";
  Loader loader;
  Loaded loaded = loader.load(tree);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].file == "shop.yaml");
  CHECK(loaded.diagnostics[0].code == static_cast<int>(Code::Unreadable));
}

TEST_CASE("what is ignored changes with .headgateignore and nothing else") {
  MemoryTree tree = many(1);
  tree.put("charts/values.yaml", "replicas: 3\n");
  Loader loader;
  CHECK(!loader.load(tree).model);
  tree.put(".headgateignore", "charts/\n");
  CHECK(loader.load(tree).model);
  tree.put(".headgateignore", "!charts/\n");
  CHECK(!loader.load(tree).model);
  tree.remove(".headgateignore");
  CHECK(!loader.load(tree).model);
}

TEST_CASE("a file that went away and came back is read again") {
  MemoryTree tree = many(2);
  Loader loader;
  REQUIRE(loader.load(tree).model);
  tree.remove("distributions/d1.yaml");
  CHECK(loader.load(tree).model->distributions.size() == 1);
  tree.put("distributions/d1.yaml", distribution("d1"));
  CHECK(loader.load(tree).model->distributions.size() == 2);
  CHECK(tree.reads == 3);
}

TEST_CASE("managed policies in use are in the model under their name, the same object each time") {
  MemoryTree tree;
  std::string text = distribution("shop");
  text.replace(text.find("allow-all"), 9,
               "allow-all, cachePolicy: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad");
  tree.put("shop.yaml", text);
  Loader loader;
  auto first = loader.load(tree).model;
  REQUIRE(first);
  REQUIRE(first->cache_policies.contains("Managed-CachingDisabled"));
  CHECK(first->cache_policies.size() == 1);
  auto policy = first->find_cache_policy("4135ea2d-6df8-44a3-9df3-4b5a84be39ad");
  CHECK(policy == first->cache_policies.at("Managed-CachingDisabled"));
  CHECK(policy == first->find_cache_policy("Managed-CachingDisabled"));
  CHECK(first->find_cache_policy("nothing") == nullptr);
  CHECK(first->find_cache_policy("") == nullptr);
  tree.put("other.yaml", distribution("other"));
  CHECK(loader.load(tree).model->find_cache_policy("Managed-CachingDisabled") == policy);
}

TEST_CASE("invalidations and expectations know where they stand") {
  MemoryTree tree;
  tree.put("shop.yaml", distribution("shop") + R"(---
apiVersion: headgate/v1
kind: Invalidation
metadata: { name: i }
spec: { distribution: shop, select: { paths: [/a] } }
---
apiVersion: headgate/v1
kind: Expect
metadata: { name: e }
spec:
  distribution: shop
  cases:
    - request: { url: "http://shop.example.com/" }
      expect: { cached: true }
)");
  Loader loader;
  auto model = loader.load(tree).model;
  REQUIRE(model);
  CHECK(model->invalidations.at("i")->file == "shop.yaml");
  CHECK(model->invalidations.at("i")->line == 9);
  CHECK(model->expects.at(0)->file == "shop.yaml");
  CHECK(model->expects.at(0)->cases.at(0).line == 20);
}

TEST_CASE("an invalidation's digest names what was asked, not how it was written") {
  Invalidation a;
  a.name = "x";
  a.distribution = "shop";
  a.select.paths = {"/b", "/a", "/b"};
  Invalidation b = a;
  b.select.paths = {"/a", "/b"};
  b.name = "y";
  b.nonce = "1";
  b.file = "elsewhere";
  CHECK(a.digest() == b.digest());
  CHECK(b.id() == "y@1");
  CHECK(a.id() == "x");
  b.mode = Invalidation::Mode::Delete;
  CHECK(a.digest() != b.digest());
  b = a;
  b.select.paths = {"/a"};
  CHECK(a.digest() != b.digest());
  b = a;
  b.distribution = "other";
  CHECK(a.digest() != b.digest());
}

TEST_CASE("an empty tree loads with a warning that nothing is served") {
  MemoryTree tree;
  Loader loader;
  Loaded loaded = loader.load(tree);
  CHECK(loaded.model);
  CHECK(codes_of(loaded) == std::vector<int>{static_cast<int>(Code::NothingToServe)});
}

TEST_CASE("diagnostics come by file, line and column") {
  MemoryTree tree;
  tree.put("b.yaml", distribution("b", "  zz: 1\n  coment: x\n"));
  tree.put("a.yaml", distribution("a", "  coment: x\n"));
  Loader loader;
  Loaded loaded = loader.load(tree);
  REQUIRE(loaded.diagnostics.size() == 3);
  CHECK(loaded.diagnostics[0].file == "a.yaml");
  CHECK(loaded.diagnostics[1].line == 8);
  CHECK(loaded.diagnostics[2].line == 9);
}
