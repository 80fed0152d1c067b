// SPDX-License-Identifier: MIT
#include "appliance/server/h3/quic/endpoint.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/base/hash.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

using observe::QuicEvent;

/// Handshakes under way on a worker from which on clients must prove their address first
/// (RFC 9000 section 8.1.2), and from which on nobody is let in.
constexpr std::size_t kRetryFrom = 64;
constexpr std::size_t kMaxHandshakes = 4096;
/// RFC 9000 section 10.3.3 asks for a limit; packets of connections that ended with a restart come
/// in bursts.
constexpr double kResetsPerSecond = 100;
constexpr std::uint32_t kVersions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
/// Every flush may wake other connections; what they wake has to wait for its turn.
constexpr int kFlushRounds = 8;

}  // namespace

QuicEndpoint::QuicEndpoint(Commons& commons, H2oLoop& loop, h2o_context_t& context,
                           observe::WorkerMetrics& metrics, int descriptor, unsigned worker,
                           const QuicGroup& group, int predecessor)
    : commons_(commons),
      loop_(loop),
      context_(context),
      metrics_(metrics),
      worker_(worker),
      group_(group),
      socket_(descriptor),
      timer_descriptor_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      reset_tokens_(kResetsPerSecond),
      reset_counted_at_(quic_now()) {
  HG_ASSERT(timer_descriptor_ >= 0);
  readable_ = loop.watch_readable(socket_.descriptor(), [this] { on_readable(); });
  timer_ = loop.watch_readable(timer_descriptor_, [this] { on_timer(); });
  if (predecessor >= 0) meet(predecessor_, predecessor, Via::Predecessor);
}

QuicEndpoint::~QuicEndpoint() {
  timer_.reset();
  readable_.reset();
  predecessor_.reset();
  successor_.reset();
  flushing_ = true;  // nothing is to be scheduled any more
  connections_.clear();
  close(timer_descriptor_);
}

std::size_t QuicEndpoint::IdHash::operator()(const IdKey& key) const {
  return static_cast<std::size_t>(
      base::hash128({reinterpret_cast<const char*>(key.octets.data()), key.size}).low);
}

QuicEndpoint::IdKey QuicEndpoint::key_of(std::span<const std::uint8_t> id) {
  IdKey key;
  key.size = static_cast<std::uint8_t>(std::min(id.size(), key.octets.size()));
  std::copy_n(id.begin(), key.size, key.octets.begin());
  return key;
}

ngtcp2_cid QuicEndpoint::make_id() const {
  return commons_.quic->secrets.make_id(worker_, static_cast<unsigned>(group_.size()));
}

void QuicEndpoint::add_id(const ngtcp2_cid& id, QuicConnection& connection) {
  ids_[key_of({id.data, id.datalen})] = &connection;
}

void QuicEndpoint::remove_id(const ngtcp2_cid& id) { ids_.erase(key_of({id.data, id.datalen})); }

// --- Datagrams ----------------------------------------------------------------------------------

void QuicEndpoint::on_readable() {
  flushing_ = true;
  socket_.receive([this](const Datagram& datagram) { on_datagram(datagram, Via::Socket); });
  flush();
}

void QuicEndpoint::on_datagram(const Datagram& datagram, Via via) {
  ngtcp2_version_cid ids;
  const int code = ngtcp2_pkt_decode_version_cid(&ids, datagram.octets.data(),
                                                 datagram.octets.size(), QuicSecrets::kIdSize);
  if (code == NGTCP2_ERR_VERSION_NEGOTIATION) return send_version_negotiation(datagram, ids);
  if (code != 0) return metrics_.quic_event(QuicEvent::Dropped);
  route(datagram, {ids.dcid, ids.dcidlen}, via);
}

