// SPDX-License-Identifier: MIT
//
// stage        entered when                          left by
// Waiting      created                               the loop's next iteration
// Connecting   the handle is in the multi            a connection (on_connected), or an error:
// another attempt or the end Sent         a connection is there                 the final head, or
// an error: once again if the connection was reused and silent Body         the sink has had the
// head             the end of the framing, an error, a timeout Ended        the sink has had its
// last call, or    –
//              the Transfer was destroyed
//
// libcurl forbids most calls from inside its call-backs. So a call-back that must end the exchange
// only takes note (`refuse`) and returns an error; the end is told when the multi hands the handle
// back. Cancelling, pausing and resuming act from a task of their own.
#include "appliance/origin/curl/exchange.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "appliance/origin/curl/failure.h"

namespace headgate::origin {
Exchange::Exchange(CurlMulti& multi, base::Loop& loop, std::shared_ptr<const Endpoint> endpoint,
                   Request request, Sink& sink, base::UniqueFunction<void(Exchange*)> on_end)
    : multi_(multi),
      loop_(loop),
      endpoint_(std::move(endpoint)),
      request_(std::move(request)),
      sink_(&sink),
      on_end_(std::move(on_end)),
      silence_timer_(loop.timers(), [this] { on_silence(); }),
      completion_timer_(loop.timers(), [this] {
        abort(Failure::HttpResponseTimeout, "the response was not complete in time");
      }) {}

Exchange::~Exchange() = default;

void Exchange::begin() {
  multi_.soon([self = shared_from_this()] { self->launch(); });
}

void Exchange::launch() {
  if (stage_ == Stage::Ended) return;
  easy_.reset(curl_easy_init());
  if (easy_ == nullptr) return fail(Failure::Internal, "out of memory");
  Result<RequestLists> lists = set_request(easy_.get(), *endpoint_, request_);
  if (!lists) return fail(Failure::HttpRequestError, lists.error().context);
  lists_ = std::move(*lists);
  set_callbacks();
  if (endpoint_->completion_timeout)
    completion_timer_.schedule_after(*endpoint_->completion_timeout);
  start_again();
}

void Exchange::set_callbacks() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<EasyOwner*>(this));
  curl_easy_setopt(easy, CURLOPT_SHARE, multi_.share());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_error_);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_write);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Exchange::on_read);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Exchange::on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &SocketBook::open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &opened_sockets_);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &SocketBook::close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &multi_.sockets());
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &TlsEnds::install);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &multi_.tls_ends());
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, &Exchange::on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, this);
}

/// Hands the handle to the multi, for the first time or for another.
void Exchange::start_again() {
  head_.reset();
  opened_sockets_.clear();
  curl_error_[0] = '\0';
  curl_easy_setopt(easy_.get(), CURLOPT_VERBOSE, 0L);
  ++attempts_;
  stage_ = Stage::Connecting;
  in_multi_ = true;
  multi_.add(easy_.get());
}

void Exchange::start_on_new_connection() {
  spoiled_ = false;
  attempts_ = 0;
  curl_easy_setopt(easy_.get(), CURLOPT_FRESH_CONNECT, 1L);
  // Only those are reused that may be kept.
  curl_easy_setopt(easy_.get(), CURLOPT_FORBID_REUSE, 0L);
  start_again();
}

// --- call-backs of libcurl ---

int Exchange::on_connected(void* self, char* to, char* from, int to_port, int from_port) {
  const ConnectionEnds ends{to, from, to_port, from_port};
  const bool go_on = static_cast<Exchange*>(self)->note_connected(ends);
  return go_on ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

bool Exchange::note_connected(const ConnectionEnds& ends) {
  if (stage_ == Stage::Ended) return false;
  // libcurl repeats by itself what an HTTP/2 origin refused unseen (REFUSED_STREAM), but a body
  // that was pulled is gone.
  if (pulled_octets_ != 0) {
    return refuse(Failure::ConnectionTerminated,
                  "the origin refused the request while its body was sent");
  }
  long connections = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connections);
  reused_ = connections == 0;
  if (!reused_) multi_.sockets().enter(ends, opened_sockets_);
  if (reused_ && multi_.sockets().has_input(ends)) {
    spoiled_ = true;
    curl_easy_setopt(easy_.get(), CURLOPT_FORBID_REUSE, 1L);
    return false;
  }
  stage_ = Stage::Sent;
  await_origin();
  return true;
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  const bool taken = static_cast<Exchange*>(self)->take_header_line({data, size * count});
  return taken ? size * count : 0;
}

