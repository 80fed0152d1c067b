// SPDX-License-Identifier: MIT
// Names and references across files.
#include "schema/validate/references.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "schema/model/alias.h"
#include "schema/model/managed.h"
#include "schema/model/streaming.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

using Resources = std::vector<std::shared_ptr<const Resource>>;

class Linker {
 public:
  Linker(const Resources& resources, Model& model, std::vector<Diagnostic>& out)
      : resources_(resources), model_(model), out_(out) {}

  void run() {
    has_unread_ = std::any_of(out_.begin(), out_.end(), is_about_reading);
    for (const auto& resource : resources_) {
      file_ = resource.get();
      std::visit([&](const auto& value) { add(value); }, resource->value);
    }
    for (const auto& resource : resources_) {
      file_ = resource.get();
      std::visit([&](const auto& value) { check(value); }, resource->value);
    }
    for (const auto& resource : resources_) {
      file_ = resource.get();
      if (const auto* acl = std::get_if<std::shared_ptr<const WebAcl>>(&resource->value))
        check_used(**acl);
    }
    if (model_.distributions.empty() && !has_errors(out_)) {
      Diagnostic nothing;
      nothing.file = resources_.empty() ? "." : resources_.front()->file;
      nothing.severity = Diagnostic::Severity::Warning;
      nothing.code = static_cast<int>(Code::NothingToServe);
      nothing.message = "there is no `kind: Distribution`: every request gets 421";
      nothing.hint = "headgate init writes a small repository to begin with";
      out_.push_back(std::move(nothing));
    }
  }

 private:
  /// Diagnostics after which a document, or the rest of its file, is not among the resources.
  static bool is_about_reading(const Diagnostic& diagnostic) {
    return diagnostic.severity == Diagnostic::Severity::Error &&
           diagnostic.code < static_cast<int>(Code::FieldUnknown);
  }

  /// A reference to a resource that nobody has read. What could not be read may have it: then
  /// saying so would send the author to the wrong place.
  void missing(Code code, std::string_view path, const char* kind, const std::string& reference,
               std::string hint) {
    if (has_unread_) return;
    error(code, mark(path), fmt::format("there is no {} {}", kind, in_quotes(reference)),
          std::move(hint));
  }

  void error(Code code, Mark mark, std::string message, std::string hint = {}) {
    Decoder(file_->file, file_->overlay_files, nullptr, out_)
        .error(code, mark, std::move(message), std::move(hint));
  }
  Mark mark(std::string_view path) const { return file_->document.locate(path).mark; }
  static std::string place(const Resource& resource, std::string_view path) {
    const Mark mark = resource.document.locate(path).mark;
    std::vector<Diagnostic> none;
    const Decoder decoder(resource.file, resource.overlay_files, nullptr, none);
    return fmt::format("{}:{}", decoder.file_of(mark), mark.line);
  }

  /// False, after a diagnostic that names both, when the kind has that name already.
  bool claim(const std::string& name) {
    if (name.empty()) return false;
    auto [known, fresh] = names_.emplace(fmt::format("{}/{}", file_->kind->name, name), file_);
    if (fresh) return true;
    error(Code::DuplicateResource, mark("metadata.name"),
          fmt::format("there already is a {} {}", file_->kind->name, in_quotes(name)),
          fmt::format("the first one is in {}", place(*known->second, "metadata.name")));
    return false;
  }

  bool claim_policy(const std::string& name) {
    for (const auto& [prefix, owner] :
         {std::pair("Managed-", "CloudFront's"), std::pair("Headgate-", "headgate's own")}) {
      if (!to_lower(name).starts_with(to_lower(prefix))) continue;
      error(Code::Malformed, mark("metadata.name"),
            fmt::format("{} is not a name for a policy", in_quotes(name)),
            fmt::format("names that start with {} are {}", prefix, owner));
      return false;
    }
    return claim(name);
  }

