// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cstdlib>

#include "appliance/snapshot/secret/certificate.h"
#include "appliance/snapshot/secret/secrets.h"
#include "appliance/snapshot/snapshot.h"
#include "tests/support/certificate.h"
#include "tests/support/compiled_fixture.h"

namespace schema = headgate::schema;
namespace snapshot = headgate::snapshot;

namespace {

std::string distribution(const std::string& name, const std::string& more = "") {
  return "---\napiVersion: headgate/v1\nkind: Distribution\nmetadata: { name: " + name +
         " }\nspec:\n  aliases: [" + name +
         ".example.com]\n  origins:\n    - id: o\n      domainName: o.internal\n" + more +
         "  defaultCacheBehavior: { targetOriginId: o, viewerProtocolPolicy: allow-all, "
         "cachePolicy: p }\n";
}

std::string policy(const std::string& ttl) {
  return "---\napiVersion: headgate/v1\nkind: CachePolicy\nmetadata: { name: p }\nspec: { "
         "defaultTTL: " +
         ttl + " }\n";
}

schema::Secret from_env(const std::string& name) {
  schema::Secret secret;
  secret.source = schema::Secret::Source::Env;
  secret.reference = name;
  return secret;
}

}  // namespace

TEST_CASE("what a commit leaves alone is not compiled again; what refers to a changed policy is") {
  schema::Loader loader;
  schema::MemoryTree tree(
      {{"a.yaml", distribution("a")}, {"b.yaml", distribution("b")}, {"p.yaml", policy("5m")}});
  const auto first = snapshot::compile(loader.load(tree).model, {}, nullptr).configuration;
  REQUIRE(first != nullptr);

  tree.put("b.yaml", distribution("b", "      originPath: /x\n"));
  const auto second = snapshot::compile(loader.load(tree).model, {}, first.get()).configuration;
  REQUIRE(second != nullptr);
  CHECK(second->find_by_name("a") == first->find_by_name("a"));
  CHECK(second->find_by_name("b") != first->find_by_name("b"));
  CHECK(second->find("a.example.com") == second->find_by_name("a"));

  tree.put("p.yaml", policy("6m"));
  const auto third = snapshot::compile(loader.load(tree).model, {}, second.get()).configuration;
  REQUIRE(third != nullptr);
  CHECK(third->find_by_name("a") != second->find_by_name("a"));
  CHECK(third->find_by_name("a")->behaviors.back().cache_policy->ttl.default_ttl ==
        std::chrono::minutes(6));
}

TEST_CASE("a secret that is not there keeps a configuration from compiling, and says which") {
  const auto yaml =
      distribution(
          "a", "      customHeaders: { X-Key: { valueFrom: { env: HEADGATE_TEST_MISSING } } }\n") +
      policy("5m");
  const auto model = headgate::test::load(yaml);
  const auto compiled = snapshot::compile(model, {}, nullptr);
  CHECK(compiled.configuration == nullptr);
  REQUIRE(compiled.diagnostics.size() == 1);
  CHECK(compiled.diagnostics[0].message.find("HEADGATE_TEST_MISSING") != std::string::npos);

  snapshot::CompileOptions offline;
  offline.resolve_secrets = false;
  CHECK(snapshot::compile(model, offline, nullptr).configuration != nullptr);
}

TEST_CASE("a secret is read again at every compilation") {
  const auto yaml =
      distribution(
          "a", "      customHeaders: { X-Key: { valueFrom: { env: HEADGATE_TEST_SECRET } } }\n") +
      policy("5m");
  const auto model = headgate::test::load(yaml);
  setenv("HEADGATE_TEST_SECRET", "one", 1);
  const auto first = snapshot::compile(model, {}, nullptr).configuration;
  REQUIRE(first != nullptr);
  setenv("HEADGATE_TEST_SECRET", "two", 1);
  const auto second = snapshot::compile(model, {}, first.get()).configuration;
  REQUIRE(second != nullptr);
  CHECK(second->find_by_name("a")->origins[0].custom_headers[0].value.reveal() == "two");
  unsetenv("HEADGATE_TEST_SECRET");
}

TEST_CASE("secrets come from variables, files and credentials, without their last newline") {
  setenv("HEADGATE_TEST_SECRET", "value", 1);
  CHECK(snapshot::resolve(from_env("HEADGATE_TEST_SECRET"))->reveal() == "value");
  unsetenv("HEADGATE_TEST_SECRET");

  char folder[] = "/tmp/headgate-secret-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/key";
  FILE* file = fopen(path.c_str(), "w");
  REQUIRE(file != nullptr);
  fputs("from a file\n", file);
  fclose(file);
  schema::Secret secret;
  secret.source = schema::Secret::Source::File;
  secret.reference = path;
  CHECK(snapshot::resolve(secret)->reveal() == "from a file");
  setenv("CREDENTIALS_DIRECTORY", folder, 1);
  secret.source = schema::Secret::Source::Credential;
  secret.reference = "key";
  CHECK(snapshot::resolve(secret)->reveal() == "from a file");
  unsetenv("CREDENTIALS_DIRECTORY");
  CHECK_FALSE(snapshot::resolve(secret).has_value());
  remove(path.c_str());
  remove(folder);
}

TEST_CASE("a key that belongs to another certificate is refused") {
  const auto one = headgate::test::make_certificate("DNS:one.example.com");
  const auto two = headgate::test::make_certificate("DNS:two.example.com");
  CHECK(snapshot::Certificate::parse("c", one.certificate_pem, schema::Redacted(one.key_pem))
            .has_value());
  const auto mixed =
      snapshot::Certificate::parse("c", one.certificate_pem, schema::Redacted(two.key_pem));
  REQUIRE_FALSE(mixed.has_value());
  CHECK(mixed.error().context.find("does not belong") != std::string::npos);
  CHECK(mixed.error().context.find("PRIVATE") == std::string::npos);
  CHECK_FALSE(
      snapshot::Certificate::parse("c", "not PEM", schema::Redacted(one.key_pem)).has_value());
}

TEST_CASE("geo rules without a database are a condition, not an error") {
  const auto yaml =
      distribution("a", "  restrictions: { geo: { type: whitelist, locations: [\"DE\"] } }\n") +
      policy("5m");
  const auto configuration = headgate::test::compile(yaml);
  bool noted = false;
  for (const auto& condition : configuration->conditions())
    noted = noted || condition.type == "GeoDatabaseMissing";
  CHECK(noted);
}

TEST_CASE("a holder's version changes with every publish") {
  snapshot::SnapshotHolder holder;
  CHECK(holder.version() == 0);
  CHECK(holder.get() == nullptr);
  auto published = std::make_shared<snapshot::Snapshot>();
  holder.publish(published);
  CHECK(holder.version() == 1);
  CHECK(holder.get() == published);
  CHECK(snapshot::generation_label(412, "9f3c2ab8d0") == "412-9f3c2ab");
  CHECK(snapshot::generation_label(3, "") == "3");
}
