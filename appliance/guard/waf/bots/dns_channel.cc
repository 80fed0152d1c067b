// SPDX-License-Identifier: MIT
// c-ares, with poll() under it.
#include "appliance/guard/waf/bots/dns_channel.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <array>

#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

using Outcome = DnsChannel::Outcome;

constexpr int kMaxAddresses = 64;
/// What does not fit into a fragment of any network comes over TCP (DNS Flag Day 2020).
constexpr int kEdnsOctets = 1232;

Outcome outcome_of(int status) {
  if (status == ARES_SUCCESS) return Outcome::Answered;
  return status == ARES_ENOTFOUND || status == ARES_ENODATA ? Outcome::NoSuchRecord
                                                            : Outcome::Failed;
}

/// 1.2.0.192.in-addr.arpa, or 32 nibbles and ip6.arpa.
std::string reverse_name(const base::IpAddress& address) {
  std::string name;
  const auto& octets = address.octets();
  if (address.is_v4()) {
    for (std::size_t i = 4; i-- > 0;) name += fmt::format("{}.", octets[i]);
    return name + "in-addr.arpa";
  }
  for (std::size_t i = 16; i-- > 0;)
    name += fmt::format("{:x}.{:x}.", octets[i] & 0x0f, octets[i] >> 4);
  return name + "ip6.arpa";
}

std::vector<std::string> names_in(const hostent& host) {
  std::vector<std::string> names;
  const auto add = [&names](const char* name) {
    if (name != nullptr && std::find(names.begin(), names.end(), name) == names.end())
      names.emplace_back(name);
  };
  add(host.h_name);
  for (char** alias = host.h_aliases; alias != nullptr && *alias != nullptr; ++alias) add(*alias);
  return names;
}

struct NamesQuestion {
  base::IpAddress address;
  DnsChannel::OnNames done;

  static void answered(void* self, int status, int, unsigned char* answer, int size) {
    const std::unique_ptr<NamesQuestion> question(static_cast<NamesQuestion*>(self));
    std::vector<std::string> names;
    if (status == ARES_SUCCESS) {
      const auto& octets = question->address.octets();
      const bool v4 = question->address.is_v4();
      hostent* host = nullptr;
      status = ares_parse_ptr_reply(answer, size, octets.data(), v4 ? 4 : 16,
                                    v4 ? AF_INET : AF_INET6, &host);
      if (status == ARES_SUCCESS) {
        names = names_in(*host);
        ares_free_hostent(host);
      }
      // A name that no host can have: who writes such a zone shall not stay undecided for that.
      if (status == ARES_EBADRESP) status = ARES_ENODATA;
    }
    question->done(outcome_of(status), std::move(names));
  }
};

struct AddressesQuestion {
  bool v6;
  DnsChannel::OnAddresses done;

  static void answered(void* self, int status, int, unsigned char* answer, int size) {
    const std::unique_ptr<AddressesQuestion> question(static_cast<AddressesQuestion*>(self));
    std::vector<base::IpAddress> addresses;
    if (status == ARES_SUCCESS)
      status = question->v6 ? read_v6(answer, size, addresses) : read_v4(answer, size, addresses);
    question->done(outcome_of(status), std::move(addresses));
  }

  static int read_v4(const unsigned char* answer, int size,
                     std::vector<base::IpAddress>& addresses) {
    std::array<ares_addrttl, kMaxAddresses> records{};
    int count = kMaxAddresses;
    const int status = ares_parse_a_reply(answer, size, nullptr, records.data(), &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; ++i) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr = records[static_cast<std::size_t>(i)].ipaddr;
      addresses.push_back(
          base::IpAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&address)));
    }
    return status;
  }

  static int read_v6(const unsigned char* answer, int size,
                     std::vector<base::IpAddress>& addresses) {
    std::array<ares_addr6ttl, kMaxAddresses> records{};
    int count = kMaxAddresses;
    const int status = ares_parse_aaaa_reply(answer, size, nullptr, records.data(), &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; ++i) {
      std::array<std::uint8_t, 16> octets{};
      std::copy_n(records[static_cast<std::size_t>(i)].ip6addr._S6_un._S6_u8, octets.size(),
                  octets.begin());
      addresses.push_back(base::IpAddress::from_v6(octets));
    }
    return status;
  }
};

}  // namespace

Result<std::unique_ptr<DnsChannel>> DnsChannel::open(const Options& options) {
  std::unique_ptr<DnsChannel> channel(new DnsChannel());
  ares_options settings{};
  settings.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
  settings.ednspsz = kEdnsOctets;
  settings.timeout = static_cast<int>(options.patience.count());
  settings.tries = options.tries;
  settings.sock_state_cb = note_socket;
  settings.sock_state_cb_data = channel.get();
  int status = ares_init_options(&channel->channel_, &settings,
                                 ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS |
                                     ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS)
    return fail(Blame::Self, "DNS cannot be asked: {}", ares_strerror(status));
  if (options.servers.empty()) return channel;
  const std::string servers = schema::join(options.servers, ",");
  status = ares_set_servers_ports_csv(channel->channel_, servers.c_str());
  if (status != ARES_SUCCESS) return fail(Blame::Self, "{}: {}", servers, ares_strerror(status));
  return channel;
}

DnsChannel::~DnsChannel() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void DnsChannel::names_of(const base::IpAddress& address, OnNames done) {
  auto question = std::make_unique<NamesQuestion>();
  question->address = address;
  question->done = std::move(done);
  ares_query(channel_, reverse_name(address).c_str(), ns_c_in, ns_t_ptr, NamesQuestion::answered,
             question.release());
}

void DnsChannel::addresses_of(const std::string& name, bool v6, OnAddresses done) {
  auto question = std::make_unique<AddressesQuestion>();
  question->v6 = v6;
  question->done = std::move(done);
  ares_query(channel_, name.c_str(), ns_c_in, v6 ? ns_t_aaaa : ns_t_a, AddressesQuestion::answered,
             question.release());
}

void DnsChannel::note_socket(void* self, int fd, int readable, int writable) {
  auto& sockets = static_cast<DnsChannel*>(self)->sockets_;
  std::erase_if(sockets, [fd](const Socket& socket) { return socket.fd == fd; });
  if (readable != 0 || writable != 0)
    sockets.push_back(
        {fd, static_cast<short>((readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0))});
}

void DnsChannel::wait(int wake) {
  std::vector<pollfd> polled;
  for (const Socket& socket : sockets_) polled.push_back({socket.fd, socket.events, 0});
  polled.push_back({wake, POLLIN, 0});
  timeval room{};
  const timeval* left = ares_timeout(channel_, nullptr, &room);
  const long ms = left == nullptr ? -1 : left->tv_sec * 1000 + (left->tv_usec + 999) / 1000;
  if (::poll(polled.data(), polled.size(), static_cast<int>(ms)) > 0) {
    polled.pop_back();
    for (const pollfd& socket : polled) {
      if (socket.revents == 0) continue;
      const bool writable = (socket.revents & POLLOUT) != 0;
      const bool readable = (socket.revents & ~POLLOUT) != 0;  // errors are read, too
      ares_process_fd(channel_, readable ? socket.fd : ARES_SOCKET_BAD,
                      writable ? socket.fd : ARES_SOCKET_BAD);
    }
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what is over its time
}

}  // namespace headgate::guard::waf
