// SPDX-License-Identifier: MIT
// Resources as canonical JSON: one order of members, YAML's names, secrets as markers. What a
// semantic diff compares.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "schema/model/model.h"

namespace headgate::schema {

/// Keeps the order of the table of fields.
using Json = nlohmann::ordered_json;

enum class Defaults { Included, LeftOut };

struct EncodeOptions {
  Defaults defaults = Defaults::Included;
  /// Keys the digests that stand for inline secrets; empty: a random one of this process, so that
  /// digests compare within a process and tell nothing to whoever reads them.
  std::string secret_key;
};

/// `{"metadata": {"name": …}, "spec": {…}}` with the names of the YAML. Inline secrets become
/// "secret (hmac 1f3a90c2)", file contents longer than 256 octets "sha256:… (N octets)"; references
/// (`valueFrom`) are shown. Threads: pure.
Json to_json(const Distribution& resource, const EncodeOptions& options = {});
Json to_json(const CachePolicy& resource, const EncodeOptions& options = {});
Json to_json(const OriginRequestPolicy& resource, const EncodeOptions& options = {});
Json to_json(const ResponseHeadersPolicy& resource, const EncodeOptions& options = {});
Json to_json(const Certificate& resource, const EncodeOptions& options = {});
Json to_json(const WebAcl& resource, const EncodeOptions& options = {});
Json to_json(const Invalidation& resource, const EncodeOptions& options = {});
Json to_json(const InvalidationSchedule& resource, const EncodeOptions& options = {});
Json to_json(const WarmList& resource, const EncodeOptions& options = {});
Json to_json(const Expect& resource, const EncodeOptions& options = {});
Json to_json(const Signers& resource, const EncodeOptions& options = {});
Json to_json(const Fleet& resource, const EncodeOptions& options = {});
Json to_json(const Edge& resource, const EncodeOptions& options = {});

/// Every resource by kind and name: `{"Distribution": {"shop": {…}}, "CachePolicy": {…}, …}`; kinds
/// without a resource are left out.
Json to_json(const Model& model, const EncodeOptions& options = {});

}  // namespace headgate::schema
