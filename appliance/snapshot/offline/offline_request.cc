// SPDX-License-Identifier: MIT
#include "appliance/snapshot/offline/offline_request.h"

#include "schema/text.h"

namespace headgate::snapshot {
namespace {

bool has_control_octet(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

}  // namespace

Result<OfflineRequest> OfflineRequest::make(
    const std::string& method, const std::string& url,
    const std::vector<std::pair<std::string, std::string>>& headers, const std::string& country,
    const std::string& ip, const guard::GeoDatabase* geo) {
  OfflineRequest request;
  request.method_ = method;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    request.https_ = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(Blame::Config, "{}: not an absolute URL; it must begin with http:// or https://",
                url);
  }
  if (has_control_octet(url) || url.find(' ') != std::string::npos)
    return fail(Blame::Config,
                "the URL has a space or a control character: write it percent-encoded");
  rest = rest.substr(0, rest.find('#'));
  const std::size_t path_at = rest.find_first_of("/?");
  request.authority_ = rest.substr(0, path_at);
  if (request.authority_.empty()) return fail(Blame::Config, "{}: no host", url);
  if (path_at == std::string_view::npos) {
    request.target_ = "/";
  } else {
    const std::string_view target = rest.substr(path_at);
    request.target_ = (target.front() == '?' ? "/" : "") + std::string(target);
  }

  std::vector<std::pair<std::string, std::string>> lowered;
  std::vector<http::Field> fields;
  for (const auto& [name, value] : headers) {
    if (name.empty() || has_control_octet(name) || has_control_octet(value))
      return fail(Blame::Config, "header \"{}\": empty, or with a control character",
                  schema::to_lower(name));
    lowered.emplace_back(schema::to_lower(name), value);
  }
  for (const auto& [name, value] : lowered) {
    if (name == "host") {
      request.authority_ = value;
    } else {
      fields.push_back({name, value});
    }
  }
  request.fields_ = http::FieldBlock(fields);

  if (!ip.empty()) {
    const auto address = base::IpAddress::parse(ip);
    if (!address) return fail(Blame::Config, "{}: not an IP address", ip);
    request.client_ = *address;
  }
  if (!country.empty()) {
    request.country_ = guard::Country(country);
  } else if (!ip.empty() && geo != nullptr) {
    request.country_ = geo->country(request.client_);
  }
  return request;
}

RequestFacts OfflineRequest::facts(guard::waf::Scratch* scratch) const {
  RequestFacts facts;
  facts.offline = true;
  facts.at = at_;
  facts.method = method_;
  facts.https = https_;
  facts.authority = authority_;
  facts.target = target_;
  facts.fields = fields_.fields();
  facts.client = client_;
  facts.peer = client_;
  facts.country = country_;
  facts.scratch = scratch;
  facts.body = body_;
  if (!body_.empty()) {
    facts.body_state = guard::waf::View::Body::Whole;
    facts.body_length = body_.size();
  }
  return facts;
}

}  // namespace headgate::snapshot
