// SPDX-License-Identifier: MIT
#include "appliance/server/exchange/request_facts.h"

#include <string>
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

/// How the body is framed is no field of h2o's: nothing that has passed a parser may be framed
/// twice. Here it is one for those who judge; origin_request.h leaves it out again.
void add_framing(const h2o_req_t& request, std::pmr::vector<http::Field>& fields,
                 PoolMemory& memory) {
  const bool streams = request.body.read != nullptr;
  if (!streams && request.entity.base == nullptr) return;
  const std::size_t length = streams ? request.body.content_length : request.entity.len;
  if (length != SIZE_MAX)
    fields.push_back({"content-length", memory.persist(std::to_string(length))});
  else if (request.version < 0x200)
    fields.push_back({"transfer-encoding", "chunked"});
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
  if (const H3Session* session = H3Session::of(*connection)) {
    facts.tls = true;
    facts.fingerprint = session->fingerprint();
    facts.tls_version = "TLSv1.3";  // RFC 9001: QUIC has no other
  } else {
    facts.tls = socket != nullptr && socket->ssl != nullptr;
    if (facts.tls) facts.fingerprint = Connections::fingerprint(connection);
    if (facts.tls) facts.tls_version = h2o_socket_get_ssl_protocol_version(socket);
  }
  return facts;
}

snapshot::RequestFacts read_facts(h2o_req_t& request, const PeerFacts& peer,
                                  const guard::TrustedProxies& proxies, PoolMemory& memory) {
  std::pmr::vector<http::Field> fields(&memory);
  fields.reserve(request.headers.size + 2);
  int cookies = 0;
  for (std::size_t i = 0; i < request.headers.size; ++i) {
    const h2o_header_t& header = request.headers.entries[i];
    fields.push_back({view(*header.name), view(header.value)});
    cookies += fields.back().name == "cookie" ? 1 : 0;
  }
  if (cookies > 1) join_cookie_crumbs(fields, memory);
  add_framing(request, fields, memory);

  snapshot::RequestFacts facts;
  facts.method = view(request.input.method);
  facts.http_version = request.version;
  facts.authority = view(request.input.authority);
  // libh2o puts its own name in place of a host that HTTP/1.0 need not have.
  facts.names_host = request.input.authority.base != request.hostconf->authority.hostport.base;
  facts.target = view(request.input.path);
  facts.peer = peer.address;
  facts.https = peer.tls;
  facts.fingerprint = peer.fingerprint;
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
