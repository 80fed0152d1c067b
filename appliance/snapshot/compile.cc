// SPDX-License-Identifier: MIT
// From a validated model to a Configuration; shares with the previous one what came from the same
// resources.
#include <algorithm>
#include <map>

#include "appliance/http/path.h"
#include "appliance/snapshot/configuration.h"
#include "appliance/snapshot/secret/secrets.h"
#include "appliance/snapshot/secret/sops.h"
#include "schema/text.h"

namespace headgate::snapshot {
namespace {

std::string host_field(const std::string& domain_name, std::uint16_t port, std::uint16_t usual) {
  const bool v6 = domain_name.find(':') != std::string::npos;
  std::string host = v6 ? "[" + domain_name + "]" : domain_name;
  if (port != usual) host += ":" + std::to_string(port);
  return host;
}

std::string tls_name(schema::TlsVersion version) {
  switch (version) {
    case schema::TlsVersion::Tls1_0:
      return "1.0";
    case schema::TlsVersion::Tls1_1:
      return "1.1";
    case schema::TlsVersion::Tls1_2:
      return "1.2";
    case schema::TlsVersion::Tls1_3:
      return "1.3";
  }
  return "1.2";
}

std::shared_ptr<origin::Endpoint> compile_endpoint(const std::string& distribution,
                                                   const schema::Origin& source) {
  auto endpoint = std::make_shared<origin::Endpoint>();
  const auto& custom = source.custom;
  endpoint->id = distribution + "/" + source.id;
  endpoint->host = source.domain_name;
  endpoint->http_port = custom.http_port;
  endpoint->https_port = custom.https_port;
  endpoint->sni = custom.sni;
  endpoint->verify = custom.verify;
  endpoint->ca_bundle_pem = custom.ca_bundle_pem;
  const auto [oldest, newest] =
      std::minmax_element(custom.origin_ssl_protocols.begin(), custom.origin_ssl_protocols.end());
  if (oldest != custom.origin_ssl_protocols.end()) {
    endpoint->min_tls = tls_name(*oldest);
    endpoint->max_tls = tls_name(*newest);
  }
  endpoint->connection_attempts = source.connection_attempts;
  endpoint->connect_timeout = source.connection_timeout;
  endpoint->read_timeout = custom.origin_read_timeout;
  endpoint->keepalive_timeout = custom.origin_keepalive_timeout;
  endpoint->completion_timeout = source.response_completion_timeout;
  return endpoint;
}

/// How the origin's health is judged: by the first group that it is a member of.
origin::Latch::Options latch_options(const schema::Distribution& source, const std::string& id) {
  const auto group = std::find_if(
      source.origin_groups.begin(), source.origin_groups.end(), [&id](const auto& candidate) {
        return std::find(candidate.members.begin(), candidate.members.end(), id) !=
               candidate.members.end();
      });
  const schema::Breaker breaker =
      group == source.origin_groups.end() ? schema::Breaker() : group->breaker;
  return {.failures = static_cast<std::uint32_t>(breaker.failures),
          .within = breaker.within,
          .probe_every = breaker.probe_every};
}

guard::GeoRule compile_geo(const schema::GeoRestriction& source) {
  using Type = schema::GeoRestriction::Type;
  using Unknown = schema::GeoRestriction::Unknown;
  if (source.type == Type::None) return {};
  const bool whitelist = source.type == Type::Whitelist;
  const Unknown unknown = source.unknown.value_or(whitelist ? Unknown::Deny : Unknown::Allow);
  return {whitelist ? guard::GeoRule::Type::Whitelist : guard::GeoRule::Type::Blacklist,
          source.locations, unknown == Unknown::Allow};
}

MethodSet compile_methods(const std::vector<std::string>& methods) {
  MethodSet set;
  set.all = std::find(methods.begin(), methods.end(), "ALL") != methods.end();
  if (!set.all) set.methods = methods;
  return set;
}

std::string allow_field(const MethodSet& methods) {
  std::string allow;
  for (const auto& method : methods.methods) allow += (allow.empty() ? "" : ", ") + method;
  return allow;
}

bool uses_secrets(const schema::Distribution& source) {
  return std::any_of(source.origins.begin(), source.origins.end(),
                     [](const auto& origin) { return !origin.custom_headers.empty(); });
}

std::vector<const schema::CacheBehavior*> all_behaviors(const schema::Distribution& source) {
  std::vector<const schema::CacheBehavior*> all;
  for (const auto& behavior : source.cache_behaviors) all.push_back(&behavior);
  all.push_back(&source.default_cache_behavior);
  return all;
}

}  // namespace

bool MethodSet::contains(std::string_view method) const {
  return all || std::find(methods.begin(), methods.end(), method) != methods.end();
}

const Behavior& Distribution::behavior_for(std::string_view path) const {
  for (const auto& behavior : behaviors)
    if (behavior.is_default || behavior.pattern.matches(path)) return behavior;
  return behaviors.back();
}

const ErrorPage* Distribution::error_page(int status) const {
  for (const auto& page : error_pages)
    if (page.error_code == status) return &page;
  return nullptr;
}

const Distribution* Configuration::find_by_name(std::string_view name) const {
  const auto found =
      std::find_if(distributions_.begin(), distributions_.end(),
                   [&](const auto& distribution) { return distribution->name == name; });
  return found == distributions_.end() ? nullptr : found->get();
}

/// One compilation.
class Compiler {
 public:
  Compiler(std::shared_ptr<const schema::Model> model, const CompileOptions& options,
           const Configuration* previous)
      : model_(std::move(model)),
        options_(options),
        sops_(*model_, options.age_identity),
        previous_(previous) {}