  void add(const std::shared_ptr<const Distribution>& value) {
    if (claim(value->name)) model_.distributions[value->name] = value;
    for (std::size_t i = 0; i < value->aliases.size(); ++i) {
      auto [known, fresh] = aliases_.emplace(value->aliases[i], file_);
      if (fresh || known->second == file_) continue;  // twice in one list is the decoder's
      const std::string& alias = value->aliases[i];
      error(Code::DuplicateAlias, mark(fmt::format("spec.aliases.{}", i)),
            fmt::format("the alias {} belongs to the distribution {} already", in_quotes(alias),
                        in_quotes(known->second->name)),
            fmt::format("{}{}", place(*known->second, "spec.aliases"),
                        alias == "*" ? ": one distribution may claim what no other one does" : ""));
    }
  }
  void add(const std::shared_ptr<const CachePolicy>& value) {
    if (claim_policy(value->name)) model_.cache_policies[value->name] = value;
  }
  void add(const std::shared_ptr<const OriginRequestPolicy>& value) {
    if (claim_policy(value->name)) model_.origin_request_policies[value->name] = value;
  }
  void add(const std::shared_ptr<const ResponseHeadersPolicy>& value) {
    if (claim_policy(value->name)) model_.response_headers_policies[value->name] = value;
  }
  void add(const std::shared_ptr<const Certificate>& value) {
    if (claim(value->name)) model_.certificates[value->name] = value;
  }
  void add(const std::shared_ptr<const WebAcl>& value) {
    if (value->name == kNoWebAcl)
      error(Code::Malformed, mark("metadata.name"),
            fmt::format("{} is not a name for a WebACL", in_quotes(value->name)),
            "in webAclRef it means that there is no one");
    else if (claim(value->name))
      model_.web_acls[value->name] = value;
  }
  void add(const std::shared_ptr<const Invalidation>& value) {
    if (claim(value->name)) model_.invalidations[value->id()] = value;
  }
  void add(const std::shared_ptr<const InvalidationSchedule>& value) {
    if (claim(value->name)) model_.invalidation_schedules[value->name] = value;
  }
  void add(const std::shared_ptr<const WarmList>& value) {
    if (claim(value->name)) model_.warm_lists[value->name] = value;
  }
  void add(const std::shared_ptr<const Expect>& value) {
    if (claim(value->name)) model_.expects.push_back(value);
  }
  /// Names of secrets are those of the whole repository.
  void add(const std::shared_ptr<const SopsFile>& value) {
    for (std::size_t i = 0; i < value->values.size(); ++i) {
      const std::string& name = value->values[i].name;
      if (name.empty() || !value->values[i].encrypted) continue;
      const auto [known, fresh] = model_.secrets.emplace(name, Model::EncryptedSecret{value, i});
      if (!fresh)
        error(Code::DuplicateResource, mark(name),
              fmt::format("there already is a secret {}", in_quotes(name)),
              fmt::format("the first one is in {}", known->second.file->file));
    }
  }
  void add(const std::shared_ptr<const Fleet>& value) {
    if (model_.fleet != nullptr)
      error(Code::DuplicateResource, mark("kind"), "there already is a Fleet",
            fmt::format("the first one is in {}", fleet_file_));
    model_.fleet = value;
    fleet_file_ = file_->file;
  }
  void add(const std::shared_ptr<const Signers>& value) {
    if (file_->file == kSignersFile && model_.signers == nullptr) {
      model_.signers = value;
      return;
    }
    error(Code::KindElsewhere, mark("kind"),
          fmt::format("`kind: Signers` belongs into {}, once", kSignersFile),
          "nobody reads it elsewhere");
  }
  void add(const std::shared_ptr<const Edge>&) {}

  /// `find` gives a managed policy or null; a managed one in use becomes part of the model.
  template <class Map, class Find, class Names>
  void check_policy(const std::string& reference, const std::string& path, Map& map, Find find,
                    Names names, const char* kind) {
    if (reference.empty() || map.contains(reference)) return;
    if (auto managed = find(reference)) {
      map.emplace(managed->name, managed);
      return;
    }
    std::vector<std::string> known = names();
    std::string managed_name = "Managed-" + reference;
    bool prefix_forgotten = std::find(known.begin(), known.end(), managed_name) != known.end();
    for (const auto& [name, policy] : map) known.push_back(name);
    missing(Code::PolicyUnknown, path, kind, reference,
            prefix_forgotten
                ? fmt::format("did you mean \"{}\"?", managed_name)
                : did_you_mean(reference, known,
                               fmt::format("add a `kind: {}` of that name, or take one of "
                                           "CloudFront's Managed- ones",
                                           kind)));
  }

  static std::shared_ptr<const CachePolicy> find_builtin_cache_policy(const std::string& name) {
    auto policy = find_managed_cache_policy(name);
    return policy != nullptr ? policy : find_streaming_cache_policy(name);
  }

  void check_behavior(const CacheBehavior& behavior) {
    const std::string path = "spec." + behavior.written_at;
    check_policy(behavior.cache_policy, path + ".cachePolicy", model_.cache_policies,
                 find_builtin_cache_policy, managed_cache_policy_names, "CachePolicy");
    check_policy(behavior.origin_request_policy, path + ".originRequestPolicy",
                 model_.origin_request_policies, find_managed_origin_request_policy,
                 managed_origin_request_policy_names, "OriginRequestPolicy");
    check_policy(behavior.response_headers_policy, path + ".responseHeadersPolicy",
                 model_.response_headers_policies, find_managed_response_headers_policy,
                 managed_response_headers_policy_names, "ResponseHeadersPolicy");
    check_compression(behavior, path);
    if (behavior.web_acl != kNoWebAcl) check_web_acl_ref(behavior.web_acl, path + ".webAclRef");
  }