void QuicEndpoint::route(const Datagram& datagram, std::span<const std::uint8_t> id, Via via) {
  if (id.size() <= NGTCP2_MAX_CIDLEN) {
    if (const auto found = ids_.find(key_of(id)); found != ids_.end()) {
      found->second->receive(datagram);
      schedule(*found->second);
      return;
    }
  }
  const auto owner = commons_.quic->secrets.worker_of(id, static_cast<unsigned>(group_.size()));
  if (owner && *owner != worker_ && via == Via::Socket) {
    metrics_.quic_event(QuicEvent::Forwarded);
    return group_[*owner]->forward(datagram);
  }
  if (owner && predecessor_ != nullptr && via != Via::Predecessor) {
    metrics_.quic_event(QuicEvent::Forwarded);
    return predecessor_->channel.send(datagram);
  }
  // Also what the successor asked about; it knows what to do about what nobody knows.
  if (successor_ != nullptr && (owner || draining_)) {
    metrics_.quic_event(QuicEvent::Forwarded);
    return successor_->channel.send(datagram);
  }
  // A first packet has a long header; a client that answers our Retry uses an id of ours in it.
  if ((datagram.octets[0] & 0x80) != 0) return accept(datagram);
  if (owner) return send_stateless_reset(datagram, id);
  metrics_.quic_event(QuicEvent::Dropped);
}

void QuicEndpoint::forward(const Datagram& datagram) {
  loop_.post([this, alive = std::weak_ptr<int>(alive_), path = datagram.path, ecn = datagram.ecn,
              octets = std::vector<std::uint8_t>(datagram.octets.begin(), datagram.octets.end())] {
    if (alive.expired()) return;
    flushing_ = true;
    on_datagram({.octets = octets, .path = path, .ecn = ecn}, Via::Worker);
    flush();
  });
}

void QuicEndpoint::meet(std::unique_ptr<Neighbour>& neighbour, int channel, Via via) {
  neighbour.reset(new Neighbour{HandoverChannel(channel), nullptr, false});
  neighbour->readable = loop_.watch_readable(channel, [this, &neighbour, via] {
    flushing_ = true;
    const bool is_there = neighbour->channel.receive(
        [this, via](const Datagram& datagram) { on_datagram(datagram, via); });
    flush();
    if (is_there || std::exchange(neighbour->is_gone, true)) return;
    // Not here: this function is the watch's own.
    loop_.post([&neighbour, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired() && neighbour != nullptr && neighbour->is_gone) neighbour.reset();
    });
  });
}

void QuicEndpoint::set_successor(int channel) {
  if (channel >= 0) return meet(successor_, channel, Via::Successor);
  successor_.reset();
}

void QuicEndpoint::accept(const Datagram& datagram) {
  ngtcp2_pkt_hd header;
  // 0-RTT packets that overtake their Initial are sent again by the client.
  if (!commons_.quic->tls->is_wanted() ||
      ngtcp2_accept(&header, datagram.octets.data(), datagram.octets.size()) != 0 ||
      header.type != NGTCP2_PKT_INITIAL)
    return metrics_.quic_event(QuicEvent::Dropped);
  if (draining_) return refuse(datagram, header);
  if (commons_.connections.load(std::memory_order_relaxed) >=
      commons_.options.limits.max_connections) {
    metrics_.limit_exceeded(guard::Limit::MaxConnections);
    return refuse(datagram, header);
  }
  ngtcp2_cid original_id{};
  const auto token =
      commons_.quic->secrets.verify_token(header, datagram.path.remote.view(), original_id);
  if (handshakes_ >= kMaxHandshakes) return metrics_.quic_event(QuicEvent::Dropped);
  if (handshakes_ >= kRetryFrom && token == QuicSecrets::Token::None)
    return send_retry(datagram, header);
  if (const auto full = admit_handshake(datagram, token)) {
    metrics_.limit_exceeded(*full);
    return refuse(datagram, header);
  }

  auto connection = QuicConnection::make(*this, datagram, header, token, original_id);
  if (connection == nullptr) return metrics_.quic_event(QuicEvent::Dropped);
  QuicConnection& made = *connection;
  connections_.emplace(&made, std::move(connection));
  ++serving_;
  ++handshakes_;
  commons_.connections.fetch_add(1, std::memory_order_relaxed);
  metrics_.connection_opened(observe::Transport::Quic);
  made.receive(datagram);
  schedule(made);
}

