// SPDX-License-Identifier: MIT
// Overlays, the folder of a configuration, and what of a repository is refused by name.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "schema/codes.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

using namespace headgate;
using namespace headgate::schema;

namespace {

constexpr const char* kShop = R"(apiVersion: headgate/v1
kind: Distribution
metadata: { name: shop }
spec:
  aliases: [shop.example.com, www.example.com]
  comment: base
  origins:
    - { id: web, domainName: web.example.com, connectionAttempts: 2 }
    - { id: api, domainName: api.example.com }
  defaultCacheBehavior: { targetOriginId: web, viewerProtocolPolicy: allow-all }
  cacheBehaviors:
    - { pathPattern: /api/*, targetOriginId: api, viewerProtocolPolicy: allow-all }
    - { pathPattern: /img/*, targetOriginId: web, viewerProtocolPolicy: allow-all }
)";

/// A patch of the distribution, with `spec` indented by two.
std::string patch(std::string_view spec, std::string_view directive = "") {
  return fmt::format(
      "apiVersion: headgate/v1\nkind: Distribution\nmetadata: {{ name: shop }}\n{}spec:\n{}",
      directive, spec);
}

struct Fixture {
  MemoryTree tree;
  Loader loader;

  Fixture() {
    tree.put("shop.yaml", kShop);
    tree.set_layout({"", "prod"});
  }

  std::shared_ptr<const Distribution> shop() {
    const Loaded loaded = loader.load(tree);
    for (const Diagnostic& diagnostic : loaded.diagnostics) INFO(diagnostic.text());
    REQUIRE_MESSAGE(loaded.model != nullptr,
                    (loaded.diagnostics.empty() ? "" : loaded.diagnostics[0].text()));
    return loaded.model->distributions.at("shop");
  }
  std::shared_ptr<const Distribution> shop_with(std::string_view spec) {
    tree.put("overlays/prod/shop.yaml", patch(spec));
    return shop();
  }
  /// The first diagnostic, in two lines.
  std::string complaint() {
    const Loaded loaded = loader.load(tree);
    return loaded.diagnostics.empty() ? "" : loaded.diagnostics[0].text();
  }
  std::string complaint_about(std::string_view spec) {
    tree.put("overlays/prod/shop.yaml", patch(spec));
    return complaint();
  }
};

std::vector<std::string> ids(const std::vector<Origin>& origins) {
  std::vector<std::string> ids;
  for (const Origin& origin : origins) ids.push_back(origin.id);
  return ids;
}

std::vector<std::string> patterns(const Distribution& distribution) {
  std::vector<std::string> patterns;
  for (const CacheBehavior& behavior : distribution.cache_behaviors)
    patterns.push_back(behavior.path_pattern);
  return patterns;
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "maps are merged, values and lists of texts replaced") {
  const auto shop = shop_with(
      "  comment: production\n"
      "  aliases: [shop.example.org]\n"
      "  defaultCacheBehavior: { compress: true }\n");
  CHECK(shop->comment == "production");
  CHECK(shop->aliases == std::vector<std::string>{"shop.example.org"});
  CHECK(shop->default_cache_behavior.compress);
  CHECK(shop->default_cache_behavior.target_origin_id == "web");
  CHECK(shop->origins.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "null takes a field away") {
  CHECK(shop_with("  comment: null\n")->comment.empty());
  CHECK(shop_with("  comment:\n")->comment.empty());
}

TEST_CASE_FIXTURE(Fixture, "items of lists are matched by what names them") {
  const auto shop = shop_with(
      "  origins:\n"
      "    - { id: api, domainName: api.example.org }\n"
      "    - { id: spare, domainName: spare.example.org, custom: null }\n"
      "  cacheBehaviors:\n"
      "    - { pathPattern: /img/*, $patch: delete }\n"
      "    - { pathPattern: /api/*, compress: true }\n"
      "    - { pathPattern: /new/*, targetOriginId: spare, viewerProtocolPolicy: allow-all }\n");
  CHECK(ids(shop->origins) == std::vector<std::string>{"web", "api", "spare"});
  CHECK(shop->origins[0].domain_name == "web.example.com");
  CHECK(shop->origins[0].connection_attempts == 2);
  CHECK(shop->origins[1].domain_name == "api.example.org");
  CHECK(patterns(*shop) == std::vector<std::string>{"/api/*", "/new/*"});
  CHECK(shop->cache_behaviors[0].compress);
  CHECK(shop->cache_behaviors[0].target_origin_id == "api");
}

TEST_CASE_FIXTURE(Fixture, "a list, a map or an item may be replaced as a whole") {
  const auto shop = shop_with(
      "  origins:\n"
      "    - $patch: replace\n"
      "    - { id: web, domainName: other.example.org }\n"
      "    - { id: api, domainName: api.example.org }\n"
      "  defaultCacheBehavior: { $patch: replace, targetOriginId: api, "
      "viewerProtocolPolicy: https-only }\n"
      "  cacheBehaviors:\n"
      "    - { $patch: replace, pathPattern: /api/*, targetOriginId: web, "
      "viewerProtocolPolicy: https-only }\n");
  CHECK(ids(shop->origins) == std::vector<std::string>{"web", "api"});
  CHECK(shop->origins[0].connection_attempts == Origin().connection_attempts);
  CHECK(shop->default_cache_behavior.target_origin_id == "api");
  CHECK(patterns(*shop) == std::vector<std::string>{"/api/*", "/img/*"});
  CHECK(shop->cache_behaviors[0].target_origin_id == "web");
}

TEST_CASE_FIXTURE(Fixture, "a resource may be taken away, and one brought") {
  tree.put("policy.yaml",
           "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: p }\nspec: {}\n");
  tree.put("overlays/prod/more.yaml",
           "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: p }\n$patch: delete\n"
           "---\napiVersion: headgate/v1\nkind: CachePolicy\n$patch: add\nmetadata: { name: q }\n"
           "spec: { defaultTTL: 1h }\n");
  const Loaded loaded = loader.load(tree);
  REQUIRE(loaded.model);
  CHECK(loaded.model->cache_policies.count("p") == 0);
  CHECK(loaded.model->cache_policies.at("q")->default_ttl == std::chrono::hours(1));
  tree.set_layout({});
  const auto without = loader.load(tree).model;
  REQUIRE(without);
  CHECK(without->cache_policies.count("p") == 1);
  CHECK(without->cache_policies.count("q") == 0);
}

TEST_CASE_FIXTURE(Fixture, "what is wrong is said where it was written") {
  CHECK(says(complaint_about("  comment: x\n  originns: []\n"),
             "overlays/prod/shop.yaml:6:3: error: [HG1201] unknown field \"originns\""));
  CHECK(says(complaint_about("  origins:\n    - { id: api, connectionAttempts: 9 }\n"),
             "overlays/prod/shop.yaml:6:38: error: [HG1205]"));
  // About both: a reference of the base to what the overlay took away, and the other way round.
  CHECK(says(complaint_about("  origins:\n    - { id: api, $patch: delete }\n"),
             "shop.yaml:12:46: error: [HG1303]"));
  CHECK(says(complaint_about("  defaultCacheBehavior: { targetOriginId: nowhere }\n"),
             "overlays/prod/shop.yaml:5:43: error: [HG1303]"));
  tree.put("shop.yaml", std::string(kShop) + "  wrong: 1\n");
  CHECK(says(complaint_about("  comment: x\n"), "shop.yaml:14:3: error: [HG1201]"));
}

TEST_CASE_FIXTURE(Fixture, "a patch that nothing takes says so") {
  tree.put("overlays/prod/shop.yaml",
           "apiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: shopp }\nspec: {}\n");
  const std::string complaint = this->complaint();
  CHECK(says(complaint,
             "overlays/prod/shop.yaml:3:19: error: [HG1319] there is no Distribution \"shopp\""));
  CHECK(says(complaint, "did you mean \"shop\"?"));
  tree.put("overlays/prod/shop.yaml",
           "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: x }\nspec: {}\n");
  CHECK(says(this->complaint(), "`$patch: add`"));
}

TEST_CASE_FIXTURE(Fixture, "patches that cannot be meant are refused, or warned of") {
  CHECK(
      says(complaint_about("  $patch: remove\n"), "overlays/prod/shop.yaml:5:11: error: [HG1206]"));
  CHECK(says(complaint_about("  origins:\n    - { domainName: api.example.org }\n"),
             "overlays/prod/shop.yaml:6:7: error: [HG1203] the item has no `id`"));
  CHECK(says(complaint_about("  webAclRef: null\n"),
             "overlays/prod/shop.yaml:5:14: warning: [HG1410]"));
  CHECK(says(complaint_about("  origins:\n    - { id: nowhere, $patch: delete }\n"),
             "overlays/prod/shop.yaml:6:7: warning: [HG1410]"));
  tree.put("overlays/prod/shop.yaml", "metadata: { name: shop }\n");
  CHECK(says(complaint(), "overlays/prod/shop.yaml:1:1: error: [HG1101]"));
  tree.put("overlays/prod/shop.yaml", "apiVersion: headgate/v1\nmetadata: { name: shop }\n");
  CHECK(says(complaint(), "error: [HG1102] the patch has no `kind`"));
  tree.put("overlays/prod/shop.yaml", "apiVersion: headgate/v1\nkind: Signers\nspec: {}\n");
  CHECK(says(complaint(), "error: [HG1105] signers.yaml cannot be patched"));
}

TEST_CASE_FIXTURE(Fixture, "an overlay that is not there is named, with those that are") {
  tree.put("overlays/staging/shop.yaml", patch("  comment: x\n"));
  CHECK(says(complaint(), "overlays/prod/: error: [HG1318] there is no overlay \"prod\""));
  CHECK(says(complaint(), "overlays: staging"));
  tree.set_layout({"", "stagng"});
  CHECK(says(complaint(), "did you mean \"staging\"?"));
}

TEST_CASE_FIXTURE(Fixture, "files are looked for beside the file that names them") {
  tree.put("overlays/prod/pages/503.html", "of production");
  tree.put("pages/503.html", "of all");
  const auto body = [](const Distribution& shop) {
    return shop.custom_error_responses.at(0).inline_body;
  };
  const auto shop = shop_with(
      "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: pages/503.html } }]\n");
  CHECK(body(*shop) == "of production");
  tree.put("overlays/prod/pages/503.html", "changed");
  CHECK(body(*this->shop()) == "changed");
  const auto files = loader.load(tree).files;
  CHECK(files == std::vector<std::string>{"overlays/prod/pages/503.html", "overlays/prod/shop.yaml",
                                          "shop.yaml"});
}

TEST_CASE_FIXTURE(Fixture,
                  "a change of the overlay is seen, and without one nothing is read again") {
  CHECK(shop_with("  comment: one\n")->comment == "one");
  const int reads = tree.reads;
  CHECK(shop()->comment == "one");
  CHECK(tree.reads == reads);
  CHECK(shop_with("  comment: two\n")->comment == "two");
  tree.remove("overlays/prod/shop.yaml");
  tree.put("overlays/prod/other.yaml", patch("  comment: three\n"));
  CHECK(shop()->comment == "three");
  tree.set_layout({});
  CHECK(shop()->comment == "base");
}

TEST_CASE("a configuration may be a folder of the repository") {
  MemoryTree tree;
  const std::string shop(kShop);
  tree.put("edge/eu/shop.yaml", shop +
                                    "  customErrorResponses: [{ errorCode: 503, inlineBody: { "
                                    "file: ../../shared/503.html } }]\n");
  tree.put("edge/eu/rubbish.yaml", "rubbish");
  tree.put("edge/eu/.headgateignore", "/rubbish.yaml\n");
  tree.put("edge/eu/overlays/prod/shop.yaml", patch("  comment: production\n"));
  tree.put("edge/us/broken.yaml", "broken");
  tree.put("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
  tree.put("shared/503.html", "sorry");
  tree.put("signers.yaml",
           "apiVersion: headgate/v1\nkind: Signers\nspec: { signers: [], rules: [] }\n");
  Loader loader;
  tree.set_layout({"edge/eu", "prod"});
  Loaded loaded = loader.load(tree);
  CHECK(loaded.model == nullptr);  // signers.yaml of the root is of this configuration, and wrong
  CHECK(says(loaded.diagnostics.at(0).text(), "signers.yaml:"));
  tree.remove("signers.yaml");
  loaded = loader.load(tree);
  REQUIRE_MESSAGE(loaded.model != nullptr, loaded.diagnostics.at(0).text());
  CHECK(loaded.model->layout == Layout{"edge/eu", "prod"});
  CHECK(loaded.model->distributions.at("shop")->comment == "production");
  CHECK(loaded.files == std::vector<std::string>{"edge/eu/.headgateignore",
                                                 "edge/eu/overlays/prod/shop.yaml",
                                                 "edge/eu/shop.yaml", "shared/503.html"});
  tree.set_layout({"edge/asia", ""});
  loaded = loader.load(tree);
  CHECK(loaded.model == nullptr);
  CHECK(says(loaded.diagnostics.at(0).text(), "edge/asia: error: [HG1320]"));
}

TEST_CASE("files are looked for from the root of the configuration, then of the repository") {
  MemoryTree tree;
  tree.put("edge/d/shop.yaml", std::string(kShop) +
                                   "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: "
                                   "pages/503.html } }]\n");
  tree.set_layout({"edge", ""});
  Loader loader;
  for (const char* path : {"pages/503.html", "edge/pages/503.html", "edge/d/pages/503.html"}) {
    CAPTURE(path);
    tree.put(path, path);
    const Loaded loaded = loader.load(tree);
    REQUIRE(loaded.model);
    CHECK(loaded.model->distributions.at("shop")->custom_error_responses.at(0).inline_body == path);
  }
}

TEST_CASE("a submodule is refused by name, unless it is ignored or elsewhere") {
  MemoryTree tree;
  tree.put("shop.yaml", kShop);
  tree.put_submodule("policies");
  Loader loader;
  const auto complaint = [&] {
    const Loaded loaded = loader.load(tree);
    return loaded.diagnostics.empty() ? std::string() : loaded.diagnostics[0].text();
  };
  CHECK(says(complaint(), "policies: error: [HG1018] this is a submodule"));
  CHECK(says(complaint(), "git subtree"));
  tree.put(".headgateignore", "policies/\n");
  CHECK(complaint().empty());
  tree.put(".headgateignore", "/policies\n");
  CHECK(complaint().empty());
  tree.remove(".headgateignore");
  tree.remove("policies");
  for (const char* path : {".theme", "overlays/prod/x", "docs/.hidden/x"}) tree.put_submodule(path);
  CHECK(complaint().empty());
  tree.put("shop.yaml", std::string(kShop) +
                            "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: "
                            ".theme/503.html } }]\n");
  CHECK(says(complaint(), "shop.yaml:14:"));
  CHECK(says(complaint(), "[HG1018] \".theme/503.html\" is in \".theme\", a submodule"));
}

TEST_CASE("a pointer of Git LFS is refused by name") {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
  MemoryTree tree;
  tree.put("shop.yaml", std::string(kShop) +
                            "  customErrorResponses: [{ errorCode: 503, inlineBody: { file: "
                            "503.html } }]\n");
  tree.put("503.html", pointer);
  tree.put("logo.png", pointer);  // nothing refers to it
  Loader loader;
  Loaded loaded = loader.load(tree);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(says(loaded.diagnostics[0].text(), "error: [HG1019] \"503.html\" is a pointer of Git LFS"));
  tree.put("503.html", "sorry");
  tree.put("shop.yaml", pointer);
  loaded = loader.load(tree);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(says(loaded.diagnostics[0].text(), "shop.yaml: error: [HG1019]"));
  CHECK(says(loaded.diagnostics[0].text(), "git lfs migrate export"));
}
