// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/body_sender.h"

#include <algorithm>
#include <array>
#include <utility>

#include "appliance/server/h3/http/stream.h"

namespace headgate::server {
namespace {

constexpr std::size_t kMaxOctets = 128 * 1024;
constexpr std::size_t kMaxPieces = 8;

}  // namespace

void BodySender::start() {
  started_ = true;
  generator_.sender = this;
  generator_.super.proceed = [](h2o_generator_t* generator, h2o_req_t*) {
    BodySender& sender = *reinterpret_cast<Generator*>(generator)->sender;
    sender.sending_ = false;
    if (std::exchange(sender.part_ended_, false)) sender.begin_part();
    sender.pump();
  };
  // The exchange goes with the request's pool, and with it all that is still wanted.
  generator_.super.stop = [](h2o_generator_t*, h2o_req_t*) {};
  h2o_start_response(&request_, &generator_.super);
}

void BodySender::hand_over(h2o_iovec_t* pieces, std::size_t count) {
  sending_ = true;
  head_sent_ = true;
  if (count != 0) H3Stream::lend(request_, keeper());
  for (std::size_t i = 0; i < count; ++i) sent_ += pieces[i].len;
  h2o_send(&request_, pieces, count, H2O_SEND_STATE_IN_PROGRESS);
}

void BodySender::finish(h2o_iovec_t* pieces, std::size_t count, h2o_send_state_t state) {
  finished_ = state == H2O_SEND_STATE_FINAL;
  failed_ = state == H2O_SEND_STATE_ERROR;
  if (count != 0) H3Stream::lend(request_, keeper());
  h2o_send(&request_, pieces, count, state);
}

/// What keeps the octets that are being handed over from going, if one thing does.
base::Ref<cache::Body> BodySender::keeper() const {
  if (has_text_) return {};
  if (reader_ != nullptr) return reader_->keeper();
  if (body_) return body_;  // lies in one piece
  return slices_ == nullptr ? base::Ref<cache::Body>() : slices_->keeper();
}

void BodySender::send_nothing() {
  start();
  finish(nullptr, 0, H2O_SEND_STATE_FINAL);
}

void BodySender::send_text(std::string_view text) {
  start();
  h2o_iovec_t piece = iovec(text);
  finish(&piece, 1, H2O_SEND_STATE_FINAL);
}

void BodySender::send(base::Ref<cache::Body> body, std::uint64_t first, std::uint64_t end) {
  body_ = std::move(body);
  start();
  if (const auto whole = body_->contiguous(); whole && whole->size() <= kMaxOctets) {
    const auto part = whole->substr(first, std::min<std::uint64_t>(end, whole->size()) - first);
    h2o_iovec_t piece = iovec(part);
    finish(&piece, part.empty() ? 0 : 1, H2O_SEND_STATE_FINAL);
    return;
  }
  whole_ = {.text = {}, .first = first, .end = end};
  parts_ = {&whole_, 1};
  begin();
}

void BodySender::send(SliceReader& slices, std::uint64_t first, std::uint64_t end) {
  whole_ = {.text = {}, .first = first, .end = end};
  send_parts(slices, {&whole_, 1});
}

void BodySender::send_parts(base::Ref<cache::Body> body, std::span<const Part> parts) {
  body_ = std::move(body);
  parts_ = parts;
  start();
  begin();
}

void BodySender::send_parts(SliceReader& slices, std::span<const Part> parts) {
  slices_ = &slices;
  slices_->set_on_ready([this] { on_ready(); });
  parts_ = parts;
  start();
  begin();
}

void BodySender::begin() {
  begin_part();
  pump();
}

void BodySender::begin_part() {
  const Part& part = parts_.front();
  text_ = part.text;
  if (!body_) {
    if (part.first < part.end) slices_->seek(part.first, part.end);
    return;
  }
  // The reader of the part before goes after that: a body without a reader drops what it has.
  reader_ = std::make_unique<cache::BodyReader>(
      body_, loop_, [this] { on_ready(); }, part.first, part.end);
}

void BodySender::on_ready() {
  if (!sending_) pump();
}

cache::BodyReader::Status BodySender::read(bool& last) {
  if (body_) return reader_->read(kMaxOctets, kMaxPieces, pieces_, last);
  if (parts_.front().first == parts_.front().end) return cache::BodyReader::Status::End;
  return slices_->read(kMaxOctets, kMaxPieces, pieces_, last);
}

void BodySender::pump() {
  if (finished_ || failed_) return;
  pieces_.clear();
  has_text_ = !text_.empty();
  if (has_text_) pieces_.push_back(std::exchange(text_, {}));
  bool last = false;
  const auto status = read(last);
  const bool has_text = !pieces_.empty() && status != cache::BodyReader::Status::Data;
  std::array<h2o_iovec_t, kMaxPieces + 1> pieces;
  for (std::size_t i = 0; i < pieces_.size(); ++i) pieces[i] = iovec(pieces_[i]);
  const bool ends = last || status == cache::BodyReader::Status::End;
  if (ends && parts_.size() > 1) {
    // What was read stays valid with its reader until libh2o asks for more.
    parts_ = parts_.subspan(1);
    part_ended_ = true;
    hand_over(pieces.data(), pieces_.size());
    return;
  }
  if (has_text && status == cache::BodyReader::Status::Wait) {
    hand_over(pieces.data(), pieces_.size());
    return;
  }
  switch (status) {
    case cache::BodyReader::Status::Data:
      if (last) {
        finish(pieces.data(), pieces_.size(), H2O_SEND_STATE_FINAL);
      } else {
        hand_over(pieces.data(), pieces_.size());
      }
      return;
    case cache::BodyReader::Status::Wait:
      // The head need not wait for a body that has not come.
      if (!head_sent_) hand_over(nullptr, 0);
      return;
    case cache::BodyReader::Status::End:
      finish(pieces.data(), pieces_.size(), H2O_SEND_STATE_FINAL);
      return;
    case cache::BodyReader::Status::Failed:
      // Never a clean end: the connection or stream is reset. Unless the viewer has all that
      // Content-Length announced: to it the response is complete (RFC 9112 section 6.3), and its
      // next request may be on the way.
      finish(nullptr, 0,
             sent_ == request_.res.content_length ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_ERROR);
      return;
  }
}

}  // namespace headgate::server