/// An address that nobody has proved to be the sender's is nobody's: else anybody could use up
/// another one's limits.
std::optional<guard::Limit> QuicEndpoint::admit_handshake(const Datagram& datagram,
                                                          QuicSecrets::Token token) {
  const auto now = loop_.now();
  if (const auto full = commons_.admission.accept(now)) return full;
  const bool proved = token != QuicSecrets::Token::None;
  return commons_.admission.begin_handshake(
      proved ? base::IpAddress::from_sockaddr(&datagram.path.remote.raw.sa) : base::IpAddress(),
      now);
}

bool QuicEndpoint::admit(const base::IpAddress& client) {
  const auto full = commons_.admission.enter(client, loop_.now());
  if (full) metrics_.limit_exceeded(*full);
  return !full;
}

void QuicEndpoint::reply(std::span<const std::uint8_t> octets, const Datagram& to) {
  // Whether or not there is room: the client asks again.
  static_cast<void>(socket_.send(octets, octets.size(), to.path.view(), 0));
}

void QuicEndpoint::send_retry(const Datagram& datagram, const ngtcp2_pkt_hd& header) {
  const ngtcp2_cid id = make_id();
  const auto token = commons_.quic->secrets.make_retry_token(
      header.version, datagram.path.remote.view(), id, header.dcid);
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  const auto size =
      ngtcp2_crypto_write_retry(packet.data(), packet.size(), header.version, &header.scid, &id,
                                &header.dcid, token.data(), token.size());
  if (size <= 0) return;
  metrics_.quic_event(QuicEvent::Retry);
  reply({packet.data(), static_cast<std::size_t>(size)}, datagram);
}

void QuicEndpoint::send_version_negotiation(const Datagram& datagram,
                                            const ngtcp2_version_cid& ids) {
  // RFC 9000 section 6.1: not for what is too short to begin a connection, so that an answer is
  // never longer than what made it.
  if (datagram.octets.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE || !commons_.quic->tls->is_wanted())
    return metrics_.quic_event(QuicEvent::Dropped);
  std::array<std::uint8_t, 600> packet;
  const auto size = ngtcp2_pkt_write_version_negotiation(
      packet.data(), packet.size(), ids.dcidlen > 0 ? ids.dcid[0] : std::uint8_t{0}, ids.scid,
      ids.scidlen, ids.dcid, ids.dcidlen, kVersions, std::size(kVersions));
  if (size <= 0) return;
  metrics_.quic_event(QuicEvent::VersionNegotiation);
  reply({packet.data(), static_cast<std::size_t>(size)}, datagram);
}

bool QuicEndpoint::may_reset() {
  const ngtcp2_tstamp now = quic_now();
  const double seconds = static_cast<double>(now - reset_counted_at_) / 1e9;
  reset_counted_at_ = now;
  reset_tokens_ = std::min(kResetsPerSecond, reset_tokens_ + seconds * kResetsPerSecond);
  if (reset_tokens_ < 1) return false;
  reset_tokens_ -= 1;
  return true;
}

void QuicEndpoint::send_stateless_reset(const Datagram& datagram,
                                        std::span<const std::uint8_t> id) {
  // RFC 9000 section 10.3: shorter than what made it, or two ends could reset each other for ever;
  // long enough to look like a packet.
  constexpr std::size_t kShortest =
      1 + NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN + 1;
  if (datagram.octets.size() < kShortest || !may_reset())
    return metrics_.quic_event(QuicEvent::Dropped);
  ngtcp2_cid cid;
  ngtcp2_cid_init(&cid, id.data(), id.size());
  std::uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN];
  commons_.quic->secrets.make_reset_token(cid, token);
  constexpr std::size_t kLongestNoise = 40;
  const QuicSeed noise_a = random_quic_seed();
  const QuicSeed noise_b = random_quic_seed();
  std::array<std::uint8_t, 64> noise;
  std::copy(noise_b.begin(), noise_b.end(),
            std::copy(noise_a.begin(), noise_a.end(), noise.begin()));
  const std::size_t noise_size =
      std::min(kLongestNoise, datagram.octets.size() - 2 - NGTCP2_STATELESS_RESET_TOKENLEN);
  std::array<std::uint8_t, 128> packet;
  const auto size = ngtcp2_pkt_write_stateless_reset(packet.data(), packet.size(), token,
                                                     noise.data(), noise_size);
  if (size <= 0) return;
  metrics_.quic_event(QuicEvent::StatelessReset);
  reply({packet.data(), static_cast<std::size_t>(size)}, datagram);
}

