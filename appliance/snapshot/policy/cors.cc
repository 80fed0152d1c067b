// SPDX-License-Identifier: MIT
#include "appliance/snapshot/policy/cors.h"

#include <algorithm>

#include "appliance/snapshot/router.h"

namespace headgate::snapshot {
namespace {

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += ", ";
    out += item;
  }
  return out;
}

bool has(const std::vector<std::string>& items, std::string_view wanted) {
  return std::find(items.begin(), items.end(), wanted) != items.end();
}

}  // namespace

std::optional<Cors> Cors::compile(const schema::ResponseHeadersPolicy& source) {
  if (!source.cors) return std::nullopt;
  const schema::CorsRule& rule = *source.cors;
  Cors cors;
  cors.any_origin_ = has(rule.allow_origins, "*");
  cors.origins_ = rule.allow_origins;
  cors.methods_ = has(rule.allow_methods, "ALL") ? "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS"
                                                 : join(rule.allow_methods);
  cors.headers_ = has(rule.allow_headers, "*") ? "*" : join(rule.allow_headers);
  cors.expose_ = join(rule.expose_headers);
  if (rule.max_age)
    cors.max_age_ =
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*rule.max_age).count());
  cors.credentials_ = rule.allow_credentials;
  cors.override_ = rule.origin_override;
  return cors;
}

bool Cors::allows(std::string_view origin) const {
  return any_origin_ || std::any_of(origins_.begin(), origins_.end(), [&](const auto& allowed) {
           return glob_matches(allowed, origin);
         });
}

Cors::Outcome Cors::evaluate(http::Fields request, http::Fields stored) const {
  Outcome outcome;
  const auto origin = http::find(request, "origin");
  if (!origin || !allows(*origin)) return outcome;
  if (!override_ && http::find(stored, "access-control-allow-origin")) return outcome;

  outcome.applies = true;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) outcome.lines[outcome.count++] = {name, value};
  };
  // With credentials a wildcard is not valid (Fetch, section 3.2.5): the origin itself is named,
  // and caches downstream are told.
  const bool names_origin = !any_origin_ || credentials_;
  add("access-control-allow-origin", names_origin ? *origin : "*");
  if (names_origin) add("vary", "Origin");
  if (credentials_) add("access-control-allow-credentials", "true");
  if (http::find(request, "access-control-request-method")) {
    add("access-control-allow-methods", methods_);
    const auto asked = http::find(request, "access-control-request-headers");
    add("access-control-allow-headers",
        headers_ == "*" && asked ? *asked : std::string_view(headers_));
    add("access-control-max-age", max_age_);
  } else {
    add("access-control-expose-headers", expose_);
  }
  return outcome;
}

}  // namespace headgate::snapshot
