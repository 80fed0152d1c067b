// SPDX-License-Identifier: MIT
// One request and its response over libcurl: call-backs, timeouts, the few retries that are
// allowed, and how each end is told.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/origin/client.h"
#include "appliance/origin/curl/multi.h"
#include "appliance/origin/curl/request.h"
#include "appliance/origin/curl/response_head.h"

namespace headgate::origin {

/// Owned by the client while it runs, and by whoever holds the Transfer. The table of its life is
/// at the top of exchange.cc. Threads: the loop's.
class Exchange final : public EasyOwner, public std::enable_shared_from_this<Exchange> {
 public:
  /// `on_end` is called once, when neither libcurl nor the sink will hear of it any more.
  Exchange(CurlMulti& multi, base::Loop& loop, std::shared_ptr<const Endpoint> endpoint,
           Request request, Sink& sink, base::UniqueFunction<void(Exchange*)> on_end);
  ~Exchange();

  void begin();
  void cancel();
  void resume();
  void body_ready();
  bool reused_connection() const { return reused_; }
  /// The client goes away: nothing is called any more, and the multi not touched.
  void detach();

  void on_done(CURLcode code) override;

 private:
  enum class Stage { Waiting, Connecting, Sent, Body, Ended };

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* data, std::size_t size, std::size_t count, void* self);
  static int on_connected(void* self, char* to, char* from, int to_port, int from_port);
  static int on_debug(CURL* easy, curl_infotype type, char* data, std::size_t size, void* self);

  void launch();
  void set_callbacks();
  bool take_header_line(std::string_view line);
  bool take_head();
  bool take_interim();
  std::size_t take_octets(std::string_view octets);
  std::size_t give_octets(char* out, std::size_t room);
  bool note_connected(const ConnectionEnds& ends);

  std::string_view framing_error(CURLcode code) const;
  bool has_whole_response() const;
  bool may_connect_again(CURLcode code) const;
  bool may_send_again(CURLcode code) const;
  void start_again();
  void start_on_new_connection();
  bool refuse(Failure failure, std::string_view details);
  void succeed();
  void fail(Failure failure, std::string_view details);
  void end();
  void unpause_soon();
  void unpause();
  bool has_body() const;
  bool is_http1() const;

  void await_origin();
  void stop_awaiting();
  void on_silence();
  bool upload_moved();
  void abort(Failure failure, std::string_view details);

  CurlMulti& multi_;
  base::Loop& loop_;
  std::shared_ptr<const Endpoint> endpoint_;
  Request request_;
  Sink* sink_;
  base::UniqueFunction<void(Exchange*)> on_end_;

  RequestLists lists_;
  Easy easy_;
  Stage stage_ = Stage::Waiting;
  bool in_multi_ = false;
  bool detached_ = false;
  bool unpause_pending_ = false;

  HeadCollector head_;
  int interim_ = 0;  ///< interim responses so far
  int status_ = 0;
  std::uint64_t received_octets_ = 0;
  bool excess_ = false;
  bool ends_with_connection_ = false;
  const SSL* ssl_ = nullptr;  ///< only while `ends_with_connection_`
  bool paused_ = false;       ///< the sink's wish
  bool resumed_ = false;      ///< since the sink was last given octets
  bool recv_paused_ = false;  ///< libcurl was told
  bool send_paused_ = false;
  std::uint64_t pulled_octets_ = 0;
  curl_off_t sent_octets_ = 0;

  int attempts_ = 0;
  bool reused_ = false;
  bool sent_again_ = false;
  bool spoiled_ = false;  ///< the connection chosen had input before the request went out
  std::vector<curl_socket_t> opened_sockets_;
  bool refused_ = false;
  Failure refusal_ = Failure::Internal;
  std::string refusal_details_;
  char curl_error_[CURL_ERROR_SIZE] = {};

  bool awaiting_ = false;
  base::MonoTime silent_until_{};
  base::Timer silence_timer_;
  base::Timer completion_timer_;
};

}  // namespace headgate::origin
