// SPDX-License-Identifier: MIT
// One request to an admin listener, by cpp-httplib's client.
#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <exception>

#include "appliance/admin/server.h"

namespace headgate::admin {
namespace {

constexpr time_t kConnectSeconds = 3;
constexpr time_t kAnswerSeconds = 60;  ///< a review compiles the configuration
constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kHttpPrefix = "http://";

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

/// Errors: Blame::Config when `address` is none.
Result<std::unique_ptr<httplib::Client>> connect_to(const std::string& address) {
  std::unique_ptr<httplib::Client> client;
  if (starts_with(address, kUnixPrefix)) {
    const auto path = address.substr(kUnixPrefix.size());
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
      return fail(Blame::Config, "{}: the path of a socket has 1 to {} octets", address,
                  sizeof(sockaddr_un::sun_path) - 1);
    }
    client = std::make_unique<httplib::Client>(path);
    client->set_address_family(AF_UNIX);
  } else {
    const auto url =
        starts_with(address, kHttpPrefix) ? address : std::string(kHttpPrefix) + address;
    if (starts_with(address, "https://")) {
      return fail(Blame::Config, "{}: the admin listener speaks http; give ADDR:PORT or unix:PATH",
                  address);
    }
    client = std::make_unique<httplib::Client>(url);
  }
  if (!client->is_valid()) {
    return fail(Blame::Config, "{} is no address: give ADDR:PORT, http://ADDR:PORT or unix:PATH",
                address);
  }
  client->set_connection_timeout(kConnectSeconds);
  client->set_read_timeout(kAnswerSeconds);
  client->set_write_timeout(kAnswerSeconds);
  return client;
}

httplib::Headers headers_of(const std::optional<schema::Redacted>& token) {
  httplib::Headers headers{{"Host", "localhost"}};
  if (token) headers.emplace("Authorization", "Bearer " + token->reveal());
  return headers;
}

tl::unexpected<Error> no_answer(const std::string& address, httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::BindIPAddress:
      return fail(
          Blame::Config,
          "no appliance answers at {}: is `headgate run` up? (--admin or HEADGATE_ADMIN names it)",
          address);
    default:
      return fail(Blame::Self,
                  "the appliance at {} gave no whole answer ({}); try again, its log may say more",
                  address, httplib::to_string(error));
  }
}

template <class Send>
Result<Reply> exchange(const std::string& address, Send send) {
  try {
    HG_TRY(auto client, connect_to(address), "admin listener");
    const auto result = send(*client);
    if (!result) return no_answer(address, result.error());
    return Reply{.status = result->status, .body = result->body};
  } catch (const std::exception& error) {  // the library's parsing of addresses throws
    return fail(Blame::Config,
                "{} is no address: give ADDR:PORT, http://ADDR:PORT or unix:PATH ({})", address,
                error.what());
  }
}

}  // namespace

Result<Reply> get(const std::string& address, const std::string& target,
                  const std::optional<schema::Redacted>& token) {
  return exchange(address,
                  [&](httplib::Client& client) { return client.Get(target, headers_of(token)); });
}

Result<Reply> post(const std::string& address, const std::string& target, const std::string& body,
                   const std::optional<schema::Redacted>& token) {
  return exchange(address, [&](httplib::Client& client) {
    return client.Post(target, headers_of(token), body, "application/octet-stream");
  });
}

Status follow(const std::string& address, const std::string& target,
              const std::optional<schema::Redacted>& token,
              const std::function<bool(std::string_view)>& on_octets) {
  try {
    HG_TRY(auto client, connect_to(address), "admin listener");
    client->set_read_timeout(24 * 3600);  // events are rare
    bool stopped = false;
    int status = 0;
    const auto result = client->Get(
        target, headers_of(token),
        [&](const httplib::Response& response) {
          status = response.status;
          return status == 200;
        },
        [&](const char* text, size_t size) {
          stopped = !on_octets({text, size});
          return !stopped;
        });
    if (stopped) return {};
    if (status != 0 && status != 200)
      return fail(Blame::Config, "{} answers {} to {}", address, status, target);
    if (!result) return no_answer(address, result.error());
    return {};
  } catch (const std::exception& error) {
    return fail(Blame::Config,
                "{} is no address: give ADDR:PORT, http://ADDR:PORT or unix:PATH ({})", address,
                error.what());
  }
}

}  // namespace headgate::admin