bool Exchange::take_header_line(std::string_view line) {
  if (stage_ == Stage::Ended) return false;
  await_origin();
  if (stage_ == Stage::Body) return true;  // trailers
  switch (head_.add_line(line)) {
    case HeadCollector::Verdict::More:
      return true;
    case HeadCollector::Verdict::Malformed:
      return refuse(Failure::HttpProtocolError, head_.error());
    case HeadCollector::Verdict::Complete:
      return take_head();
  }
  return false;
}

bool Exchange::take_head() {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  status_ = static_cast<int>(status);
  if (status_ == 101)
    return refuse(Failure::HttpProtocolError, "101 without having asked for another protocol");
  if (status_ >= 100 && status_ < 200) return take_interim();
  if (status_ < 100 || status_ > 999)
    return refuse(Failure::HttpProtocolError, "an invalid status code");
  stage_ = Stage::Body;
  // From here on libcurl says, and only in its log, when there is more than the framing allows.
  curl_easy_setopt(easy_.get(), CURLOPT_VERBOSE, 1L);

  ends_with_connection_ =
      has_body() && !head_.content_length() && !head_.is_chunked() && is_http1();
  if (ends_with_connection_) ssl_ = multi_.tls_ends().watch(easy_.get());

  ResponseHead head;
  head.status = status_;
  head.http2 = !is_http1();
  head.fields = head_.fields();
  head.content_length = head_.content_length();
  const std::shared_ptr<Exchange> self = shared_from_this();
  sink_->on_head(head);
  // libcurl stops sending after a refusal, but would wait for a body that is paused.
  if (send_paused_ && stage_ != Stage::Ended) unpause_soon();
  return stage_ != Stage::Ended;
}

bool Exchange::take_interim() {
  if (status_ == 100 || ++interim_ > kMaxInterim) return true;
  const std::shared_ptr<Exchange> self = shared_from_this();
  sink_->on_interim(status_, head_.fields());
  return stage_ != Stage::Ended;
}

std::size_t Exchange::on_write(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->take_octets({data, size * count});
}

std::size_t Exchange::take_octets(std::string_view octets) {
  if (stage_ == Stage::Ended) return CURL_WRITEFUNC_ERROR;
  if (paused_) {
    recv_paused_ = true;  // libcurl keeps these octets, at most its buffer, and reads no more
    return CURL_WRITEFUNC_PAUSE;
  }
  received_octets_ += octets.size();
  await_origin();
  const std::shared_ptr<Exchange> self = shared_from_this();
  resumed_ = false;
  const bool go_on = sink_->on_octets(octets);
  // A resume from inside the call wins over its result: the other way round nobody would resume any
  // more.
  if (!go_on && !resumed_ && stage_ != Stage::Ended) {
    paused_ = true;
    stop_awaiting();
  }
  return stage_ == Stage::Ended ? CURL_WRITEFUNC_ERROR : octets.size();
}

std::size_t Exchange::on_read(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Exchange*>(self)->give_octets(data, size * count);
}

std::size_t Exchange::give_octets(char* out, std::size_t room) {
  if (stage_ == Stage::Ended) return CURL_READFUNC_ABORT;
  const std::shared_ptr<Exchange> self = shared_from_this();
  RequestBody& body = *request_.body;
  const std::string_view octets = body.pull(room);
  if (stage_ == Stage::Ended) return CURL_READFUNC_ABORT;
  pulled_octets_ += octets.size();
  const std::uint64_t length = body.length().value_or(pulled_octets_);
  const bool ended = octets.empty() && body.ended();
  if (octets.size() > room || pulled_octets_ > length || (ended && pulled_octets_ < length)) {
    refuse(Failure::HttpRequestError, "the request body is not as long as announced");
    return CURL_READFUNC_ABORT;
  }
  if (!octets.empty()) {
    std::memcpy(out, octets.data(), octets.size());
    await_origin();
    return octets.size();
  }
  if (!ended) {
    // The viewer is who is slow now.
    send_paused_ = true;
    stop_awaiting();
    return CURL_READFUNC_PAUSE;
  }
  await_origin();
  return 0;
}

