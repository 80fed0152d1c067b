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

/// Distributions by name, with their aliases.
Files named(const std::map<std::string, std::string>& aliases) {
  Files files;
  for (const auto& [name, list] : aliases) {
    std::string text = test::shop_yaml("m1");
    if (name != "shop") text.resize(text.find("---"));  // the policy is there once
    text.replace(text.find("shop }"), 4, name);
    text.replace(text.find("shop.test"), 9, list);
    files[name + ".yaml"] = text;
  }
  return files;
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

TEST_CASE("hosts that come, go or move are told, whatever they did to their distributions") {
  const Files both = named({{"shop", "a.test, b.test"}, {"blog", "c.test"}});
  const Plan changed = plan(both, named({{"shop", "a.test, d.test"}, {"blog", "b.test"}}));
  CHECK(to_text(changed, false)
            .find("Hosts\n"
                  "  ~ b.test: shop → blog\n"
                  "  - c.test: no longer answered; it was by blog\n"
                  "  + d.test: answered by shop\n") != std::string::npos);
  CHECK(to_json(changed)["hosts"][1].dump() == R"({"host":"c.test","before":"blog","after":null})");
  CHECK(plan(both, named({{"shop", "a.test, b.test"}})).hosts.size() == 1);
  CHECK(plan(both, both).hosts.empty());
  const Plan off = plan(shop(), shop("  enabled: false\n"));
  REQUIRE(off.hosts.size() == 1);
  CHECK(off.hosts[0].after.empty());
}

TEST_CASE("what purges touch is summed, and told where somebody was asked") {
  const Files before = shop();
  Plan purging = plan(before, with(with(before, "a.yaml", test::invalidation_yaml("a", "/a")),
                                   "b.yaml", test::invalidation_yaml("b", "/b/*")));
  REQUIRE(purging.purges.size() == 2);
  CHECK_FALSE(purging.touches());
  CHECK_FALSE(to_json(purging)["summary"].contains("responses"));
  purging.purges[0].touches = cache::Selected{1, 2048};
  purging.purges[1].touches = cache::Selected{4, 6144};
  const std::string text = to_text(purging, false);
  CHECK(text.find("! a: /a of shop (revalidate): 1 response, 2KiB\n") != std::string::npos);
  CHECK(text.ends_with("2 invalidations (5 responses, 8KiB)\n"));
  CHECK(to_json(purging)["summary"]["responses"] == 5);
  CHECK(to_json(purging)["invalidations"][1]["bytes"] == 6144);
}

TEST_CASE("a warning is new when it was not said before, wherever it stands") {
  schema::Diagnostic shadowed{"shop.yaml", 7,
                              3,           schema::Diagnostic::Severity::Warning,
                              1020,        "the behavior /a/b is never reached",
                              ""};
  schema::Diagnostic moved = shadowed;
  moved.line = 9;
  CHECK(new_warnings({shadowed}, {moved}).empty());
  CHECK(new_warnings({}, {moved}).size() == 1);
  Plan changed = plan(shop(), shop("", "m2"));
  changed.warnings = {moved};
  CHECK(to_text(changed, false).find("New: shop.yaml:9:3: warning: [HG1020]") != std::string::npos);
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
