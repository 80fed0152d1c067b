// SPDX-License-Identifier: MIT
// Where a distribution's content comes from: origins and origin groups, as a repository says them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/secret.h"

namespace headgate::schema {

enum class OriginProtocolPolicy { HttpOnly, HttpsOnly, MatchViewer };

enum class TlsVersion { Tls1_0, Tls1_1, Tls1_2, Tls1_3 };

/// `custom:` of an origin; CloudFront's CustomOriginConfig.
struct CustomOrigin {
  OriginProtocolPolicy origin_protocol_policy = OriginProtocolPolicy::MatchViewer;
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  std::vector<TlsVersion> origin_ssl_protocols = {TlsVersion::Tls1_2, TlsVersion::Tls1_3};
  Duration origin_read_timeout =
      std::chrono::seconds(30);  ///< first byte and between bytes, 1–120 s
  Duration origin_keepalive_timeout = std::chrono::seconds(5);  ///< 1–120 s
  std::string sni;                                              ///< empty: domainName
  std::string host_header;    ///< empty: by the origin request policy, else domainName
  std::string ca_bundle;      ///< path in the repository of a PEM file; empty: the system's
  std::string ca_bundle_pem;  ///< its content, read by the loader
  bool verify = true;
};

/// A header added to every request to an origin; overwrites the viewer's.
struct OriginCustomHeader {
  std::string name;
  Secret value;
};

struct Origin {
  std::string id;
  std::string domain_name;      ///< host name or IP literal, without port
  std::string origin_path;      ///< "" or "/live": starts with '/', does not end with it
  int connection_attempts = 3;  ///< 1–3
  Duration connection_timeout = std::chrono::seconds(10);  ///< 1–10 s
  std::optional<Duration>
      response_completion_timeout;  ///< at least the read timeout; none: unlimited
  CustomOrigin custom;
  std::vector<OriginCustomHeader> custom_headers;  ///< YAML: a map name → value
};

struct FailoverCriteria {
  std::vector<int> status_codes;  ///< of 400 403 404 416 429 500 502 503 504
};

/// When an origin counts as down: features.md D9.
struct Breaker {
  int failures = 5;  ///< in a row; 0: never
  Duration within = std::chrono::seconds(10);
  Duration probe_every = std::chrono::seconds(2);
};

struct OriginGroup {
  std::string id;
  std::vector<std::string> members;  ///< 2..N origin ids, in order of preference
  FailoverCriteria failover_criteria;
  Breaker breaker;  ///< of its members
};

}  // namespace headgate::schema