int Exchange::on_debug(CURL* easy, curl_infotype type, char* data, std::size_t size, void* self) {
  if (type != CURLINFO_TEXT) return 0;
  const std::string_view text(data, size);
  if (text.substr(0, 12) == "Excess found" || text.substr(0, 9) == "Leftovers") {
    static_cast<Exchange*>(self)->excess_ = true;
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE,
                     1L);  // what is left over would answer the next request
  }
  return 0;
}

// --- the end ---

/// For call-backs: the exchange fails as soon as libcurl lets go of it. Always false.
bool Exchange::refuse(Failure failure, std::string_view details) {
  refused_ = true;
  refusal_ = failure;
  refusal_details_ = details;
  return false;
}

bool Exchange::has_body() const {
  return request_.method != "HEAD" && status_ != 204 && status_ != 304;
}

bool Exchange::is_http1() const {
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

/// What is wrong with the framing of a response that libcurl is content with, or empty.
std::string_view Exchange::framing_error(CURLcode code) const {
  if (code != CURLE_OK || !has_body()) return {};
  if (ssl_ != nullptr && !multi_.tls_ends().take(ssl_)) return "the end of TLS was cut off";
  if (!head_.content_length()) return {};
  if (excess_) return "more octets than Content-Length";
  if (received_octets_ < *head_.content_length()) return "fewer octets than Content-Length";
  return {};
}

/// For an origin that answers in full and hangs up on the rest of the request's body.
bool Exchange::has_whole_response() const {
  if (stage_ != Stage::Body || excess_) return false;
  return !has_body() || head_.content_length() == received_octets_;
}

bool Exchange::may_connect_again(CURLcode code) const {
  if (stage_ != Stage::Connecting || attempts_ >= endpoint_->connection_attempts) return false;
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SSL_CONNECT_ERROR;
}

bool Exchange::may_send_again(CURLcode code) const {
  // A kept connection of an HTTP/1.0 origin cannot take chunks, which libcurl notices before it has
  // sent anything.
  if (code == CURLE_UPLOAD_FAILED) return reused_ && pulled_octets_ == 0;
  if (stage_ != Stage::Sent || !reused_ || sent_again_ || head_.octets() != 0) return false;
  if (request_.body != nullptr || !is_idempotent(request_.method)) return false;
  return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
         code == CURLE_HTTP2;
}

void Exchange::on_done(CURLcode code) {
  const std::shared_ptr<Exchange> self = shared_from_this();
  in_multi_ = false;
  if (stage_ == Stage::Ended) return end();
  stop_awaiting();
  if (refused_) return fail(refusal_, refusal_details_);
  if (may_connect_again(code)) return start_again();
  if (spoiled_ || may_send_again(code)) {
    sent_again_ = sent_again_ || !spoiled_;
    return start_on_new_connection();
  }
  const bool has_head = stage_ == Stage::Body;
  if (code == CURLE_OK && !has_head) {
    return fail(Failure::ConnectionTerminated, "the connection ended before the head was complete");
  }
  if (const std::string_view error = framing_error(code); !error.empty()) {
    return fail(excess_ ? Failure::HttpProtocolError : Failure::HttpResponseIncomplete, error);
  }
  if (code == CURLE_OK || (code == CURLE_SEND_ERROR && has_whole_response())) return succeed();

  const std::string_view text = curl_error_[0] != '\0' ? curl_error_ : curl_easy_strerror(code);
  fail(failure_of(easy_.get(), code, text, stage_ != Stage::Connecting, has_head), text);
}

void Exchange::succeed() {
  stage_ = Stage::Ended;
  Sink* sink = std::exchange(sink_, nullptr);
  end();
  sink->on_complete();
}

void Exchange::fail(Failure failure, std::string_view details) {
  const std::shared_ptr<Exchange> self = shared_from_this();
  stage_ = Stage::Ended;
  Sink* sink = std::exchange(sink_, nullptr);
  const std::string text = fmt::format("origin {}: {}", endpoint_->id, details);
  end();
  sink->on_failure(failure, text);
}

/// From a timer: outside libcurl.
void Exchange::abort(Failure failure, std::string_view details) {
  const std::shared_ptr<Exchange> self = shared_from_this();
  if (in_multi_) multi_.remove(easy_.get());
  in_multi_ = false;
  fail(failure, details);
}

void Exchange::cancel() {
  if (detached_ || stage_ == Stage::Ended) return;
  stage_ = Stage::Ended;
  sink_ = nullptr;
  stop_awaiting();
  multi_.soon([self = shared_from_this()] {
    if (self->detached_) return;
    if (self->in_multi_) self->multi_.remove(self->easy_.get());
    self->in_multi_ = false;
    self->end();
  });
}

void Exchange::end() {
  stop_awaiting();
  completion_timer_.cancel();
  if (ssl_ != nullptr) multi_.tls_ends().take(std::exchange(ssl_, nullptr));
  request_.body.reset();
  easy_.reset();
  if (!on_end_) return;
  auto on_end = std::move(on_end_);
  on_end(this);
}

void Exchange::detach() {
  detached_ = true;
  stage_ = Stage::Ended;
  sink_ = nullptr;
  on_end_ = {};
  if (in_multi_) multi_.remove(easy_.get());
  in_multi_ = false;
  end();
}

// --- pausing ---

void Exchange::resume() {
  resumed_ = true;
  if (detached_ || stage_ == Stage::Ended || !paused_) return;
  paused_ = false;
  await_origin();
  if (recv_paused_) unpause_soon();
}

void Exchange::body_ready() {
  if (detached_ || stage_ == Stage::Ended) return;
  unpause_soon();
}

void Exchange::unpause_soon() {
  if (unpause_pending_) return;
  unpause_pending_ = true;
  multi_.soon([self = shared_from_this()] { self->unpause(); });
}

/// libcurl calls the sink and the body's source right from here.
void Exchange::unpause() {
  unpause_pending_ = false;
  if (detached_ || stage_ == Stage::Ended || !in_multi_) return;
  const bool keep_receiving_off = recv_paused_ && paused_;
  send_paused_ = false;
  recv_paused_ = keep_receiving_off;
  await_origin();
  curl_easy_pause(easy_.get(), keep_receiving_off ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

// --- timeouts ---

/// The origin's turn: it has read_timeout from now on, except while either of us holds it up.
void Exchange::await_origin() {
  if (paused_ || send_paused_ || stage_ == Stage::Ended) return;
  awaiting_ = true;
  silent_until_ = loop_.now() + endpoint_->read_timeout;
  // Moved at every octet, so the timer itself stays where it is and looks again when it rings.
  if (!silence_timer_.pending()) silence_timer_.schedule_at(silent_until_);
}

void Exchange::stop_awaiting() {
  awaiting_ = false;
  silence_timer_.cancel();
}

void Exchange::on_silence() {
  if (!awaiting_) return;
  const std::shared_ptr<Exchange> self = shared_from_this();
  // After a loop that was held up, octets may be there that nobody has looked at yet.
  if (loop_.now() >= silent_until_) multi_.poll();
  if (awaiting_ && upload_moved()) await_origin();
  if (!awaiting_) return;
  if (loop_.now() < silent_until_) {
    silence_timer_.schedule_at(silent_until_);
    return;
  }
  abort(Failure::HttpResponseTimeout, stage_ == Stage::Body
                                          ? "the origin fell silent inside its response"
                                          : "the origin did not answer in time");
}

/// Whether the origin has taken octets of the request body since this was last asked.
bool Exchange::upload_moved() {
  if (request_.body == nullptr || !in_multi_) return false;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  return std::exchange(sent_octets_, sent) < sent;
}

}  // namespace headgate::origin
