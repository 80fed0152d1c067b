// SPDX-License-Identifier: MIT
#include "appliance/snapshot/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "appliance/http/accept_encoding.h"
#include "appliance/http/authority.h"
#include "appliance/http/method.h"
#include "appliance/http/path.h"
#include "appliance/http/query.h"
#include "appliance/snapshot/request/cache_key.h"
#include "appliance/snapshot/request/normalize.h"

namespace headgate::snapshot {
namespace {

using guard::Reason;

/// A chain of edges that names us more often goes in circles. RFC 8586.
constexpr int kMaxHops = 3;

int times_in_cdn_loop(http::Fields fields) {
  int times = 0;
  for (const auto& field : fields) {
    if (field.name != "cdn-loop") continue;
    std::string_view rest = field.value;
    for (std::size_t at = 0; (at = rest.find("headgate", at)) != std::string_view::npos; at += 8)
      ++times;
  }
  return times;
}

/// The walk of one request through its guards; each step may end it.
class Walk {
 public:
  Walk(const Configuration& configuration, const RequestFacts& facts,
       std::pmr::memory_resource& memory, Trace* trace)
      : configuration_(configuration), facts_(facts), memory_(memory), trace_(trace) {}

  Decision run() {
    if (parse() && route() && pass_geo() && pass_web_acl() && pass_viewer_protocol() &&
        pass_method())
      serve();
    return decision_;
  }

 private:
  bool deny(int status, Reason reason) {
    decision_.action = Decision::Action::Deny;
    decision_.status = status;
    decision_.reason = reason;
    note("answer", "{} by the edge, reason {}", status, guard::code(reason));
    return false;
  }

  template <class... Args>
  void note(std::string_view topic, fmt::format_string<Args...> format, Args&&... args) {
    if (trace_ != nullptr) trace_->step(topic, fmt::format(format, std::forward<Args>(args)...));
  }

  bool parse() {
    const auto authority = http::parse_authority(facts_.authority);
    if (!authority) return deny(400, Reason::BadRequest);
    explicit_port_ = authority->port.has_value();
    decision_.host = persist_in(memory_, authority->host);
    if (facts_.target == "*" && facts_.method == "OPTIONS") {
      decision_.path = "*";
    } else if (!facts_.target.starts_with('/') || !split_target()) {
      return deny(400, Reason::BadRequest);
    }
    // RFC 9110 section 5.3: a field of one value may come once. Which of two types an origin goes
    // by nobody can tell, so nobody could say what a body is that rules look at.
    if (std::count_if(facts_.fields.begin(), facts_.fields.end(),
                      [](const auto& field) { return field.name == "content-type"; }) > 1)
      return deny(400, Reason::BadRequest);
    if (times_in_cdn_loop(facts_.fields) >= kMaxHops) return deny(508, Reason::LoopDetected);
    return true;
  }

  /// Everything after this knows the path in its one form only.
  bool split_target() {
    std::string_view sent;
    http::split_target(facts_.target, sent, decision_.query);
    const auto canonical = http::canonical_path(sent, memory_);
    const bool fragment = decision_.query.find('#') != std::string_view::npos;
    if (!canonical.refusal.empty() || fragment) {
      note("path", "refused: {}", fragment ? "a fragment (#)" : canonical.refusal);
      return false;
    }
    decision_.path = canonical.path;
    if (decision_.path != sent) note("path", "{} is {}", sent, decision_.path);
    return true;
  }

  bool route() {
    decision_.distribution = configuration_.find(decision_.host);
    if (decision_.distribution == nullptr) {
      note("distribution", "no alias claims {}", decision_.host);
      return deny(421, Reason::UnknownHost);
    }
    note("distribution", "{} (host {})", decision_.distribution->name, decision_.host);
    decision_.behavior = &decision_.distribution->behavior_for(decision_.path);
    note("behavior", "{} (path {})", decision_.behavior->pattern.text(), decision_.path);
    if (!decision_.distribution->enabled) return deny(503, Reason::DistributionDisabled);
    // RFC 8470 section 5.2: what a replay could do twice waits for the handshake.
    if (facts_.early_data && (!decision_.distribution->early_data || !http::is_safe(facts_.method)))
      return deny(425, Reason::TooEarly);
    return true;
  }

