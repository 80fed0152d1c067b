// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/upload.h"

#include <algorithm>
#include <utility>

namespace headgate::server {

Upload::Upload(h2o_req_t& request) : request_(&request) {
  if (request.body.read == nullptr) {
    piece_ = view(request.entity);
    length_ = piece_.size();
    received_ = piece_.size();
    ended_ = true;
  } else if (request.body.content_length != SIZE_MAX) {
    length_ = request.body.content_length;
  }
}

void Upload::set_callbacks(base::UniqueFunction<void()> on_ready,
                           base::UniqueFunction<void()> on_lost) {
  on_ready_ = std::move(on_ready);
  on_lost_ = std::move(on_lost);
}

void Upload::detach() {
  request_ = nullptr;
  piece_ = {};
  on_ready_ = {};
  on_lost_ = {};
}

std::optional<std::uint64_t> Upload::length() const { return length_; }

std::string_view Upload::pull(std::size_t max) {
  if (pulled_of_held_ < held_.size()) {
    const std::string_view taken = std::string_view(held_).substr(pulled_of_held_, max);
    pulled_of_held_ += taken.size();
    return taken;
  }
  if (!piece_.empty()) {
    const std::string_view taken = piece_.substr(0, max);
    piece_.remove_prefix(taken.size());
    return taken;
  }
  ask();
  return {};
}

void Upload::ask() {
  if (request_ == nullptr || ended_ || asked_) return;
  asked_ = true;
  h2o_req_body_read(
      request_,
      [](h2o_req_t*, void* self, h2o_iovec_t bytes, h2o_req_body_state_t state) {
        static_cast<Upload*>(self)->on_piece(view(bytes), state);
      },
      this);
}

void Upload::hold(std::size_t max, guard::HeldBodies::Share share,
                  base::UniqueFunction<void()> on_held, base::UniqueFunction<void()> on_lost) {
  set_callbacks(std::move(on_held), std::move(on_lost));
  hold_max_ = max;
  share_ = std::move(share);
  holding_ = true;
  hold_more();
}

/// Takes what has come, and asks on; a loop, since thousands of small pieces may be there at once.
void Upload::hold_more() {
  while (true) {
    lacks_room_ = !share_.add(piece_.size());
    if (!lacks_room_) {
      held_ += piece_;
      piece_ = {};
    }
    if (ended_ || held_.size() > hold_max_ || lacks_room_) {
      holding_ = false;
      if (on_ready_) std::exchange(on_ready_, {})();
      return;
    }
    asking_ = true;
    ask();
    asking_ = false;
    if (asked_ || request_ == nullptr) return;  // it comes later, or never
  }
}

void Upload::on_piece(std::string_view octets, h2o_req_body_state_t state) {
  asked_ = false;
  if (state == H2O_REQ_BODY_ERROR) {
    request_ = nullptr;
    if (on_lost_) on_lost_();
    return;
  }
  received_ += octets.size();
  piece_ = octets;
  ended_ = state == H2O_REQ_BODY_END;
  if (asking_) return;
  if (holding_) return hold_more();
  if (on_ready_) on_ready_();
}

}  // namespace headgate::server
