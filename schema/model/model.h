// SPDX-License-Identifier: MIT
// A whole configuration: every resource of a repository, validated, with defaults filled in and
// references checked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schema/model/distribution.h"
#include "schema/model/layout.h"
#include "schema/model/policy.h"
#include "schema/model/resources.h"
#include "schema/model/signers.h"
#include "schema/model/sops.h"
#include "schema/model/web_acl.h"

namespace headgate::schema {

/// Resources are immutable and shared: a file that a commit leaves alone yields the same pointers
/// as before, so that whoever compiles them can tell by identity what has not changed. Maps are
/// keyed by name; policies also hold the managed ones in use, under their name. Threads: immutable.
struct Model {
  Layout layout;  ///< of the tree that it was loaded from
  std::map<std::string, std::shared_ptr<const Distribution>> distributions;
  std::map<std::string, std::shared_ptr<const CachePolicy>> cache_policies;
  std::map<std::string, std::shared_ptr<const OriginRequestPolicy>> origin_request_policies;
  std::map<std::string, std::shared_ptr<const ResponseHeadersPolicy>> response_headers_policies;
  std::map<std::string, std::shared_ptr<const Certificate>> certificates;
  std::map<std::string, std::shared_ptr<const WebAcl>> web_acls;
  std::map<std::string, std::shared_ptr<const Invalidation>> invalidations;  ///< by id
  std::map<std::string, std::shared_ptr<const InvalidationSchedule>> invalidation_schedules;
  std::map<std::string, std::shared_ptr<const WarmList>> warm_lists;
  std::vector<std::shared_ptr<const Expect>> expects;
  struct EncryptedSecret {
    std::shared_ptr<const SopsFile> file;
    std::size_t value = 0;  ///< index into its values
  };
  std::map<std::string, EncryptedSecret> secrets;  ///< of all `*.sops.yaml`
  std::shared_ptr<const Fleet> fleet;              ///< may be null
  std::shared_ptr<const Signers> signers;          ///< may be null

  /// By resource name, `Managed-Name` or CloudFront's id; null when there is none.
  std::shared_ptr<const CachePolicy> find_cache_policy(const std::string& reference) const;
  std::shared_ptr<const OriginRequestPolicy> find_origin_request_policy(
      const std::string& reference) const;
  std::shared_ptr<const ResponseHeadersPolicy> find_response_headers_policy(
      const std::string& reference) const;
};

}  // namespace headgate::schema
