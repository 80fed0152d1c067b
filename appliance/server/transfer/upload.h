// SPDX-License-Identifier: MIT
// A viewer's request body on its way to an origin, piece by piece: no more is read from the viewer
// than the origin takes.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "appliance/base/unique_function.h"
#include "appliance/guard/held_bodies.h"
#include "appliance/origin/client.h"
#include "appliance/server/h2o.h"

namespace headgate::server {

/// Threads: the request's loop.
class Upload final : public origin::RequestBody {
 public:
  /// Whether `request` has a body at all.
  static bool present(const h2o_req_t& request) {
    return request.body.read != nullptr || request.entity.len != 0;
  }
  explicit Upload(h2o_req_t& request);

  /// `on_ready`: there is something to pull. `on_lost`: the viewer is gone, too slow or broke the
  /// framing; the library has answered, and the request must not be responded to.
  void set_callbacks(base::UniqueFunction<void()> on_ready, base::UniqueFunction<void()> on_lost);
  /// Holds back the body's first octets, more than `max` of them or all, then calls `on_held`,
  /// perhaps at once; `on_lost` as above. What is held is pulled first, later. `share` is what it
  /// takes; when there is no room `on_held` is called too, and `lacks_room` is true.
  void hold(std::size_t max, guard::HeldBodies::Share share, base::UniqueFunction<void()> on_held,
            base::UniqueFunction<void()> on_lost);
  bool lacks_room() const { return lacks_room_; }
  std::string_view held() const { return held_; }
  /// Whether nothing comes beyond what is held.
  bool holds_all() const { return ended_; }
  /// The request is going away: nothing more comes.
  void detach();
  std::uint64_t received() const { return received_; }

  std::optional<std::uint64_t> length() const override;
  std::string_view pull(std::size_t max) override;
  bool ended() const override {
    return ended_ && piece_.empty() && pulled_of_held_ == held_.size();
  }

 private:
  void ask();
  void on_piece(std::string_view octets, h2o_req_body_state_t state);
  void hold_more();

  h2o_req_t* request_;
  std::optional<std::uint64_t> length_;
  std::string_view piece_;
  std::string held_;
  std::size_t pulled_of_held_ = 0;
  std::size_t hold_max_ = 0;
  guard::HeldBodies::Share share_;
  bool lacks_room_ = false;
  bool holding_ = false;
  bool asking_ = false;  ///< for more to hold: an answer may come at once
  bool ended_ = false;
  bool asked_ = false;
  std::uint64_t received_ = 0;
  base::UniqueFunction<void()> on_ready_;
  base::UniqueFunction<void()> on_lost_;
};

}  // namespace headgate::server