  bool pass_geo() {
    const auto& geo = decision_.behavior->geo;
    if (!geo.restricts() || facts_.warming) return true;
    const bool allowed = geo.allows(facts_.country);
    note("geo", "{} is {}", facts_.country.known() ? facts_.country.text() : "unknown country",
         allowed ? "allowed" : "refused");
    return allowed || deny(403, Reason::Geo);
  }

  /// Before the method is looked at, and before the cache: what is refused is refused on hits too.
  bool pass_web_acl() {
    const guard::waf::Acl* acl = decision_.behavior->web_acl.get();
    if (acl == nullptr) return true;
    if (facts_.scratch == nullptr || facts_.warming) return true;
    decision_.inspection = facts_.inspection;
    if (decision_.inspection == nullptr)
      decision_.inspection = new (memory_.allocate(sizeof(guard::waf::Inspection),
                                                   alignof(guard::waf::Inspection)))
          guard::waf::Inspection(memory_);  // of that memory alone: nothing to destroy
    const guard::waf::Acl::Trace trace = [this](std::string text) { note("waf", "{}", text); };
    acl->inspect(view_for(*acl), *decision_.inspection, *facts_.scratch, memory_,
                 trace_ == nullptr ? nullptr : &trace);
    return judge(*acl, *decision_.inspection);
  }

  guard::waf::View view_for(const guard::waf::Acl& acl) {
    guard::waf::View view;
    view.method = facts_.method;
    view.target = facts_.target;
    view.path = http::decode_path(decision_.path, memory_);
    view.query = decision_.query;
    // Of HTTP/3 the CRS knows nothing; to rules it is what HTTP/2 is.
    view.protocol = facts_.http_version >= 0x200   ? "HTTP/2"
                    : facts_.http_version == 0x101 ? "HTTP/1.1"
                                                   : "HTTP/1.0";
    view.request_id = facts_.request_id;
    view.host = decision_.host;
    view.authority = facts_.names_host ? facts_.authority : std::string_view();
    view.fields = facts_.fields;
    view.client = facts_.client;
    view.offline = facts_.offline;
    view.country = facts_.country;
    if (acl.uses_geo() && configuration_.geo() != nullptr)
      view.asn = configuration_.geo()->asn(facts_.client);
    if (facts_.fingerprint != nullptr) {
      view.ja3 = facts_.fingerprint->ja3;
      view.ja4 = facts_.fingerprint->ja4;
      view.full_ja4 = facts_.fingerprint->full_ja4;
    }
    view.now = base::mono_now();
    view.wall_now = facts_.at.value_or(base::wall_now());
    view.body_state = facts_.body_state;
    view.body = facts_.body;
    view.body_length = facts_.body_length;
    return view;
  }

  bool judge(const guard::waf::Acl& acl, const guard::waf::Inspection& inspection) {
    using Outcome = guard::waf::Inspection::Outcome;
    const bool by_rate = inspection.rule != nullptr && inspection.rule->rate;
    const std::string_view rule =
        inspection.rule == nullptr ? std::string_view("default") : inspection.rule->name;
    switch (inspection.outcome) {
      case Outcome::NeedsBody:
        decision_.action = Decision::Action::Inspect;
        return false;
      case Outcome::Allow:
        note("waf", "{}: allowed by rule {}", acl.name(), rule);
        return true;
      case Outcome::Block:
        note("waf", "{}: blocked by rule {}", acl.name(), rule);
        return deny(inspection.action->status.value_or(by_rate ? 429 : 403),
                    by_rate ? Reason::RateLimit : Reason::Waf);
      case Outcome::Challenge:
        note("waf", "{}: challenged by rule {}", acl.name(), rule);
        return deny(403, Reason::Challenge);
    }
    return true;
  }

  bool pass_viewer_protocol() {
    using Policy = schema::ViewerProtocolPolicy;
    const Policy policy = decision_.behavior->viewer_protocol_policy;
    if (facts_.https || policy == Policy::AllowAll) return true;
    if (policy == Policy::HttpsOnly) return deny(403, Reason::HttpsOnly);
    // features.md R010: 301 for GET and HEAD, 307 for the others, 403 below HTTP/1.1, which has no
    // 307.
    const bool safe = facts_.method == "GET" || facts_.method == "HEAD";
    if (!safe && facts_.http_version < 0x101) return deny(403, Reason::HttpsOnly);
    decision_.action = Decision::Action::Redirect;
    decision_.status = safe ? 301 : 307;
    decision_.reason = Reason::RedirectToHttps;
    decision_.location = https_location();
    note("viewer protocol", "{} to {}", decision_.status, decision_.location);
    return false;
  }

