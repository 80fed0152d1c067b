// SPDX-License-Identifier: MIT
#include "appliance/snapshot/policy/policies.h"

#include <algorithm>

#include "schema/text.h"

namespace headgate::snapshot {
namespace {

std::vector<std::string> lower_sorted(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const auto& name : names) out.push_back(schema::to_lower(name));
  std::sort(out.begin(), out.end());
  return out;
}

NameSelector::Mode mode_of(schema::Selection selection) {
  switch (selection) {
    case schema::Selection::None:
      return NameSelector::Mode::None;
    case schema::Selection::Whitelist:
      return NameSelector::Mode::Only;
    case schema::Selection::AllExcept:
      return NameSelector::Mode::AllExcept;
    case schema::Selection::All:
    case schema::Selection::AllViewer:
    case schema::Selection::AllViewerAndWhitelistCloudFront:
      return NameSelector::Mode::All;
  }
  return NameSelector::Mode::None;
}

NameSelector selector(const schema::Selector& source) {
  return {mode_of(source.behavior), source.items};
}

bool contains(const std::vector<std::string>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

}  // namespace

NameSelector::NameSelector(Mode mode, std::vector<std::string> names)
    : mode_(mode), names_(std::move(names)) {
  std::sort(names_.begin(), names_.end());
}

bool NameSelector::takes(std::string_view name) const {
  switch (mode_) {
    case Mode::None:
      return false;
    case Mode::Only:
      return contains(names_, name);
    case Mode::AllExcept:
      return !contains(names_, name);
    case Mode::All:
      return true;
  }
  return false;
}

std::shared_ptr<const CachePolicy> compile(std::shared_ptr<const schema::CachePolicy> source) {
  auto policy = std::make_shared<CachePolicy>();
  policy->ttl = {source->min_ttl, source->default_ttl, source->max_ttl};
  const auto& parameters = source->parameters;
  policy->query_strings = selector(parameters.query_strings);
  policy->headers = lower_sorted(parameters.headers.items);
  policy->cookies = selector(parameters.cookies);
  policy->normalize = parameters.normalize;
  // The language that was found is in the key as the header that it came from.
  if (policy->normalize.language && !contains(policy->headers, "accept-language")) {
    policy->headers.push_back("accept-language");
    std::sort(policy->headers.begin(), policy->headers.end());
  }
  policy->codings.add(http::Coding::Gzip, parameters.enable_accept_encoding_gzip)
      .add(http::Coding::Brotli, parameters.enable_accept_encoding_brotli)
      .add(http::Coding::Zstd, parameters.enable_accept_encoding_zstd);
  policy->source = std::move(source);
  return policy;
}

std::shared_ptr<const OriginRequestPolicy> compile(
    std::shared_ptr<const schema::OriginRequestPolicy> source) {
  auto policy = std::make_shared<OriginRequestPolicy>();
  std::vector<std::string> names;
  for (auto& name : lower_sorted(source->headers.items)) {
    // CloudFront-* fields are facts of the edge; what a viewer sends under such a name is never
    // believed.
    if (name.starts_with("cloudfront-") && source->headers.behavior != schema::Selection::AllExcept)
      policy->viewer_facts.push_back(name);
    names.push_back(std::move(name));
  }
  policy->headers = NameSelector(mode_of(source->headers.behavior), std::move(names));
  policy->cookies = selector(source->cookies);
  policy->query_strings = selector(source->query_strings);
  policy->source = std::move(source);
  return policy;
}

std::shared_ptr<const ResponseHeadersPolicy> compile(
    std::shared_ptr<const schema::ResponseHeadersPolicy> source) {
  auto policy = std::make_shared<ResponseHeadersPolicy>();
  for (const auto& header : source->security_headers)
    policy->lines.push_back(
        {schema::to_lower(header.header), header.value, header.override_origin});
  for (const auto& header : source->custom_headers)
    policy->lines.push_back(
        {schema::to_lower(header.header), header.value, header.override_origin});
  policy->removed = lower_sorted(source->remove_headers);
  policy->cors = Cors::compile(*source);
  policy->source = std::move(source);
  return policy;
}

void apply(const ResponseHeadersPolicy& policy, http::Fields request, http::Fields stored,
           std::pmr::vector<http::Field>& out) {
  const auto cors = policy.cors ? policy.cors->evaluate(request, stored) : Cors::Outcome{};
  const auto replaced = [&](std::string_view name) {
    if (contains(policy.removed, name)) return true;
    if (cors.applies && Cors::owns(name)) return true;
    return std::any_of(policy.lines.begin(), policy.lines.end(),
                       [&](const auto& line) { return line.override_origin && line.name == name; });
  };
  for (const auto& field : stored)
    if (!replaced(field.name)) out.push_back(field);
  for (const auto& line : policy.lines)
    if (line.override_origin || !http::find(stored, line.name))
      out.push_back({line.name, line.value});
  for (std::size_t i = 0; i < cors.count; ++i) out.push_back(cors.lines[i]);
}

}  // namespace headgate::snapshot
