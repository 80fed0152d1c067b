// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/upload.h"

#include <algorithm>

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
  if (!piece_.empty()) {
    const std::string_view taken = piece_.substr(0, max);
    piece_.remove_prefix(taken.size());
    return taken;
  }
  if (request_ != nullptr && !ended_ && !asked_) {
    asked_ = true;
    h2o_req_body_read(
        request_,
        [](h2o_req_t*, void* self, h2o_iovec_t bytes, h2o_req_body_state_t state) {
          static_cast<Upload*>(self)->on_piece(view(bytes), state);
        },
        this);
  }
  return {};
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
  if (on_ready_) on_ready_();
}

}  // namespace headgate::server
