// SPDX-License-Identifier: MIT
#include "appliance/server/exchange/request_facts.h"

#include <vector>

#include "appliance/server/connection/connections.h"
#include "appliance/server/h3/http/session.h"
#include "appliance/server/h3/http/stream.h"

namespace headgate::server {
namespace {

/// HTTP/2 may split Cookie into one field a pair; everybody behind wants one (RFC 9113
/// section 8.2.3).
void join_cookie_crumbs(std::pmr::vector<http::Field>& fields, PoolMemory& memory) {
  std::pmr::string joined(&memory);
  for (const auto& field : fields) {
    if (field.name != "cookie") continue;
    if (!joined.empty()) joined += "; ";
    joined += field.value;
  }
  std::erase_if(fields, [](const auto& field) { return field.name == "cookie"; });
  auto* copy = static_cast<char*>(memory.allocate(joined.size() + 1, 1));
  joined.copy(copy, joined.size());
  fields.push_back({"cookie", {copy, joined.size()}});
}

}  // namespace

PeerFacts peer_facts(h2o_conn_t* connection) {
  PeerFacts facts;
  sockaddr_storage storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (connection->callbacks->get_peername(connection, address) != 0) {
    facts.address = base::IpAddress::from_sockaddr(address);
    const int port = h2o_socket_getport(address);
    facts.port = port > 0 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
  }
  facts.internal = Connections::is_internal(connection);
  if (facts.internal) facts.address = base::IpAddress::from_v4({127, 0, 0, 1});
  h2o_socket_t* socket = connection->callbacks->get_socket(connection);
  if (H3Session::of(*connection) != nullptr) {
    facts.tls = true;
    facts.tls_version = "TLSv1.3";  // RFC 9001: QUIC has no other
  } else {
    facts.tls = socket != nullptr && socket->ssl != nullptr;
    if (facts.tls) facts.tls_version = h2o_socket_get_ssl_protocol_version(socket);
  }
  return facts;
}

snapshot::RequestFacts read_facts(h2o_req_t& request, const PeerFacts& peer,
                                  const guard::TrustedProxies& proxies, PoolMemory& memory) {
  std::pmr::vector<http::Field> fields(&memory);
  fields.reserve(request.headers.size + 1);
  int cookies = 0;
  for (std::size_t i = 0; i < request.headers.size; ++i) {
    const h2o_header_t& header = request.headers.entries[i];
    fields.push_back({view(*header.name), view(header.value)});
    cookies += fields.back().name == "cookie" ? 1 : 0;
  }
  if (cookies > 1) join_cookie_crumbs(fields, memory);

  snapshot::RequestFacts facts;
  facts.method = view(request.input.method);
  facts.http_version = request.version;
  facts.authority = view(request.input.authority);
  facts.target = view(request.input.path);
  facts.peer = peer.address;
  facts.https = peer.tls;
  facts.early_data = H3Stream::came_early(request);
  // The vector's memory is the pool's and outlives the vector.
  facts.fields = http::Fields(fields.data(), fields.size());
  facts.client = peer.address;
  if (!proxies.empty() && proxies.trusts(peer.address)) {
    facts.client = guard::client_address(peer.address, proxies, facts.fields);
    if (const auto proto = http::find(facts.fields, "x-forwarded-proto"))
      facts.https = *proto == "https";
  }
  return facts;
}

}  // namespace headgate::server