void QuicEndpoint::refuse(const Datagram& datagram, const ngtcp2_pkt_hd& header) {
  metrics_.quic_event(QuicEvent::Dropped);
  std::array<std::uint8_t, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
  // The id that the client chose is what the keys of first packets are made of.
  const auto size = ngtcp2_crypto_write_connection_close(packet.data(), packet.size(),
                                                         header.version, &header.scid, &header.dcid,
                                                         NGTCP2_CONNECTION_REFUSED, nullptr, 0);
  if (size > 0) reply({packet.data(), static_cast<std::size_t>(size)}, datagram);
}

// --- Connections --------------------------------------------------------------------------------

void QuicEndpoint::schedule(QuicConnection& connection) {
  if (!connection.scheduled) {
    connection.scheduled = true;
    dirty_.push_back(&connection);
  }
  if (flushing_ || flush_posted_) return;
  flush_posted_ = true;
  loop_.post([this] {
    flush_posted_ = false;
    flush();
  });
}

void QuicEndpoint::flush() {
  flushing_ = true;
  for (int round = 0; round < kFlushRounds && !dirty_.empty(); ++round) {
    const std::vector<QuicConnection*> now = std::exchange(dirty_, {});
    for (QuicConnection* connection : now) connection->scheduled = false;
    for (QuicConnection* connection : now) {
      connection->flush();
      set_timer(*connection);
      if (!connection->is_over()) continue;
      std::erase(dirty_, connection);
      expiries_.erase({connection->scheduled_expiry, connection});
      connections_.erase(connection);
    }
  }
  flushing_ = false;
  arm();
  if (!dirty_.empty()) schedule(*dirty_.front());
  if (draining_ && serving_ == 0 && on_idle_) std::exchange(on_idle_, {})();
}

void QuicEndpoint::connection_ended(const base::IpAddress& client) {
  --serving_;
  commons_.admission.leave(client);
  commons_.connections.fetch_sub(1, std::memory_order_relaxed);
  metrics_.connection_closed();
}

void QuicEndpoint::set_timer(QuicConnection& connection) {
  const ngtcp2_tstamp expiry = connection.expiry();
  if (expiry == connection.scheduled_expiry) return;
  expiries_.erase({connection.scheduled_expiry, &connection});
  connection.scheduled_expiry = expiry;
  if (expiry != UINT64_MAX) expiries_.emplace(expiry, &connection);
}

void QuicEndpoint::arm() {
  const ngtcp2_tstamp next = expiries_.empty() ? UINT64_MAX : expiries_.begin()->first;
  // A timer that goes off too early costs less than one that is set again at every packet.
  if (next >= armed_) return;
  armed_ = next;
  const ngtcp2_tstamp at = std::max<ngtcp2_tstamp>(next, 1);  // zero would disarm it
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at / NGTCP2_SECONDS);
  when.it_value.tv_nsec = static_cast<long>(at % NGTCP2_SECONDS);
  timerfd_settime(timer_descriptor_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void QuicEndpoint::on_timer() {
  std::uint64_t count = 0;
  if (read(timer_descriptor_, &count, sizeof count) < 0 && errno != EAGAIN) return;
  armed_ = UINT64_MAX;
  flushing_ = true;
  const ngtcp2_tstamp now = quic_now();
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    QuicConnection& connection = *expiries_.begin()->second;
    expiries_.erase(expiries_.begin());
    connection.scheduled_expiry = UINT64_MAX;
    connection.on_expiry();
    schedule(connection);
  }
  flush();
}

void QuicEndpoint::drain(base::UniqueFunction<void()> on_idle) {
  draining_ = true;
  on_idle_ = std::move(on_idle);
  if (successor_ != nullptr) readable_.reset();
  for (const auto& [connection, owner] : connections_) {
    connection->drain();
    schedule(*connection);
  }
  flush();
}

void QuicEndpoint::abort_all() {
  for (const auto& [connection, owner] : connections_) {
    connection->abort();
    schedule(*connection);
  }
  flush();
}

}  // namespace headgate::server
