// SPDX-License-Identifier: MIT
// Sends a body, or a part of it, at the pace of the viewer: never more than 128 KiB are handed to
// libh2o at a time.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "appliance/cache/body.h"
#include "appliance/server/h2o.h"
#include "appliance/server/transfer/slices/slice_reader.h"

namespace headgate::server {

/// Owned by the request's exchange, which outlives every call of libh2o's.
/// Threads: the request's loop.
class BodySender {
 public:
  BodySender(h2o_req_t& request, base::Loop& loop) : request_(request), loop_(loop) {}

  /// The head is in `request.res`. Octets [first, end) of `body`; none for a response without
  /// content.
  void send(base::Ref<cache::Body> body, std::uint64_t first, std::uint64_t end);
  /// The same of a response in slices; `slices` outlives the request's response.
  void send(SliceReader& slices, std::uint64_t first, std::uint64_t end);
  /// Text, then octets [first, end) of the body. Several make a multipart/byteranges.
  struct Part {
    std::string_view text;  ///< in pool memory
    std::uint64_t first = 0;
    std::uint64_t end = 0;  ///< as `first`: text alone, at a place that has not gone by
  };
  /// `parts`: in pool memory, not empty.
  void send_parts(base::Ref<cache::Body> body, std::span<const Part> parts);
  void send_parts(SliceReader& slices, std::span<const Part> parts);
  void send_nothing();
  /// Octets in pool memory.
  void send_text(std::string_view text);

  bool started() const { return started_; }
  bool finished() const { return finished_; }
  bool failed() const { return failed_; }

 private:
  struct Generator {
    h2o_generator_t super;  // first: libh2o hands it back
    BodySender* sender;
  };
  void start();
  void begin();
  void begin_part();
  void on_ready();
  cache::BodyReader::Status read(bool& last);
  void pump();
  base::Ref<cache::Body> keeper() const;
  void hand_over(h2o_iovec_t* pieces, std::size_t count);
  void finish(h2o_iovec_t* pieces, std::size_t count, h2o_send_state_t state);

  h2o_req_t& request_;
  base::Loop& loop_;
  Generator generator_{};
  base::Ref<cache::Body> body_;  ///< null: `slices_`
  SliceReader* slices_ = nullptr;
  Part whole_;
  std::span<const Part> parts_;  ///< those that are not sent, the present one first
  std::string_view text_;        ///< of the present part, until it is sent
  bool has_text_ = false;        ///< what is being handed over begins with text
  bool part_ended_ = false;      ///< libh2o has the last octets of a part that others follow
  std::unique_ptr<cache::BodyReader> reader_;
  std::vector<std::string_view> pieces_;
  bool started_ = false;
  bool sending_ = false;  ///< libh2o has octets of ours: wait for its `proceed`
  bool head_sent_ = false;
  std::size_t sent_ = 0;  ///< octets that libh2o has, or has had
  bool finished_ = false;
  bool failed_ = false;
};

}  // namespace headgate::server