  void check_web_acl_ref(const std::string& reference, const std::string& path) {
    if (reference.empty()) return;
    used_acls_.insert(reference);
    if (model_.web_acls.contains(reference)) return;
    error(Code::WebAclUnknown, mark(path),
          fmt::format("there is no WebACL {}", in_quotes(reference)),
          did_you_mean(reference, keys(model_.web_acls), "add a `kind: WebACL` of that name"));
  }

  /// Not under a policy that caches nothing: CloudFront's console writes `compress` everywhere.
  void check_compression(const CacheBehavior& behavior, const std::string& path) {
    const auto policy = model_.find_cache_policy(behavior.cache_policy);
    if (!behavior.compress || policy == nullptr || policy->max_ttl == Duration::zero()) return;
    const CacheKeyParameters& key = policy->parameters;
    if (key.enable_accept_encoding_gzip || key.enable_accept_encoding_brotli ||
        key.enable_accept_encoding_zstd)
      return;
    Decoder(file_->file, file_->overlay_files, nullptr, out_)
        .warning(Code::NoEffect, mark(path + ".compress"),
                 fmt::format("nothing is compressed: the cache policy {} enables no encoding",
                             in_quotes(policy->name)),
                 "set enableAcceptEncodingGzip or enableAcceptEncodingBrotli in it");
  }

  void check_secret(const Secret& secret, const std::string& path) {
    if (secret.source != Secret::Source::Sops || model_.secrets.contains(secret.reference)) return;
    missing(Code::SecretUnknown, path, "secret", secret.reference,
            did_you_mean(secret.reference, keys(model_.secrets),
                         "add it to a file of the repository that sops encrypts: "
                         "secrets/NAME.sops.yaml"));
  }

  void check(const std::shared_ptr<const Distribution>& value) {
    for (std::size_t i = 0; i < value->origins.size(); ++i)
      for (const OriginCustomHeader& header : value->origins[i].custom_headers)
        check_secret(header.value, fmt::format("spec.origins.{}.customHeaders.{}.valueFrom.secret",
                                               i, header.name));
    check_web_acl_ref(value->web_acl, "spec.webAclRef");
    check_behavior(value->default_cache_behavior);
    for (const CacheBehavior& behavior : value->cache_behaviors) check_behavior(behavior);
    const std::string& reference = value->viewer_certificate.certificate_ref;
    if (reference.empty() || model_.certificates.contains(reference)) return;
    missing(Code::CertificateUnknown, "spec.viewerCertificate.certificateRef", "Certificate",
            reference,
            did_you_mean(reference, keys(model_.certificates),
                         "add a `kind: Certificate` of that name"));
  }

  void check(const std::shared_ptr<const Invalidation>& value) {
    find_distribution(value->distribution, "spec.distribution");
    find_behavior(value->distribution, value->select.behavior, "spec.select.behavior");
    if (value->warm) check_host(value->distribution, value->warm->host, "spec.warm");
  }
  void check(const std::shared_ptr<const WarmList>& value) {
    find_distribution(value->distribution, "spec.distribution");
    check_host(value->distribution, value->host, "spec");
  }
  void check(const std::shared_ptr<const InvalidationSchedule>& value) {
    find_distribution(value->distribution, "spec.distribution");
    find_behavior(value->distribution, value->select.behavior, "spec.select.behavior");
  }

  void check(const std::shared_ptr<const Expect>& value) {
    find_distribution(value->distribution, "spec.distribution");
    for (std::size_t i = 0; i < value->cases.size(); ++i) {
      const ExpectCase::Expected& expected = value->cases[i].expected;
      std::string path = fmt::format("spec.cases.{}.expect", i);
      find_distribution(expected.distribution, path + ".distribution");
      const std::string& name =
          expected.distribution.empty() ? value->distribution : expected.distribution;
      auto found = model_.distributions.find(name);
      if (found == model_.distributions.end()) continue;
      check_expected(*found->second, expected, path);
    }
  }

