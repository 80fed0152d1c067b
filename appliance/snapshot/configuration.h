// SPDX-License-Identifier: MIT
// A validated model, compiled: everything that a request needs is a look-up away and nothing is
// left to parse.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/guard/geo.h"
#include "appliance/snapshot/distribution.h"
#include "appliance/snapshot/router.h"
#include "schema/diagnostic.h"
#include "schema/model/model.h"
#include "schema/model/secret.h"

namespace headgate::snapshot {

/// Something that holds while a configuration runs and that an operator should know:
/// GeoDatabaseMissing, SelfSignedCertificate.
struct Condition {
  std::string type;
  std::string message;
};

/// What has been compiled from which resource, so that the next configuration can share it.
struct Policies {
  std::unordered_map<const schema::CachePolicy*, std::shared_ptr<const CachePolicy>> cache;
  std::unordered_map<const schema::OriginRequestPolicy*, std::shared_ptr<const OriginRequestPolicy>>
      origin_request;
  std::unordered_map<const schema::ResponseHeadersPolicy*,
                     std::shared_ptr<const ResponseHeadersPolicy>>
      response_headers;
  struct WebAcl {
    std::shared_ptr<const guard::waf::Acl> acl;
    base::Hash128 secret;  ///< of its challenges; secrets change without a commit
  };
  std::unordered_map<const schema::WebAcl*, WebAcl> web_acls;
};

/// Threads: immutable.
class Configuration {
 public:
  /// The distribution that claims `host` (lower case, without port), or null.
  const Distribution* find(std::string_view host) const { return router_.find(host); }
  const std::vector<std::shared_ptr<const Distribution>>& distributions() const {
    return distributions_;
  }
  const Distribution* find_by_name(std::string_view name) const;
  /// Whether any distribution does.
  bool speaks_http3() const { return speaks_http3_; }
  bool takes_early_data() const { return takes_early_data_; }
  const std::vector<Condition>& conditions() const { return conditions_; }
  const schema::Model& model() const { return *model_; }
  const std::shared_ptr<const guard::GeoDatabase>& geo() const { return geo_; }
  /// Whether it was made of the same things that are in no commit: secrets and the geo database.
  bool has_outside_of(const Configuration& other) const {
    return secrets_ == other.secrets_ && geo_ == other.geo_;
  }

 private:
  friend class Compiler;
  Router router_;
  std::vector<std::shared_ptr<const Distribution>> distributions_;
  std::shared_ptr<const guard::GeoDatabase> geo_;
  std::shared_ptr<const schema::Model> model_;
  std::vector<Condition> conditions_;
  base::Hash128 secrets_;  ///< of all of their values; means nothing to another process
  Policies policies_;
  bool speaks_http3_ = false;
  bool takes_early_data_ = false;
};

struct CompileOptions {
  std::shared_ptr<const guard::GeoDatabase> geo;  ///< null: every address is of unknown country
  /// Gives (distribution, behavior) its number in the metrics; may be empty.
  std::function<std::uint32_t(std::string_view, std::string_view)> metric_slot;
  /// What web ACLs count and keep; null: nothing is counted, as offline.
  std::shared_ptr<guard::waf::Shared> waf;
  /// Folder for compiled pattern databases of managed groups; empty: none.
  std::string waf_patterns;
  /// Where the age identities are that `*.sops.yaml` is decrypted with; nothing: there are none.
  std::optional<schema::Secret> age_identity;
  /// Whether secrets and private keys are read: false for validate, diff, test and explain on
  /// machines that have none of them.
  bool resolve_secrets = true;
};

struct Compiled {
  std::shared_ptr<const Configuration> configuration;  ///< null when a diagnostic is an error
  std::vector<schema::Diagnostic> diagnostics;
};

/// Compiles `model`; what `previous` compiled from the same resources (by identity) is shared, not
/// compiled again. Threads: any; never on a loop (reads secrets and certificates from disk).
Compiled compile(std::shared_ptr<const schema::Model> model, const CompileOptions& options,
                 const Configuration* previous);

}  // namespace headgate::snapshot
