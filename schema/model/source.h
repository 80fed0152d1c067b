// SPDX-License-Identifier: MIT
// Where an edge's configuration comes from (YAML: `source` of `kind: Edge`).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/layout.h"
#include "schema/model/secret.h"

namespace headgate::schema {

/// What one host of `https://` URLs is shown to be let in.
struct SourceCredential {
  std::string host;  ///< as in the URL, with its port where that has one
  std::string user = "x-access-token";
  Secret token;
};

struct EdgeSource {
  /// The same repository, by preference: paths, bare repositories, https://, ssh://.
  std::vector<std::string> urls;
  std::string receive;  ///< bare repository that is pushed to, instead of `urls`; empty: none
  std::string ref = "main";
  std::string semver;  ///< follow the highest tag of this range, instead of `ref`; empty: none
  std::string path;    ///< see Layout
  std::string overlay;
  Duration poll = std::chrono::seconds(15);
  Duration timeout = std::chrono::seconds(60);  ///< of one step of a fetch, from one URL
  std::string ssh_key_file;
  std::string known_hosts;
  std::optional<Secret> token;  ///< for the host of the first https:// URL
  std::vector<SourceCredential> credentials;
  std::string proxy;  ///< of http(s) URLs: http://, https://, socks5://, socks5h://; empty: the
                      ///< variables'
  std::optional<Secret> webhook_secret;

  Layout layout() const { return {path, overlay}; }
};

}  // namespace headgate::schema
