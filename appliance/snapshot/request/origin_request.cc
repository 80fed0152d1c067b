// SPDX-License-Identifier: MIT
#include "appliance/snapshot/request/origin_request.h"

#include <algorithm>

#include "appliance/http/cookie.h"
#include "appliance/http/hop_by_hop.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/request/own_cookies.h"
#include "schema/text.h"

namespace headgate::snapshot {
namespace {

/// What the edge writes itself, or what framing makes: never copied from the viewer.
bool is_ours(std::string_view name) {
  return name == "host" || name == "content-length" || name == "expect" || name == "via" ||
         name == "cdn-loop" || name == "x-forwarded-for" || name == "x-forwarded-proto" ||
         name == "cookie" || name == "accept-encoding" || name.starts_with("cloudfront-");
}

/// Of the representation that is being sent: goes with every body.
bool describes_body(std::string_view name) {
  return name == "content-type" || name == "content-encoding" || name == "content-language" ||
         name == "content-disposition";
}

/// Conditions and ranges are the cache's own business when it is used, and the origin's when it is
/// not.
bool is_condition(std::string_view name) {
  return name == "if-match" || name == "if-none-match" || name == "if-modified-since" ||
         name == "if-unmodified-since" || name == "if-range" || name == "range";
}

class Drafter {
 public:
  Drafter(const Decision& decision, const RequestFacts& facts, bool has_body,
          std::pmr::memory_resource& memory)
      : decision_(decision),
        facts_(facts),
        has_body_(has_body),
        memory_(memory),
        cache_policy_(*decision.behavior->cache_policy),
        origin_policy_(decision.behavior->origin_request_policy.get()) {}

  OriginRequestDraft run(const cache::StoredResponse* revalidates) {
    // A GET fills the cache for HEAD as well.
    draft_.method =
        decision_.uses_cache && facts_.method == "HEAD" ? "GET" : std::string(facts_.method);
    draft_.path = decision_.path;
    draft_.query = forwarded_query();
    draft_.https_viewer = facts_.https;
    draft_.distribution = decision_.distribution;
    if (forwards("host")) draft_.viewer_host = decision_.authority;
    copy_viewer_fields();
    add_cookies();
    add_accept_encoding();
    add_viewer_facts();
    add_proxy_fields();
    insert_web_acl_fields();
    if (revalidates != nullptr) add_validators(*revalidates);
    return std::move(draft_);
  }

 private:
  bool forwards(std::string_view name) const {
    return std::binary_search(cache_policy_.headers.begin(), cache_policy_.headers.end(), name) ||
           (origin_policy_ != nullptr && origin_policy_->headers.takes(name));
  }

  void add(std::string_view name, std::string_view value) {
    draft_.fields.emplace_back(std::string(name), std::string(value));
  }

  std::string forwarded_query() {
    if (origin_policy_ == nullptr)
      return std::string(select_query(decision_.query, cache_policy_.query_strings, memory_));
    std::string query;
    http::QueryPair pair;
    for (http::QueryReader reader(decision_.query); reader.next(pair);) {
      if (!cache_policy_.query_strings.takes(pair.name) &&
          !origin_policy_->query_strings.takes(pair.name))
        continue;
      if (!query.empty()) query += '&';
      query += pair.raw;
    }
    return query;
  }

  void copy_viewer_fields() {
    const http::HopByHop hop_by_hop(facts_.fields);
    for (const auto& field : facts_.fields) {
      if (is_ours(field.name) || hop_by_hop.drops(field.name)) continue;
      if (field.name == "accept-language" && !decision_.language.empty()) continue;
      const bool condition = is_condition(field.name);
      if (condition && decision_.uses_cache) continue;
      if (condition || (has_body_ && describes_body(field.name)) || forwards(field.name))
        add(field.name, field.value);
    }
    if (!decision_.language.empty()) add("accept-language", decision_.language);
  }

  void add_cookies() {
    const auto all = viewer_cookies(facts_.fields, memory_);
    if (!all) return;
    const auto cached = select_cookies(facts_.fields, cache_policy_.cookies, memory_);
    if (origin_policy_ == nullptr) {
      if (!cached.empty()) add("cookie", cached);
      return;
    }
    // Both policies' selections, in the viewer's order.
    const NameSelector& more = origin_policy_->cookies;
    if (more.mode() == NameSelector::Mode::None) {
      if (!cached.empty()) add("cookie", cached);
    } else if (cached.empty() || more.mode() == NameSelector::Mode::All) {
      const auto selected = select_cookies(facts_.fields, more, memory_);
      if (!selected.empty()) add("cookie", selected);
    } else {
      add_united_cookies(*all);
    }
  }

  void add_united_cookies(std::string_view all) {
    std::string united;
    http::CookiePair pair;
    for (http::CookieReader reader(all); reader.next(pair);) {
      if (!cache_policy_.cookies.takes(pair.name) && !origin_policy_->cookies.takes(pair.name))
        continue;
      if (!united.empty()) united += "; ";
      united += pair.raw;
    }
    if (!united.empty()) add("cookie", united);
  }