  Compiled run() {
    configuration_->model_ = model_;
    configuration_->geo_ = options_.geo;
    index_previous();
    for (const auto& [name, source] : model_->distributions) add(source);
    note_conditions();
    if (schema::has_errors(diagnostics_)) return {nullptr, std::move(diagnostics_)};
    return {std::move(configuration_), std::move(diagnostics_)};
  }

 private:
  void index_previous() {
    if (previous_ == nullptr) return;
    for (const auto& distribution : previous_->distributions_)
      compiled_before_[distribution->source.get()] = distribution;
  }

  void add(const std::shared_ptr<const schema::Distribution>& source) {
    auto distribution = reuse(*source);
    if (distribution == nullptr) distribution = compile_distribution(source);
    for (const auto& alias : source->aliases)
      configuration_->router_.add(alias, distribution.get());
    configuration_->speaks_http3_ = configuration_->speaks_http3_ || distribution->http3;
    configuration_->takes_early_data_ =
        configuration_->takes_early_data_ || distribution->early_data;
    configuration_->distributions_.push_back(std::move(distribution));
  }

  /// What the previous configuration made of the same resource, unless something that it refers to
  /// is another one now. Secrets are read again every time: they change without a commit.
  std::shared_ptr<const Distribution> reuse(const schema::Distribution& source) {
    const auto found = compiled_before_.find(&source);
    if (found == compiled_before_.end() || uses_secrets(source) ||
        !source.viewer_certificate.certificate_ref.empty())
      return nullptr;
    const auto& before = *found->second;
    const auto behaviors = all_behaviors(source);
    for (std::size_t i = 0; i < behaviors.size(); ++i) {
      const Behavior& behavior = before.behaviors[i];
      if (behavior.web_acl != web_acl(source, *behaviors[i])) return nullptr;
      if (behavior.cache_policy != cache_policy(behaviors[i]->cache_policy) ||
          behavior.origin_request_policy !=
              origin_request_policy(behaviors[i]->origin_request_policy) ||
          behavior.response_headers_policy !=
              response_headers_policy(behaviors[i]->response_headers_policy))
        return nullptr;
    }
    return found->second;
  }

