// SPDX-License-Identifier: MIT
#include "appliance/server/h3/http/stream.h"

#include <algorithm>
#include <charconv>
#include <memory_resource>
#include <new>
#include <string>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/server/exchange/status_phrase.h"
#include "appliance/server/h3/http/session.h"
#include "appliance/server/h3/quic/connection.h"
#include "appliance/server/h3/quic/endpoint.h"
#include "appliance/server/worker.h"

namespace headgate::server {
namespace {

constexpr int kHttp3 = 0x300;
/// libh2o is asked for more when less than this waits to be sent.
constexpr std::size_t kLowWater = 64 * 1024;
/// Places of acknowledged pieces that are kept before the others move up.
constexpr std::size_t kMostGone = 32;

schema::EdgeLimits const& limits_of(H3Session& session) {
  return session.connection().endpoint().commons().options.limits;
}

}  // namespace

H3Stream::H3Stream(H3Session& session, std::int64_t id)
    : session_(session),
      id_(id),
      head_(request_, session.h2o().ctx->globalconf->http2.max_header_list_size,
            session.h2o().ctx->globalconf->http2.max_header_fields),
      pieces_(&session.connection().endpoint().block_memory()) {
  h2o_init_request(&request_, &session.h2o(), nullptr);
  request_.version = kHttp3;
  request_.input.scheme = &H2O_URL_SCHEME_HTTPS;
  request_._ostr_top = &ostream_.super;
  request_.timestamps.request_begin_at = *h2o_get_timestamp(session.h2o().ctx, nullptr, nullptr);
  ostream_.stream = this;
  ostream_.super.do_send = [](h2o_ostream_t* stream, h2o_req_t*, h2o_iovec_t* pieces,
                              std::size_t count, h2o_send_state_t state) {
    reinterpret_cast<Ostream*>(stream)->stream->send(pieces, count, state);
  };
}

H3Stream::Owner H3Stream::make(base::BlockPool& blocks, H3Session& session, std::int64_t id) {
  void* const block = blocks.allocate(sizeof(H3Stream));
  HG_ASSERT(block != nullptr);  // as operator new would
  return Owner(new (block) H3Stream(session, id), Release{&blocks});
}

void H3Stream::Release::operator()(H3Stream* stream) const {
  stream->~H3Stream();
  blocks->release(stream);
}

H3Stream::~H3Stream() {
  end_request();
  session_.count_copied(-static_cast<std::int64_t>(copied_));
}

H3Stream& H3Stream::of(h2o_req_t& request) {
  return *reinterpret_cast<Ostream*>(request._ostr_top)->stream;
}

// --- The request --------------------------------------------------------------------------------

void H3Stream::on_field(std::int32_t token, std::string_view name, std::string_view value) {
  if (!request_ended_) head_.add(token, name, value);
}

void H3Stream::on_head_complete() {
  head_complete_ = true;
  stop_waiting();
}

bool H3Stream::on_octets(std::span<const std::uint8_t> octets) {
  if (request_ended_ || given_up_ || response_complete_) return false;
  body_.waiting.append(reinterpret_cast<const char*>(octets.data()), octets.size());
  body_.received += octets.size();
  return true;
}

void H3Stream::on_end() { request_complete_ = true; }

bool H3Stream::came_early(const h2o_req_t& request) {
  return H3Session::of(*request.conn) != nullptr && of(const_cast<h2o_req_t&>(request)).early_;
}

void H3Stream::start() {
  started_ = true;
  // RFC 8470 section 5.1: by now its client may have proved that it is there.
  early_ = early_ && ngtcp2_conn_get_handshake_completed(session_.connection().native()) == 0;
  const char* reason = nullptr;
  if (const int status = head_.verdict(reason); status != 0) {
    if (status == 431) note(guard::Limit::MaxHeaderSize);
    return refuse(status, reason);
  }
  const std::uint64_t most = limits_of(session_).max_request_body;
  if (!request_complete_ || !body_.waiting.empty()) {
    if (head_.content_length() != SIZE_MAX && head_.content_length() > most) {
      note(guard::Limit::MaxRequestBody);
      return refuse(413, "the request's body is too large");
    }
    request_.body.read = on_body_wanted;
    request_.body.content_length = head_.content_length();
    request_.timestamps.request_body_begin_at = request_.timestamps.request_begin_at;
  }
  h2o_process_request(&request_);
}

void H3Stream::note(guard::Limit exceeded) {
  session_.connection().endpoint().metrics().limit_exceeded(exceeded);
}

void H3Stream::refuse(int status, const char* page) {
  h2o_send_error_generic(&request_, status, status_phrase(status), page, 0);
}

void H3Stream::on_body_wanted(h2o_req_t* request) {
  H3Stream& stream = of(*request);
  Body& body = stream.body_;
  stream.return_credit(std::exchange(body.delivered, {}).size());
  const bool first = !std::exchange(body.was_read, true);
  body.wanted = true;
  if (body.waiting.empty() && !stream.request_complete_) {
    stream.wait_at_most(limits_of(stream.session_).body_timeout);
    // RFC 9110 section 10.1.1: whoever waits for 100 (Continue) may go on.
    const ssize_t expect = first ? h2o_find_header(&request->headers, H2O_TOKEN_EXPECT, -1) : -1;
    if (expect != -1 &&
        h2o_lcstris(request->headers.entries[expect].value.base,
                    request->headers.entries[expect].value.len, H2O_STRLIT("100-continue")) != 0)
      send_interim(request, 100, nullptr, 0);
  }
  stream.session_.schedule(stream);
}

void H3Stream::deliver_body() {
  if (body_.received > limits_of(session_).max_request_body) return lose_body(413);
  if (body_.waiting.empty() && !request_complete_) return;
  stop_waiting();
  body_.wanted = false;
  body_.delivered = std::exchange(body_.waiting, {});
  const auto state = request_complete_ ? H2O_REQ_BODY_END : H2O_REQ_BODY_MORE;
  std::exchange(request_.body.cb, nullptr)(&request_, request_.body.data,
                                           iovec({body_.delivered.data(), body_.delivered.size()}),
                                           state);
}

/// The rest of the body does not come, or is not wanted.
void H3Stream::lose_body(int status) {
  note(status == 413 ? guard::Limit::MaxRequestBody : guard::Limit::BodyTimeout);
  stop_waiting();
  if (std::exchange(body_.wanted, false))
    std::exchange(request_.body.cb, nullptr)(&request_, request_.body.data,
                                             h2o_iovec_init(nullptr, 0), H2O_REQ_BODY_ERROR);
  if (head_sent_ || request_._generator != nullptr) return reset(NGHTTP3_H3_REQUEST_CANCELLED);
  refuse(status, status == 413 ? "the request's body is too large"
                               : "the request's body did not arrive in time");
}

void H3Stream::wait_at_most(Duration limit) {
  if (!deadline_)
    deadline_.emplace(session_.connection().endpoint().loop().timers(), [this] { on_deadline(); });
  deadline_->schedule_after(limit);
}

void H3Stream::stop_waiting() {
  if (deadline_) deadline_->cancel();  // not its end: this may be its call
}

void H3Stream::on_deadline() {
  if (request_ended_ || given_up_) return;
  if (head_complete_) return lose_body(408);
  note(guard::Limit::RequestHeaderTimeout);
  reset(NGHTTP3_H3_REQUEST_INCOMPLETE);
}

void H3Stream::return_credit(std::size_t size) {
  if (size == 0) return;
  ngtcp2_conn* quic = session_.connection().native();
  // Of a stream that is no more only the connection's part counts.
  static_cast<void>(ngtcp2_conn_extend_max_stream_offset(quic, id_, size));
  ngtcp2_conn_extend_max_offset(quic, size);
  session_.connection().wake();
}

void H3Stream::reset(std::uint64_t code) {
  give_up();
  session_.schedule(*this);
  nghttp3_conn_shutdown_stream_write(session_.native(), id_);
  static_cast<void>(ngtcp2_conn_shutdown_stream(session_.connection().native(), 0, id_, code));
}

void H3Stream::end_request() {
  if (std::exchange(request_ended_, true)) return;
  stop_waiting();
  proceed_due_ = false;
  h2o_dispose_request(&request_);
  return_credit(body_.waiting.size() + body_.delivered.size());
  body_ = {};
}

bool H3Stream::run() {
  if (given_up_) {
    nghttp3_conn_shutdown_stream_write(session_.native(), id_);  // what it has is in the request
    end_request();
  }
  if (request_ended_) return false;
  if (!head_complete_ && !deadline_) wait_at_most(limits_of(session_).request_header_timeout);
  const bool begins = head_complete_ && !started_;
  if (begins) start();
  if (body_.wanted && !given_up_) deliver_body();
  if (proceed_due_ && !given_up_) proceed();
  return begins;
}

// --- The response -------------------------------------------------------------------------------

bool H3Stream::is_stalled(base::MonoTime now) {
  const auto& least = session_.h2o().ctx->globalconf->write_progress;
  if (held_ == 0 || given_up_ || least.window == 0) {
    stall_seen_ = false;
    return false;
  }
  if (!stall_seen_ || now - stall_seen_at_ >= Duration(least.window)) {
    if (stall_seen_ && acked_ - stall_acked_ < least.min_bytes) {
      note(guard::Limit::SendTimeout);
      nghttp3_conn_shutdown_stream_write(session_.native(), id_);
      static_cast<void>(ngtcp2_conn_shutdown_stream(session_.connection().native(), 0, id_,
                                                    NGHTTP3_H3_REQUEST_CANCELLED));
      return true;
    }
    stall_seen_ = true;
    stall_seen_at_ = now;
    stall_acked_ = acked_;
  }
  return false;
}

void H3Stream::proceed() {
  if (unread_ >= kLowWater || (copied_ != 0 && !session_.has_room())) return;
  proceed_due_ = false;
  h2o_proceed_response(&request_);
}

namespace {

/// What nghttp3 need not copy: it is the request's, which lives as long as the stream.
constexpr std::uint8_t kInPool = NGHTTP3_NV_FLAG_NO_COPY_NAME | NGHTTP3_NV_FLAG_NO_COPY_VALUE;

nghttp3_nv field(std::string_view name, std::string_view value, std::uint8_t flags) {
  return {.name = reinterpret_cast<const std::uint8_t*>(name.data()),
          .value = reinterpret_cast<const std::uint8_t*>(value.data()),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = flags};
}

/// RFC 9114 section 4.2: what is about a connection has no meaning here.
bool is_of_connection(const h2o_iovec_t* name) {
  return name == &H2O_TOKEN_CONNECTION->buf || name == &H2O_TOKEN_TRANSFER_ENCODING->buf ||
         name == &H2O_TOKEN_UPGRADE->buf || view(*name) == "keep-alive" ||
         view(*name) == "proxy-connection";
}

/// As many as there is room for.
struct FieldList {
  FieldList(h2o_mem_pool_t& pool, std::size_t room)
      : first(static_cast<nghttp3_nv*>(h2o_mem_alloc_pool(&pool, room * sizeof(nghttp3_nv)))) {}
  nghttp3_nv* first;
  std::size_t size = 0;
  void push_back(const nghttp3_nv& one) { first[size++] = one; }
};

void add_fields(const h2o_header_t* headers, std::size_t count, std::uint8_t keeping,
                FieldList& out) {
  for (std::size_t i = 0; i < count; ++i) {
    if (is_of_connection(headers[i].name)) continue;
    const bool is_token = h2o_iovec_is_token(headers[i].name) != 0;
    std::uint8_t flags = keeping;
    if (headers[i].dont_index != 0) {
      flags |= NGHTTP3_NV_FLAG_NEVER_INDEX;  // what never comes again; it is no secret
    } else if (!is_token || headers[i].name == &H2O_TOKEN_VIA->buf) {
      flags |= NGHTTP3_NV_FLAG_TRY_INDEX;  // nghttp3 does not know these, and would write them out
    }
    out.push_back(field(view(*headers[i].name), view(headers[i].value), flags));
  }
}

}  // namespace

std::string_view H3Stream::in_pool(std::uint64_t number) {
  constexpr std::size_t kMostDigits = 20;
  auto* const text = static_cast<char*>(h2o_mem_alloc_pool(&request_.pool, kMostDigits));
  return {text, std::to_chars(text, text + kMostDigits, number).ptr};
}

bool H3Stream::send_head(bool has_body) {
  head_sent_ = true;
  // With :status, Date and Content-Length.
  FieldList fields(request_.pool, request_.res.headers.size + 3);
  fields.push_back(field(":status", in_pool(request_.res.status), kInPool));
  if (request_.res.has_date == 0) {
    h2o_timestamp_t now;
    h2o_get_timestamp(request_.conn->ctx, &request_.pool, &now);
    fields.push_back(field("date", {now.str->rfc1123, H2O_TIMESTR_RFC1123_LEN}, kInPool));
  }
  if (request_.res.content_length != SIZE_MAX && !h2o_status_has_no_content(request_.res.status))
    fields.push_back(field("content-length", in_pool(request_.res.content_length), kInPool));
  add_fields(request_.res.headers.entries, request_.res.headers.size, kInPool, fields);
  const nghttp3_data_reader reader = {.read_data = [](nghttp3_conn*, std::int64_t, nghttp3_vec* out,
                                                      std::size_t room, std::uint32_t* flags, void*,
                                                      void* stream) -> nghttp3_ssize {
    return static_cast<H3Stream*>(stream)->read(out, room, *flags);
  }};
  return nghttp3_conn_submit_response(session_.native(), id_, fields.first, fields.size,
                                      has_body ? &reader : nullptr) == 0;
}

void H3Stream::send(h2o_iovec_t* pieces, std::size_t count, h2o_send_state_t state) {
  if (given_up_ || request_ended_) return;
  if (state == H2O_SEND_STATE_ERROR) return reset(NGHTTP3_H3_INTERNAL_ERROR);
  std::size_t size = 0;
  const bool no_content = h2o_req_has_no_content(&request_) != 0;
  for (std::size_t i = 0; i < count && !no_content; ++i) size += pieces[i].len;
  const bool last = state == H2O_SEND_STATE_FINAL;
  if (!head_sent_) {
    const bool has_body = !no_content && (size != 0 || !last);
    if (!send_head(has_body)) return reset(NGHTTP3_H3_INTERNAL_ERROR);
    if (!has_body) session_.on_end_read(*this);
  }
  if (size != 0) hold(pieces, count, size);
  lent_.reset();
  response_complete_ = last;
  proceed_due_ = !last;
  if (std::exchange(starved_, false)) nghttp3_conn_resume_stream(session_.native(), id_);
  if (last && !request_complete_)  // RFC 9114 section 4.1: the rest of the request is not needed
    static_cast<void>(ngtcp2_conn_shutdown_stream_read(session_.connection().native(), 0, id_,
                                                       NGHTTP3_H3_NO_ERROR));
  session_.schedule(*this);
}

void H3Stream::hold(const h2o_iovec_t* pieces, std::size_t count, std::size_t size) {
  unread_ += size;
  held_ += size;
  if (request_.bytes_counted_by_ostream == 0) request_.bytes_sent += size;
  if (lent_) {
    for (std::size_t i = 0; i < count; ++i)
      if (pieces[i].len != 0) pieces_.push_back({nullptr, lent_, pieces[i].base, pieces[i].len});
    return;
  }
  // libh2o's octets are gone at the next `proceed`, ngtcp2 needs them until they have arrived.
  auto copy = std::make_unique<char[]>(size);
  char* out = copy.get();
  for (std::size_t i = 0; i < count; ++i) out = std::copy_n(pieces[i].base, pieces[i].len, out);
  const char* octets = copy.get();
  pieces_.push_back({std::move(copy), {}, octets, size});
  copied_ += size;
  session_.count_copied(static_cast<std::int64_t>(size));
}

void H3Stream::lend(h2o_req_t& request, base::Ref<cache::Body> keeper) {
  if (H3Session::of(*request.conn) != nullptr) of(request).lent_ = std::move(keeper);
}

nghttp3_ssize H3Stream::read(nghttp3_vec* out, std::size_t room, std::uint32_t& flags) {
  std::size_t count = 0;
  for (; count < room && unread_at_ < pieces_.size(); ++count, ++unread_at_) {
    const Piece& piece = pieces_[unread_at_];
    out[count] = {.base = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.octets)),
                  .len = piece.size};
    unread_ -= piece.size;
  }
  if (response_complete_ && unread_at_ == pieces_.size()) {
    flags |= NGHTTP3_DATA_FLAG_EOF;
    session_.on_end_read(*this);
    return static_cast<nghttp3_ssize>(count);
  }
  if (proceed_due_ && unread_ < kLowWater) session_.schedule(*this);
  if (count != 0) return static_cast<nghttp3_ssize>(count);
  starved_ = true;
  session_.on_starved();
  return NGHTTP3_ERR_WOULDBLOCK;
}