  /// Normalised where the policy compresses, as sent where a policy forwards it, else none: an
  /// origin must not choose an encoding that is not in the key.
  void add_accept_encoding() {
    if (!cache_policy_.codings.empty()) {
      if (!decision_.accept_encoding.empty()) add("accept-encoding", decision_.accept_encoding);
    } else if (forwards("accept-encoding")) {
      for (const auto& field : facts_.fields)
        if (field.name == "accept-encoding") add(field.name, field.value);
    }
  }

  void add_viewer_facts() {
    const auto add_fact = [&](const std::string& name) {
      const auto value = viewer_fact(facts_, name, memory_);
      if (!value.empty()) add(name, value);
    };
    for (const auto& name : cache_policy_.headers)
      if (name.starts_with("cloudfront-")) add_fact(name);
    const auto in_key = [&](const std::string& name) {
      return std::binary_search(cache_policy_.headers.begin(), cache_policy_.headers.end(), name);
    };
    static const std::vector<std::string> kDeviceFacts = {
        "cloudfront-is-desktop-viewer", "cloudfront-is-mobile-viewer",
        "cloudfront-is-smarttv-viewer", "cloudfront-is-tablet-viewer"};
    const auto is_device_fact = [&](const std::string& name) {
      return !decision_.device.empty() &&
             std::binary_search(kDeviceFacts.begin(), kDeviceFacts.end(), name);
    };
    if (!decision_.device.empty())
      for (const auto& name : kDeviceFacts)
        if (!in_key(name)) add_fact(name);
    if (origin_policy_ == nullptr) return;
    for (const auto& name : origin_policy_->viewer_facts)
      if (!in_key(name) && !is_device_fact(name)) add_fact(name);
  }

  void add_proxy_fields() {
    char peer[46];
    std::string forwarded_for;
    for (const auto& field : facts_.fields)
      if (field.name == "x-forwarded-for") forwarded_for += std::string(field.value) + ", ";
    add("x-forwarded-for", forwarded_for + std::string(peer, facts_.peer.format(peer)));
    add("x-forwarded-proto", facts_.https ? "https" : "http");
    std::string via;
    std::string loop;
    for (const auto& field : facts_.fields) {
      if (field.name == "via") via += std::string(field.value) + ", ";
      if (field.name == "cdn-loop") loop += std::string(field.value) + ", ";
    }
    const std::string_view version = facts_.http_version >= 0x300   ? "3"
                                     : facts_.http_version >= 0x200 ? "2"
                                     : facts_.http_version == 0x101 ? "1.1"
                                                                    : "1.0";
    add("via", via + std::string(version) + " headgate");
    add("cdn-loop", loop + "headgate");
    if (facts_.early_data) add("early-data", "1");
  }

  /// What rules of a web ACL insert replaces what the viewer sent under that name.
  void insert_web_acl_fields() {
    if (decision_.inspection == nullptr) return;
    for (const auto& [name, value] : decision_.inspection->inserted) {
      const std::string lower = schema::to_lower(name);
      std::erase_if(draft_.fields, [&](const auto& field) { return field.first == lower; });
      add(lower, value);
    }
  }

  /// RFC 9111 section 4.3.1.
  void add_validators(const cache::StoredResponse& stored) {
    if (const auto etag = http::find(stored.fields(), "etag")) add("if-none-match", *etag);
    if (const auto modified = http::find(stored.fields(), "last-modified"))
      add("if-modified-since", *modified);
  }

  const Decision& decision_;
  const RequestFacts& facts_;
  bool has_body_;
  std::pmr::memory_resource& memory_;
  const CachePolicy& cache_policy_;
  const OriginRequestPolicy* origin_policy_;
  OriginRequestDraft draft_;
};

}  // namespace

OriginRequestDraft draft_origin_request(const Decision& decision, const RequestFacts& facts,
                                        bool has_body, const cache::StoredResponse* revalidates,
                                        std::pmr::memory_resource& memory) {
  return Drafter(decision, facts, has_body, memory).run(revalidates);
}

origin::Request address(const OriginRequestDraft& draft, const origin::Group::Member& member) {
  const Origin& origin = draft.distribution->origins[member.index];
  RequestFacts viewer;
  viewer.https = draft.https_viewer;
  const bool https = uses_https(origin, viewer);

  origin::Request request;
  request.method = draft.method;
  request.scheme = https ? origin::Scheme::Https : origin::Scheme::Http;
  request.host_header = !origin.host_header.empty()  ? origin.host_header
                        : !draft.viewer_host.empty() ? draft.viewer_host
                        : https                      ? origin.https_host
                                                     : origin.http_host;
  request.target = draft.path == "*" ? "*" : origin.path + draft.path;
  if (!draft.query.empty()) request.target += "?" + draft.query;

  const auto is_custom = [&](std::string_view name) {
    return std::any_of(origin.custom_headers.begin(), origin.custom_headers.end(),
                       [&](const auto& header) { return header.name == name; });
  };
  std::vector<http::Field> fields;
  for (const auto& [name, value] : draft.fields)
    if (!is_custom(name)) fields.push_back({name, value});
  for (const auto& header : origin.custom_headers)
    fields.push_back({header.name, header.value.reveal()});
  request.fields = http::FieldBlock(fields);
  return request;
}

}  // namespace headgate::snapshot