  std::shared_ptr<const Distribution> compile_distribution(
      const std::shared_ptr<const schema::Distribution>& source) {
    auto out = std::make_shared<Distribution>();
    out->source = source;
    out->name = source->name;
    out->enabled = source->enabled;
    out->cloudfront_compat = source->compat == schema::Compat::CloudFront;
    out->http2 = source->http_version == schema::HttpVersion::Http2 ||
                 source->http_version == schema::HttpVersion::Http2And3;
    out->http3 = source->http_version == schema::HttpVersion::Http3 ||
                 source->http_version == schema::HttpVersion::Http2And3;
    out->early_data = out->http3 && source->early_data;
    out->minimum_protocol_version = source->viewer_certificate.minimum_protocol_version;
    out->certificate = certificate(source->viewer_certificate.certificate_ref);
    if (!source->default_root_object.empty())
      out->default_root_path = http::canonical_target("/" + source->default_root_object);
    out->stale_while_revalidate = source->stale.while_revalidate;
    out->stale_if_error = source->stale.if_error;
    out->compression = Compression(source->compression);
    compile_origins(*source, *out);
    for (const auto* behavior : all_behaviors(*source))
      out->behaviors.push_back(compile_behavior(*source, *behavior, out->groups));
    out->behaviors.back().is_default = true;
    for (const auto& page : source->custom_error_responses)
      out->error_pages.push_back(compile_error_page(page));
    return out;
  }

  /// What is known of an origin's health stays when a commit leaves it where it was.
  std::shared_ptr<const origin::Endpoint> endpoint(const schema::Distribution& source,
                                                   const schema::Origin& origin) {
    auto endpoint = compile_endpoint(source.name, origin);
    const auto options = latch_options(source, origin.id);
    const Distribution* before =
        previous_ == nullptr ? nullptr : previous_->find_by_name(source.name);
    if (before != nullptr)
      for (const Origin& known : before->origins)
        if (known.id == origin.id && known.endpoint->host == endpoint->host &&
            known.endpoint->http_port == endpoint->http_port &&
            known.endpoint->https_port == endpoint->https_port &&
            known.endpoint->latch->options() == options)
          endpoint->latch = known.endpoint->latch;
    if (endpoint->latch == nullptr) endpoint->latch = std::make_shared<origin::Latch>(options);
    return endpoint;
  }

  void compile_origins(const schema::Distribution& source, Distribution& out) {
    for (const auto& origin : source.origins) {
      Origin compiled;
      compiled.endpoint = endpoint(source, origin);
      compiled.id = origin.id;
      compiled.path = origin.origin_path;
      compiled.host_header = origin.custom.host_header;
      compiled.http_host = host_field(origin.domain_name, origin.custom.http_port, 80);
      compiled.https_host = host_field(origin.domain_name, origin.custom.https_port, 443);
      compiled.protocol = origin.custom.origin_protocol_policy;
      for (const auto& header : origin.custom_headers)
        compiled.custom_headers.push_back(
            {schema::to_lower(header.name),
             secret(header.value, "distribution " + source.name + ", origin " + origin.id +
                                      ", header " + header.name)});
      out.origins.push_back(std::move(compiled));
      out.groups.push_back(std::make_shared<origin::Group>(
          origin::Group{origin.id, {{out.origins.back().endpoint, out.origins.size() - 1}}, {}}));
    }
    for (const auto& group : source.origin_groups) {
      auto compiled = std::make_shared<origin::Group>();
      compiled->id = group.id;
      compiled->failover_status_codes = group.failover_criteria.status_codes;
      for (const auto& member : group.members)
        for (std::size_t i = 0; i < out.origins.size(); ++i)
          if (out.origins[i].id == member)
            compiled->members.push_back({out.origins[i].endpoint, i});
      out.groups.push_back(std::move(compiled));
    }
  }

  Behavior compile_behavior(const schema::Distribution& distribution,
                            const schema::CacheBehavior& source,
                            const std::vector<std::shared_ptr<const origin::Group>>& groups) {
    Behavior out;
    out.pattern = PathPattern(source.path_pattern.empty() ? "*" : source.path_pattern);
    for (const auto& group : groups)
      if (group->id == source.target_origin_id) out.target = group;
    out.viewer_protocol_policy = source.viewer_protocol_policy;
    out.allowed_methods = compile_methods(source.allowed_methods);
    out.allow = allow_field(out.allowed_methods);
    out.cached_methods = compile_methods(source.cached_methods);
    out.cache_policy = cache_policy(source.cache_policy);
    out.origin_request_policy = origin_request_policy(source.origin_request_policy);
    out.response_headers_policy = response_headers_policy(source.response_headers_policy);
    if (source.compress && out.cache_policy != nullptr && !out.cache_policy->disabled())
      out.codings = out.cache_policy->codings;
    out.geo = compile_geo(source.geo.value_or(distribution.geo));
    out.web_acl = web_acl(distribution, source);
    if (options_.metric_slot)
      out.metric_slot = options_.metric_slot(distribution.name, out.pattern.text());
    return out;
  }

