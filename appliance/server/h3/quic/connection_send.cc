// SPDX-License-Identifier: MIT
// The part of a connection that sends: streams' octets into packets, packets into bursts that the
// kernel cuts (UDP_SEGMENT), bursts no faster than the path is thought to take.
#include <algorithm>
#include <array>

#include "appliance/server/h3/quic/connection.h"
#include "appliance/server/h3/quic/endpoint.h"

namespace headgate::server {
namespace {

/// What one call of the kernel may be given: a datagram of IPv4 at most.
constexpr std::size_t kMaxBurst = 65000;
constexpr std::size_t kMaxPieces = 16;
/// UDP_SEGMENT cuts into 64 at most.
constexpr std::size_t kMaxSegments = 60;
constexpr Duration kRetrySend = std::chrono::milliseconds(1);

}  // namespace

/// Packets that go together: same path, same mark, same size but for the last.
struct QuicConnection::Burst {
  std::array<std::uint8_t, kMaxBurst + kLargestDatagram> octets;
  std::size_t size = 0;
  std::size_t segment = 0;
  std::uint8_t ecn = 0;
  ngtcp2_path_storage path;
  // The packet that was written last, which may not belong to them.
  std::size_t packet = 0;
  ngtcp2_path_storage packet_path;
  ngtcp2_pkt_info packet_info{};

  bool takes_packet() const {
    return size == 0 || (ngtcp2_path_eq(&path.path, &packet_path.path) != 0 &&
                         ecn == packet_info.ecn && packet <= segment);
  }
  void take_packet() {
    if (size == 0) {
      ngtcp2_path_copy(&path.path, &packet_path.path);
      segment = packet;
      ecn = packet_info.ecn;
    }
    size += packet;
  }
  /// After `take_packet`: whether no other can follow.
  bool is_full() const {
    return packet < segment || size + segment > kMaxBurst || size >= kMaxSegments * segment;
  }
};

void QuicConnection::send() {
  if (retry_send_.pending() || !send_pending()) return;
  static thread_local Burst burst;
  burst.size = 0;
  ngtcp2_path_storage_zero(&burst.path);
  ngtcp2_path_storage_zero(&burst.packet_path);
  const ngtcp2_tstamp now = quic_now();
  const std::size_t quantum = std::min(kMaxBurst, ngtcp2_conn_get_send_quantum(native_));
  std::size_t written = 0;
  waits_ = false;
  sent_at_ = now;
  while (true) {
    const Wrote wrote = write_packet(burst, now);
    if (wrote == Wrote::Failed) return;
    if (wrote == Wrote::Nothing) {
      if (session_ != nullptr && session_->has_room_to_give()) continue;
      break;
    }
    written += burst.packet;
    if (!burst.takes_packet()) {
      // It stands behind the others: they go, it becomes the first of the next burst.
      const std::size_t at = burst.size;
      const bool room = send_burst(burst);
      std::copy_n(burst.octets.begin() + static_cast<std::ptrdiff_t>(at), burst.packet,
                  burst.octets.begin());
      burst.size = 0;
      if (!room) break;  // the packet is lost with them, and sent again
    }
    burst.take_packet();
    if (burst.is_full()) {
      if (!send_burst(burst)) break;
      burst.size = 0;
    }
    if (written >= quantum) {
      wake();  // others get their turn; ngtcp2 says when the next burst may go
      waits_ = true;
      break;
    }
  }
  if (burst.size != 0 && !retry_send_.pending()) send_burst(burst);
  ngtcp2_conn_update_pkt_tx_time(native_, now);
}

QuicConnection::Wrote QuicConnection::write_packet(Burst& burst, ngtcp2_tstamp now) {
  // The same for every call until a packet is complete.
  std::uint8_t* const out = burst.octets.data() + burst.size;
  const std::size_t room =
      std::min(kLargestDatagram, ngtcp2_conn_get_max_tx_udp_payload_size(native_));
  nghttp3_conn* http = session_ == nullptr ? nullptr : session_->native();
  if (session_ != nullptr) session_->give_room();
  while (true) {
    std::int64_t stream = end_due_;
    int fin = stream != -1 ? 1 : 0;
    std::array<nghttp3_vec, kMaxPieces> pieces;
    nghttp3_ssize count = 0;
    if (stream == -1 && http != nullptr && ngtcp2_conn_get_max_data_left(native_) > 0) {
      count = session_->take(stream, fin, pieces);
      if (count < 0) {
        fail(nghttp3_err_infer_quic_app_error_code(static_cast<int>(count)));
        return Wrote::Failed;
      }
    }
    ngtcp2_ssize taken = -1;
    const std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE |
                                (fin != 0 ? NGTCP2_WRITE_STREAM_FLAG_FIN : std::uint32_t{0});
    const auto size = ngtcp2_conn_writev_stream(
        native_, &burst.packet_path.path, &burst.packet_info, out, room, &taken, flags, stream,
        reinterpret_cast<const ngtcp2_vec*>(pieces.data()), static_cast<std::size_t>(count), now);
    const bool refused = size >= 0 && taken < 0;
    end_due_ = refused && fin != 0 && count == 0 ? stream : -1;
    if (size < 0 && size != NGTCP2_ERR_WRITE_MORE) {
      if (!on_write_error(size, stream)) return Wrote::Failed;
      continue;
    }
    if (taken >= 0) nghttp3_conn_add_write_offset(http, stream, static_cast<std::size_t>(taken));
    if (size == NGTCP2_ERR_WRITE_MORE) continue;  // there is room in the packet for other streams
    burst.packet = static_cast<std::size_t>(size);
    waits_ = refused && stream != -1;
    return size == 0 ? Wrote::Nothing : Wrote::Packet;
  }
}

bool QuicConnection::on_write_error(ngtcp2_ssize code, std::int64_t stream) {
  switch (code) {
    case NGTCP2_ERR_STREAM_DATA_BLOCKED:
      nghttp3_conn_block_stream(session_->native(), stream);
      return true;
    case NGTCP2_ERR_STREAM_SHUT_WR:
      // The client's STOP_SENDING has no call-back: this is how it shows (http3.md).
      session_->on_refused(stream);
      return true;
    case NGTCP2_ERR_STREAM_NOT_FOUND:
      nghttp3_conn_shutdown_stream_write(session_->native(), stream);
      return true;
    default:
      if (!failed_) ngtcp2_ccerr_set_liberr(&error_, static_cast<int>(code), nullptr, 0);
      failed_ = true;
      return false;
  }
}

bool QuicConnection::send_burst(Burst& burst) {
  const std::span<const std::uint8_t> octets(burst.octets.data(), burst.size);
  if (endpoint_.socket().send(octets, burst.segment, burst.path.path, burst.ecn)) return true;
  pending_.octets.assign(octets.begin(), octets.end());
  pending_.segment = burst.segment;
  pending_.ecn = burst.ecn;
  pending_.path = QuicPath::of(burst.path.path);
  burst.size = 0;
  retry_send_.schedule_after(kRetrySend);
  return false;
}

bool QuicConnection::send_pending() {
  if (pending_.octets.empty()) return true;
  if (!endpoint_.socket().send(pending_.octets, pending_.segment, pending_.path.view(),
                               pending_.ecn)) {
    retry_send_.schedule_after(kRetrySend);
    return false;
  }
  pending_.octets.clear();
  return true;
}

}  // namespace headgate::server