  void check_expected(const Distribution& distribution, const ExpectCase::Expected& expected,
                      const std::string& path) {
    find_behavior(distribution.name, expected.behavior, path + ".behavior");
    std::vector<std::string> ids;
    for (const Origin& origin : distribution.origins) ids.push_back(origin.id);
    for (const OriginGroup& group : distribution.origin_groups) ids.push_back(group.id);
    if (!expected.origin_id.empty() &&
        std::find(ids.begin(), ids.end(), expected.origin_id) == ids.end())
      error(Code::OriginUnknown, mark(path + ".originId"),
            fmt::format("the distribution {} has no origin or origin group {}",
                        in_quotes(distribution.name), in_quotes(expected.origin_id)),
            did_you_mean(expected.origin_id, ids, fmt::format("ids: {}", join(ids))));
  }

  void check(const std::shared_ptr<const WebAcl>& value) {
    if (value->challenge_secret)
      check_secret(*value->challenge_secret, "spec.challenge.secret.valueFrom.secret");
  }
  void check(const std::shared_ptr<const CachePolicy>&) {}
  void check(const std::shared_ptr<const OriginRequestPolicy>&) {}
  void check(const std::shared_ptr<const ResponseHeadersPolicy>&) {}
  void check(const std::shared_ptr<const Certificate>& value) {
    check_secret(value->private_key, "spec.privateKey.valueFrom.secret");
  }
  void check(const std::shared_ptr<const SopsFile>&) {}
  void check(const std::shared_ptr<const Signers>&) {}
  void check(const std::shared_ptr<const Fleet>&) {}
  void check(const std::shared_ptr<const Edge>&) {}

  void find_distribution(const std::string& reference, const std::string& path) {
    if (reference.empty() || model_.distributions.contains(reference)) return;
    missing(Code::DistributionUnknown, path, "Distribution", reference,
            did_you_mean(reference, keys(model_.distributions),
                         "add a `kind: Distribution` of that name"));
  }

  /// The host that warm requests name must lead to the distribution, and there must be one.
  void check_host(const std::string& distribution, const std::string& host,
                  const std::string& path) {
    const auto found = model_.distributions.find(distribution);
    if (found == model_.distributions.end()) return;
    const auto& aliases = found->second->aliases;
    if (host.empty() && first_host(*found->second).empty())
      error(Code::FieldMissing, mark(path),
            fmt::format("`host` is missing: the distribution {} has no alias without a wildcard",
                        in_quotes(distribution)),
            "name the host that viewers use");
    const auto owner = aliases_.find(host);  // an exact alias wins over others' wildcards
    const bool served = owner != aliases_.end()
                            ? owner->second->name == distribution
                            : std::any_of(aliases.begin(), aliases.end(), [&](const auto& alias) {
                                return alias_covers(alias, host);
                              });
    if (!host.empty() && !served)
      error(Code::HostUnknown, mark(path + ".host"),
            fmt::format("the distribution {} does not serve {}", in_quotes(distribution),
                        in_quotes(host)),
            fmt::format("aliases: {}", join(aliases)));
  }

  void find_behavior(const std::string& distribution, const std::string& behavior,
                     const std::string& path) {
    const auto found = model_.distributions.find(distribution);
    if (behavior.empty() || found == model_.distributions.end()) return;
    std::vector<std::string> patterns = {"*"};
    for (const CacheBehavior& each : found->second->cache_behaviors)
      patterns.push_back(each.path_pattern);
    if (std::find(patterns.begin(), patterns.end(), behavior) != patterns.end()) return;
    error(Code::BehaviorUnknown, mark(path),
          fmt::format("the distribution {} has no behavior {}", in_quotes(distribution),
                      in_quotes(behavior)),
          did_you_mean(behavior, patterns, fmt::format("behaviors: {}", join(patterns))));
  }

  /// Rules that guard nothing are most likely meant to guard something.
  void check_used(const WebAcl& acl) {
    if (used_acls_.contains(acl.name)) return;
    Decoder(file_->file, file_->overlay_files, nullptr, out_)
        .warning(Code::NoEffect, mark("metadata.name"),
                 fmt::format("no distribution uses the WebACL {}", in_quotes(acl.name)),
                 "name it as webAclRef in a distribution or behavior");
  }

  template <class Map>
  static std::vector<std::string> keys(const Map& map) {
    std::vector<std::string> out;
    for (const auto& [name, value] : map) out.push_back(name);
    return out;
  }

  const Resources& resources_;
  Model& model_;
  std::vector<Diagnostic>& out_;
  bool has_unread_ = false;
  const Resource* file_ = nullptr;
  std::unordered_map<std::string, const Resource*> names_;
  std::unordered_map<std::string, const Resource*> aliases_;
  std::set<std::string> used_acls_;
  std::string fleet_file_;
};

}  // namespace

void link(const Resources& resources, Model& model, std::vector<Diagnostic>& diagnostics) {
  Linker(resources, model, diagnostics).run();
}

}  // namespace headgate::schema