  static ErrorPage compile_error_page(const schema::CustomErrorResponse& source) {
    ErrorPage page;
    page.error_code = source.error_code;
    page.response_code = source.response_code.value_or(source.error_code);
    page.page_path = http::canonical_target(source.response_page_path);
    if (!source.inline_body.empty()) page.inline_body = cache::Body::of(source.inline_body);
    page.content_type = source.inline_body_type;
    page.caching_min_ttl = source.error_caching_min_ttl;
    return page;
  }

  // A policy that the previous configuration compiled is the same object again.
  template <class Source, class Out>
  std::shared_ptr<const Out> policy(
      std::unordered_map<const Source*, std::shared_ptr<const Out>> Policies::*member,
      const std::shared_ptr<const Source>& source) {
    if (source == nullptr) return nullptr;
    auto& now = configuration_->policies_.*member;
    if (const auto found = now.find(source.get()); found != now.end()) return found->second;
    std::shared_ptr<const Out> out;
    if (previous_ != nullptr) {
      const auto& before = previous_->policies_.*member;
      if (const auto found = before.find(source.get()); found != before.end()) out = found->second;
    }
    if (out == nullptr) out = compile(source);
    now.emplace(source.get(), out);
    return out;
  }
  std::shared_ptr<const CachePolicy> cache_policy(const std::string& reference) {
    return policy(&Policies::cache, model_->find_cache_policy(reference));
  }
  std::shared_ptr<const OriginRequestPolicy> origin_request_policy(const std::string& reference) {
    return policy(&Policies::origin_request, model_->find_origin_request_policy(reference));
  }
  std::shared_ptr<const ResponseHeadersPolicy> response_headers_policy(
      const std::string& reference) {
    return policy(&Policies::response_headers, model_->find_response_headers_policy(reference));
  }

  /// Rules that a commit leaves alone are not compiled again, unless their secret is another one.
  std::shared_ptr<const guard::waf::Acl> web_acl(const schema::Distribution& distribution,
                                                 const schema::CacheBehavior& behavior) {
    const std::string& reference =
        behavior.web_acl.empty() ? distribution.web_acl : behavior.web_acl;
    const auto source = model_->web_acls.find(reference);
    if (reference.empty() || source == model_->web_acls.end()) return nullptr;  // or `none`
    auto& now = configuration_->policies_.web_acls;
    const schema::WebAcl* key = source->second.get();
    if (const auto found = now.find(key); found != now.end()) return found->second.acl;
    guard::waf::Acl::Options options;
    options.shared = options_.waf;
    options.patterns = options_.waf_patterns;
    const base::Hash128 secret_hash = challenge_secret(*key, options);
    Policies::WebAcl& out = now[key];
    out.secret = secret_hash;
    if (previous_ != nullptr) {
      const auto& before = previous_->policies_.web_acls;
      if (const auto found = before.find(key);
          found != before.end() && found->second.secret == secret_hash)
        out.acl = found->second.acl;
    }
    if (out.acl != nullptr) return out.acl;
    auto compiled = guard::waf::Acl::compile(*key, options);
    if (compiled) {
      out.acl = std::move(*compiled);
    } else {
      for (auto& problem : compiled.error())
        report(std::move(problem.message), key->file, problem.line);
    }
    return out.acl;
  }

  base::Hash128 challenge_secret(const schema::WebAcl& source, guard::waf::Acl::Options& options) {
    constexpr std::size_t kShortestSecret = 16;
    if (!source.challenge_secret || !options_.resolve_secrets) return {};
    const std::string whose = "WebACL " + source.name + ", challenge.secret";
    const schema::Redacted value = secret(*source.challenge_secret, whose);
    if (value.empty()) return {};  // reported
    if (value.reveal().size() < kShortestSecret)
      report(fmt::format("{}: {} octets; give at least {}", whose, value.reveal().size(),
                         kShortestSecret));
    options.challenges = std::make_shared<const guard::waf::Challenges>(value.reveal());
    return base::hash128(value.reveal());
  }

