// SPDX-License-Identifier: MIT
// From libh2o's request to the facts that decisions are made of.
#pragma once

#include "appliance/guard/client_address.h"
#include "appliance/server/exchange/pool_memory.h"
#include "appliance/server/h2o.h"
#include "appliance/snapshot/decide.h"

namespace headgate::server {

/// What is known of a request's connection, beside what libh2o keeps.
struct PeerFacts {
  base::IpAddress address;  ///< the socket's, or the one that PROXY named
  std::uint16_t port = 0;
  bool internal = false;  ///< the edge itself, to warm its cache
  bool tls = false;
  const guard::waf::Fingerprint* fingerprint = nullptr;  ///< of the connection; may be null
  std::string_view tls_version;                          ///< static; empty without TLS
};
PeerFacts peer_facts(h2o_conn_t* connection);

/// Views point into `request` and `memory`. `country` is left unknown: that is the snapshot's
/// database's business. :scheme is what an HTTP/2 client says, so `https` is whether there is TLS,
/// or what a trusted proxy's X-Forwarded-Proto says.
snapshot::RequestFacts read_facts(h2o_req_t& request, const PeerFacts& peer,
                                  const guard::TrustedProxies& proxies, PoolMemory& memory);

}  // namespace headgate::server
