// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/response_gate.h"

#include <algorithm>
#include <utility>

#include "appliance/compress/eligibility.h"

namespace headgate::server {

using guard::waf::ResponseInspection;
using guard::waf::ResponseView;

ResponseGate::ResponseGate(
    origin::Sink& next, std::unique_ptr<const guard::waf::ResponseInspection> inspection,
    guard::HeldBodies& held_bodies,
    base::UniqueFunction<void(int status, const guard::waf::ResponseVerdict&)> on_judged)
    : next_(next),
      inspection_(std::move(inspection)),
      held_bodies_(held_bodies),
      on_judged_(std::move(on_judged)) {}

void ResponseGate::restart() {
  state_ = State::Closed;
  decoder_.reset();
  unreadable_ = false;
  held_ = {};
  decoded_ = {};
  share_ = {};
}

void ResponseGate::on_head(const origin::ResponseHead& head) {
  if (head.status == 304) {
    state_ = State::Open;
    return next_.on_head(head);
  }
  fields_ = http::FieldBlock(head.fields);
  head_ = head;
  head_.fields = fields_.fields();
  if (!ResponseInspection::reads_body(head.fields)) return judge(Body::Whole);
  if (compress::is_encoded(head.fields)) {
    decoder_ = compress::make_decoder(head.fields);
    if (decoder_ == nullptr) return judge(Body::Unread);
  } else if (head.content_length.value_or(0) > inspection_->octets() &&
             inspection_->oversize() != schema::WafOversize::Continue) {
    return judge(Body::Beginning);  // of which nothing will be read
  }
  share_ = guard::HeldBodies::Share(held_bodies_);
  state_ = State::Holding;
}

bool ResponseGate::on_octets(std::string_view octets) {
  if (state_ == State::Open) return next_.on_octets(octets);
  if (state_ != State::Holding) return false;
  const std::size_t decoded_before = decoded_.size();
  bool has_room = share_.add(octets.size());
  held_.append(octets);
  // One more than is looked at tells that there is more.
  const std::size_t most = inspection_->octets() + 1;
  if (decoder_ != nullptr && !unreadable_) unreadable_ = !decoder_->decode(octets, most, decoded_);
  has_room = has_room && share_.add(decoded_.size() - decoded_before);
  if (unreadable_) {
    judge(Body::Unread);
  } else if (text().size() >= most || held_.size() >= most || !has_room) {
    judge(Body::Beginning);
  } else {
    return true;
  }
  if (state_ != State::Open) return false;
  return pass_held();
}

bool ResponseGate::pass_held() {
  const bool go_on = next_.on_octets(std::exchange(held_, {}));
  share_.release();
  return go_on;
}

void ResponseGate::on_complete() {
  if (state_ == State::Holding) {
    judge(Body::Whole);
    // Its pauses are of no use: there is no more to come.
    if (state_ == State::Open && !held_.empty()) static_cast<void>(pass_held());
  }
  if (state_ == State::Open) next_.on_complete();
}

void ResponseGate::on_failure(origin::Failure failure, std::string_view details) {
  // What is held is not whole, so it is no answer; nobody has heard of it.
  if (state_ != State::Refused) next_.on_failure(failure, details);
}

/// Passes the head on unless the response is refused.
void ResponseGate::judge(Body body) {
  ResponseView response;
  response.status = head_.status;
  response.http2 = head_.http2;
  response.fields = head_.fields;
  response.body = text().substr(0, inspection_->octets());
  response.body_state = body;
  const guard::waf::ResponseVerdict verdict = inspection_->judge(response);
  decoder_.reset();
  decoded_ = {};
  state_ = verdict.refused_by == nullptr ? State::Open : State::Refused;
  on_judged_(head_.status, verdict);
  if (state_ == State::Open) return next_.on_head(head_);
  held_ = {};
  share_.release();
}

}  // namespace headgate::server