  Result<schema::Redacted> value_of(const schema::Secret& source) {
    return source.source == schema::Secret::Source::Sops ? sops_.find(source.reference)
                                                         : resolve(source);
  }

  schema::Redacted secret(const schema::Secret& source, const std::string& whose) {
    if (!options_.resolve_secrets) return {};
    auto value = value_of(source);
    if (value) {
      note_secret(whose, *value);
      return std::move(*value);
    }
    report(whose + ": " + value.error().context);
    return {};
  }

  std::shared_ptr<const Certificate> certificate(const std::string& reference) {
    if (reference.empty() || !options_.resolve_secrets) return nullptr;
    if (const auto found = certificates_.find(reference); found != certificates_.end())
      return found->second;
    const auto source = model_->certificates.find(reference);
    if (source == model_->certificates.end()) return nullptr;  // validation has reported it
    auto key = value_of(source->second->private_key);
    if (!key) {
      report("certificate " + reference + ": " + key.error().context);
      return nullptr;
    }
    note_secret(reference, *key);
    auto parsed = Certificate::parse(reference, source->second->chain_pem, *key);
    if (!parsed) {
      report(parsed.error().context);
      return nullptr;
    }
    return certificates_.emplace(reference, std::move(*parsed)).first->second;
  }

  void note_secret(const std::string& whose, const schema::Redacted& value) {
    base::Hash128& all = configuration_->secrets_;
    all = base::hash128(
        fmt::format("{:016x}{:016x} {} {}", all.low, all.high, whose, value.reveal()));
  }

  void report(std::string message, const std::string& file = {}, int line = 0) {
    schema::Diagnostic diagnostic;
    diagnostic.file = file;
    diagnostic.line = line;
    diagnostic.code = kCompileError;
    diagnostic.message = std::move(message);
    diagnostics_.push_back(std::move(diagnostic));
  }

  void note_conditions() {
    const auto& all = configuration_->distributions_;
    const bool restricts = std::any_of(all.begin(), all.end(), [](const auto& distribution) {
      return std::any_of(distribution->behaviors.begin(), distribution->behaviors.end(),
                         [](const auto& behavior) { return behavior.geo.restricts(); });
    });
    const auto& acls = configuration_->policies_.web_acls;
    const bool asks = std::any_of(acls.begin(), acls.end(), [](const auto& each) {
      return each.second.acl != nullptr && each.second.acl->uses_geo();
    });
    if ((restricts || asks) && options_.geo == nullptr)
      configuration_->conditions_.push_back(
          {"GeoDatabaseMissing",
           fmt::format("a {} asks for countries or networks' owners, and there is no --geoip "
                       "database: every address counts as unknown",
                       restricts ? "distribution" : "WebACL")});
    std::string self_signed;
    for (const auto& distribution : all)
      if (distribution->source->viewer_certificate.certificate_ref.empty())
        self_signed += (self_signed.empty() ? "" : ", ") + distribution->name;
    if (!self_signed.empty())
      configuration_->conditions_.push_back(
          {"SelfSignedCertificate", "no viewerCertificate: " + self_signed});
  }

  static constexpr int kCompileError = 1900;

  std::shared_ptr<const schema::Model> model_;
  const CompileOptions& options_;
  SopsSecrets sops_;
  const Configuration* previous_;
  std::shared_ptr<Configuration> configuration_ = std::make_shared<Configuration>();
  std::vector<schema::Diagnostic> diagnostics_;
  std::unordered_map<const schema::Distribution*, std::shared_ptr<const Distribution>>
      compiled_before_;
  std::map<std::string, std::shared_ptr<const Certificate>> certificates_;
};

Compiled compile(std::shared_ptr<const schema::Model> model, const CompileOptions& options,
                 const Configuration* previous) {
  return Compiler(std::move(model), options, previous).run();
}

}  // namespace headgate::snapshot