void H3Stream::on_acked(std::uint64_t size) {
  acked_ += size;
  acked_of_first_ += size;
  while (unacked_at_ < unread_at_ && acked_of_first_ >= pieces_[unacked_at_].size) {
    const Piece first = std::move(pieces_[unacked_at_++]);
    acked_of_first_ -= first.size;
    held_ -= first.size;
    if (first.copy == nullptr) continue;
    copied_ -= first.size;
    session_.count_copied(-static_cast<std::int64_t>(first.size));
  }
  if (unacked_at_ < kMostGone && unacked_at_ < pieces_.size()) return;
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(unacked_at_));
  unread_at_ -= std::exchange(unacked_at_, 0);
}

void H3Stream::send_interim(h2o_req_t* request, int status, const h2o_header_t* headers,
                            std::size_t count) {
  H3Stream& stream = of(*request);
  if (stream.head_sent_ || stream.given_up_) return;
  FieldList fields(request->pool, count + 1);
  const std::string text = std::to_string(status);
  fields.push_back(field(":status", text, NGHTTP3_NV_FLAG_NONE));
  add_fields(headers, count, NGHTTP3_NV_FLAG_NONE, fields);
  // Without it the final response is as good.
  static_cast<void>(
      nghttp3_conn_submit_info(stream.session_.native(), stream.id_, fields.first, fields.size));
  stream.session_.connection().wake();
}

}  // namespace headgate::server