  std::string_view https_location() {
    std::pmr::string location("https://", &memory_);
    const bool v6 = decision_.host.find(':') != std::string_view::npos;
    if (v6) location += '[';
    location += decision_.host;
    if (v6) location += ']';
    // Who named a port came past whatever maps 443 to us, so our own port is the one that leads
    // back.
    if (explicit_port_ && facts_.https_port != 443)
      location += ":" + std::to_string(facts_.https_port);
    location += facts_.target == "*" ? std::string_view("/") : decision_.path;
    if (const auto query = facts_.target.find('?'); query != std::string_view::npos)
      location += facts_.target.substr(query);
    return persist_in(memory_, location);
  }

  bool pass_method() {
    if (decision_.behavior->allowed_methods.contains(facts_.method)) return true;
    note("method", "{} is not one of {}", facts_.method, decision_.behavior->allow);
    return deny(decision_.distribution->cloudfront_compat ? 403 : 405, Reason::Method);
  }

  void serve() {
    decision_.action = Decision::Action::Serve;
    const auto& root = decision_.distribution->default_root_path;
    if (decision_.path == "/" && !root.empty()) {
      decision_.path = root;
      note("default root object", "{}", decision_.path);
    }
    const CachePolicy& policy = *decision_.behavior->cache_policy;
    const std::string_view sent_query = decision_.query;
    normalize(facts_, memory_, decision_);
    if (decision_.query != sent_query)
      note("normalize", "query {}", decision_.query.empty() ? "dropped" : decision_.query);
    if (!decision_.language.empty()) note("normalize", "language {}", decision_.language);
    if (!decision_.device.empty()) note("normalize", "device {}", decision_.device);
    decision_.uses_cache =
        !policy.disabled() && decision_.behavior->cached_methods.contains(facts_.method);
    decision_.accept_encoding =
        http::to_field(http::AcceptEncoding(facts_.fields).among(policy.codings));
    if (decision_.uses_cache) {
      make_cache_key(facts_, memory_, decision_);
      note("cache", "policy {}", policy.source->name);
      if (trace_ != nullptr) note_key();
    } else {
      note("cache", "not used: {}",
           policy.disabled() ? "policy " + policy.source->name
                             : "method " + std::string(facts_.method));
    }
    if (decision_.uses_cache && !decision_.behavior->codings.empty())
      note("compression", "{} made by the edge; {} for this request",
           http::to_field(decision_.behavior->codings), chosen_coding());
    note("origin", "{}", decision_.behavior->target->id);
  }

  std::string_view chosen_coding() const {
    const bool whole = facts_.http_version >= 0x101 && !http::find(facts_.fields, "range");
    return whole ? name_of(http::AcceptEncoding(facts_.fields).choose(decision_.behavior->codings))
                 : name_of(http::Coding::Identity);
  }

  void note_key() {
    std::string_view rest = decision_.key.text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      note("cache key", "{}", rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }

  const Configuration& configuration_;
  const RequestFacts& facts_;
  std::pmr::memory_resource& memory_;
  Trace* trace_;
  Decision decision_;
  bool explicit_port_ = false;
};

}  // namespace

void Trace::step(std::string_view topic, std::string text) {
  steps_.emplace_back(std::string(topic), std::move(text));
}

Decision decide(const Configuration& configuration, const RequestFacts& facts,
                std::pmr::memory_resource& memory, Trace* trace) {
  return Walk(configuration, facts, memory, trace).run();
}

Decision decide_error_page(const Decision& failed, const RequestFacts& facts, std::string_view path,
                           std::pmr::memory_resource& memory) {
  Decision page;
  page.action = Decision::Action::Serve;
  page.inspection = failed.inspection;  // for the log
  page.distribution = failed.distribution;
  page.host = failed.host;
  page.path = path;
  page.behavior = &failed.distribution->behavior_for(path);
  const CachePolicy& policy = *page.behavior->cache_policy;
  normalize(facts, memory, page);
  page.accept_encoding = http::to_field(http::AcceptEncoding(facts.fields).among(policy.codings));
  page.uses_cache = !policy.disabled();
  if (page.uses_cache) make_cache_key(facts, memory, page);
  return page;
}

}  // namespace headgate::snapshot
