// SPDX-License-Identifier: MIT
// Holds a response back until the web ACL has judged its beginning.
#pragma once

#include <memory>
#include <string>

#include "appliance/base/unique_function.h"
#include "appliance/compress/decoder.h"
#include "appliance/guard/held_bodies.h"
#include "appliance/guard/waf/response/inspection.h"
#include "appliance/origin/client.h"

namespace headgate::server {

/// Stands between a fetch and who takes what it brings.
/// ```
/// head ─▶ text? ─ yes ─▶ hold up to `octets`, or the end ─▶ judge ─▶ pass on, and all that follows
///                └ no ──────────────────────────────────▶ judge ─▶ or nothing at all
/// ```
/// What is held, of `limits.maxHeldBodies`, is at most twice the ACL's `body.response` (as it came,
/// and decoded) and one piece of the connection. Interim responses and a 304 pass. Threads: the
/// fetch's.
class ResponseGate final : public origin::Sink {
 public:
  /// `on_judged` is told the status and the verdict before anything is passed on to `next`, and
  /// then, when the response is refused, nothing is.
  /// When `held_bodies` has no room, the response is judged by what there is of it.
  ResponseGate(
      origin::Sink& next, std::unique_ptr<const guard::waf::ResponseInspection> inspection,
      guard::HeldBodies& held_bodies,
      base::UniqueFunction<void(int status, const guard::waf::ResponseVerdict&)> on_judged);

  /// Another fetch begins.
  void restart();

  void on_interim(int status, http::Fields fields) override { next_.on_interim(status, fields); }
  void on_head(const origin::ResponseHead& head) override;
  [[nodiscard]] bool on_octets(std::string_view octets) override;
  void on_complete() override;
  void on_failure(origin::Failure failure, std::string_view details) override;

 private:
  using Body = guard::waf::ResponseView::Body;
  enum class State { Closed, Holding, Open, Refused };
  void judge(Body body);
  [[nodiscard]] bool pass_held();
  std::string_view text() const { return decoder_ == nullptr ? held_ : decoded_; }

  origin::Sink& next_;
  const std::unique_ptr<const guard::waf::ResponseInspection> inspection_;
  guard::HeldBodies& held_bodies_;
  base::UniqueFunction<void(int, const guard::waf::ResponseVerdict&)> on_judged_;
  State state_ = State::Closed;
  origin::ResponseHead head_;  ///< its fields are in `fields_`
  http::FieldBlock fields_;
  std::unique_ptr<compress::Decoder>
      decoder_;  ///< null: the body is not encoded, or not to be read
  bool unreadable_ = false;
  guard::HeldBodies::Share share_;
  std::string held_;     ///< as it came
  std::string decoded_;  ///< what `decoder_` has made of it
};

}  // namespace headgate::server
