// SPDX-License-Identifier: MIT
// Web ACLs from YAML, requests to ask them about, and what became of these.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/guard/waf/rules/acl.h"
#include "appliance/guard/waf/rules/scratch.h"
#include "appliance/http/path.h"
#include "appliance/http/query.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

namespace headgate::test::acl {

using namespace headgate::guard::waf;
using Outcome = Inspection::Outcome;

inline std::shared_ptr<const schema::WebAcl> load(const std::string& spec) {
  const std::string yaml =
      "apiVersion: headgate/v1\nkind: WebACL\nmetadata: { name: acl }\nspec:\n" + spec;
  schema::MemoryTree tree({{"acl.yaml", yaml}});
  schema::Loader loader;
  const auto loaded = loader.load(tree);
  for (const auto& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == schema::Diagnostic::Severity::Error) FAIL(diagnostic.text());
  REQUIRE(loaded.model != nullptr);
  return loaded.model->web_acls.at("acl");
}

/// An ACL and what it works with.
struct Fixture {
  explicit Fixture(const std::string& spec, bool offline = false) {
    if (!offline) shared = std::make_shared<Shared>();
    auto compiled = Acl::compile(*load(spec), {shared, nullptr});
    if (!compiled) FAIL(compiled.error().front().message);
    acl = *compiled;
  }
  /// Of one rule `r` that blocks what `when` describes.
  static Fixture when(const std::string& statement, const std::string& more = "") {
    return Fixture(more + "  rules: [{ name: r, when: " + statement + ", action: block }]\n");
  }

  std::shared_ptr<Shared> shared;
  std::shared_ptr<const Acl> acl;
  Scratch scratch;
};

/// A request and what became of it.
struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string client = "192.0.2.1";
  std::string country = {};
  std::uint32_t asn = 0;
  std::string ja4 = {};
  std::string body = {};
  View::Body body_state = View::Body::None;
  std::optional<std::uint64_t> body_length = {};
  std::int64_t now_ms = 0;

  View view(std::pmr::memory_resource& memory, std::vector<http::Field>& fields) const {
    View view;
    view.method = method;
    view.target = target;
    std::string_view path;
    http::split_target(target, path, view.query);
    view.path = http::decode_path(http::canonical_path(path, memory).path, memory);
    view.host = view.authority = "example.com";
    for (const auto& [name, value] : headers) fields.push_back({name, value});
    view.fields = fields;
    view.client = *base::IpAddress::parse(client);
    view.country = guard::Country(country);
    view.asn = asn;
    view.ja4 = ja4;
    view.now = base::MonoTime(std::chrono::milliseconds(1'000'000 + now_ms));
    view.wall_now = base::WallTime(std::chrono::milliseconds(1'800'000'000'000 + now_ms));
    view.body = body;
    view.body_state = body_state;
    view.body_length = body_length;
    return view;
  }
};

struct Result {
  Outcome outcome;
  std::string rule;
  std::vector<std::string> matched;
  std::vector<std::string> labels;
  std::vector<std::pair<std::string, std::string>> inserted;
  Duration retry_after;
  std::string challenge;
  std::vector<std::string> trace;
};

inline Result inspect(Fixture& fixture, const Request& request) {
  std::pmr::monotonic_buffer_resource memory;
  std::vector<http::Field> fields;
  const View view = request.view(memory, fields);
  Inspection inspection(memory);
  Result result;
  const Acl::Trace trace = [&](std::string text) { result.trace.push_back(std::move(text)); };
  fixture.acl->inspect(view, inspection, fixture.scratch, memory, &trace);
  result.outcome = inspection.outcome;
  if (inspection.rule != nullptr) result.rule = inspection.rule->name;
  result.matched.assign(inspection.matched.begin(), inspection.matched.end());
  result.labels.assign(inspection.labels.begin(), inspection.labels.end());
  for (const auto& field : inspection.inserted)
    result.inserted.emplace_back(field.name, field.value);
  result.retry_after = inspection.retry_after;
  result.challenge = std::string(inspection.challenge);
  return result;
}

inline bool blocks(Fixture& fixture, const Request& request) {
  const Outcome outcome = inspect(fixture, request).outcome;
  REQUIRE(outcome != Outcome::NeedsBody);
  return outcome == Outcome::Block;
}
inline bool blocks(const std::string& statement, const Request& request) {
  Fixture fixture = Fixture::when(statement);
  return blocks(fixture, request);
}

inline Request get(const std::string& target) { return {.target = target}; }
inline Request with(const std::string& name, const std::string& value) {
  return {.headers = {{name, value}}};
}
inline Request post(const std::string& body,
                    const std::string& type = "application/x-www-form-urlencoded",
                    View::Body state = View::Body::Whole) {
  return {.method = "POST", .headers = {{"content-type", type}}, .body = body, .body_state = state};
}

}  // namespace headgate::test::acl
