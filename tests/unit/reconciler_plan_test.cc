// SPDX-License-Identifier: MIT
// What `headgate diff` says about two configurations.
#include <doctest/doctest.h>

#include "reconciler/plan/plan.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;

namespace {

using Files = std::map<std::string, std::string>;

std::shared_ptr<const schema::Model> model(const Files& files) {
  schema::Loader loader;
  const auto loaded = loader.load(schema::MemoryTree(files));
  for (const auto& diagnostic : loaded.diagnostics) INFO(diagnostic.text());
  REQUIRE(loaded.model != nullptr);
  return loaded.model;
}

Plan plan(const Files& before, const Files& after) {
  return make_plan(*model(before), *model(after));
}

/// The shop with more to its spec.
Files shop(const std::string& more = "", const std::string& mark = "m1") {
  std::string text = test::shop_yaml(mark);
  return {{"shop.yaml", text.insert(text.find("  aliases:"), more)}};
}

std::string behaviors(const std::vector<std::string>& patterns) {
  std::string text = "  cacheBehaviors:\n";
  for (const std::string& pattern : patterns)
    text += "    - { pathPattern: " + pattern +
            ", targetOriginId: main, viewerProtocolPolicy: allow-all }\n";
  return text;
}

Files with(Files files, const std::string& path, const std::string& content) {
  files[path] = content;
  return files;
}

}  // namespace

TEST_CASE("configurations that mean the same have no plan, however they are written") {
  CHECK(plan(shop(), shop()).empty());
  CHECK(plan(shop(), shop("  enabled: true\n  httpVersion: http2\n")).empty());
  CHECK(to_text(plan(shop(), shop()), false) ==
        "No changes: the two configurations do the same.\n");
}

TEST_CASE("a changed field is named by its path, with both values") {
  const Plan changed = plan(shop(), shop("", "m2"));
  REQUIRE(changed.resources.size() == 1);
  CHECK(changed.resources[0].kind == "ResponseHeadersPolicy");
  CHECK(changed.resources[0].used_by == std::vector<std::string>{"shop"});
  CHECK(to_text(changed, false) ==
        "~ ResponseHeadersPolicy mark (used by shop)\n"
        "    ~ spec.customHeaders[X-Mark].value: m1 → m2\n"
        "\n"
        "Plan: 0 to add, 1 to change, 0 to remove; 0 invalidations\n");
  const Json json = to_json(changed);
  CHECK(json["summary"]["change"] == 1);
  CHECK(json["distributions"]["shop"][0]["fields"][0]["path"] ==
        "spec.customHeaders[X-Mark].value");
  CHECK(json["distributions"]["shop"][0]["fields"][0]["after"] == "m2");
}

TEST_CASE("the order of behaviors is a change, and only that is told") {
  const Plan changed =
      plan(shop(behaviors({"/a/*", "/b/*", "/c/*"})), shop(behaviors({"/b/*", "/a/*", "/c/*"})));
  REQUIRE(changed.resources.size() == 1);
  REQUIRE(changed.resources[0].fields.size() == 1);
  CHECK(changed.resources[0].fields[0].kind == FieldChange::Kind::Reordered);
  CHECK(to_text(changed, false)
            .find("spec.cacheBehaviors: order: /a/*, /b/*, /c/* → /b/*, /a/*, /c/*") !=
        std::string::npos);
}

TEST_CASE("a behavior that comes or goes is one change, the others are none") {
  const Plan changed = plan(shop(behaviors({"/a/*", "/b/*"})), shop(behaviors({"/new/*", "/b/*"})));
  REQUIRE(changed.resources.size() == 1);
  const auto& fields = changed.resources[0].fields;
  REQUIRE(fields.size() == 2);
  CHECK(fields[0].path == "spec.cacheBehaviors[/a/*]");
  CHECK(fields[0].kind == FieldChange::Kind::Removed);
  CHECK(fields[1].path == "spec.cacheBehaviors[/new/*]");
  CHECK(fields[1].kind == FieldChange::Kind::Added);
}

TEST_CASE("resources that come and go are counted") {
  const std::string policy =
      "apiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: short }\nspec: { defaultTTL: "
      "5s }\n";
  const Plan added = plan(shop(), with(shop(), "policy.yaml", policy));
  CHECK(added.count(ResourceChange::Action::Add) == 1);
  CHECK(to_text(added, false).find("+ CachePolicy short\n    defaultTTL: 5s\n") !=
        std::string::npos);
  const Plan removed = plan(with(shop(), "policy.yaml", policy), shop());
  CHECK(to_text(removed, false).find("- CachePolicy short") != std::string::npos);
  CHECK(to_text(removed, false)
            .ends_with("Plan: 0 to add, 0 to change, 1 to remove; 0 invalidations\n"));
}

TEST_CASE("policies that come with headgate are not resources of the repository") {
  CHECK(plan(shop(), shop(behaviors({"/a/*"}))).resources.size() == 1);
}

TEST_CASE("secrets are said to have changed, and never shown") {
  const auto with_header = [](const std::string& value) {
    Files files = shop();
    std::string& text = files["shop.yaml"];
    text.insert(text.find("  defaultCacheBehavior"),
                "      customHeaders: { X-Auth: { value: " + value + " } }\n");
    return files;
  };
  CHECK(plan(with_header("hunter2"), with_header("hunter2")).empty());
  const Plan changed = plan(with_header("hunter2"), with_header("correct-horse"));
  REQUIRE(changed.resources.size() == 1);
  const std::string all = to_text(changed, true) + to_json(changed).dump();
  CHECK(all.find("secret changed") != std::string::npos);
  for (const char* secret : {"hunter2", "correct-horse", "hmac"})
    CHECK(all.find(secret) == std::string::npos);
}

TEST_CASE("new invalidations are what will be purged; the same id with other content is refused") {
  const Files before = with(shop(), "old.yaml", test::invalidation_yaml("old", "/old"));
  const Plan purging =
      plan(before, with(before, "new.yaml", test::invalidation_yaml("new", "/new/*")));
  REQUIRE(purging.purges.size() == 1);
  CHECK(to_text(purging, false).find("Will purge\n  ! new: /new/* of shop (revalidate)") !=
        std::string::npos);
  CHECK(to_text(purging, false).ends_with("1 invalidation\n"));
  CHECK(plan(before, shop()).forgotten == std::vector<std::string>{"old"});
  const Plan other =
      plan(before, with(shop(), "old.yaml", test::invalidation_yaml("old", "/other")));
  CHECK(other.mismatched == std::vector<std::string>{"old"});
}

TEST_CASE("text of a repository cannot move the cursor of whoever reads a plan") {
  const Plan changed = plan(shop("  comment: \"a\"\n"), shop("  comment: \"b\\e[2J\"\n"));
  CHECK(to_text(changed, false).find('\x1b') == std::string::npos);
}

TEST_CASE("colours are there only when they are wanted") {
  const Plan changed = plan(shop(), shop("", "m2"));
  CHECK(to_text(changed, true).find("\x1b[33m~\x1b[0m") != std::string::npos);
  CHECK(to_text(changed, false).find('\x1b') == std::string::npos);
}
