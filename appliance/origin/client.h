// SPDX-License-Identifier: MIT
// HTTP requests to origins on one worker's loop, by libcurl's multi interface.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/loop.h"
#include "appliance/http/field.h"
#include "appliance/origin/latch.h"
#include "schema/base/units.h"

namespace headgate::origin {

enum class Scheme { Http, Https };

/// Where and how an origin is reached; compiled once per Snapshot and shared.
/// Threads: immutable.
struct Endpoint {
  std::string id;    ///< for logs: "distribution/origin"
  std::string host;  ///< name or IP literal (IPv6 without brackets)
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  std::string sni;  ///< name to ask for and to verify; empty: host
  bool verify = true;
  std::string ca_bundle_pem;  ///< empty: the system's
  std::string min_tls;        ///< "1.0", "1.1", "1.2", "1.3"
  std::string max_tls;
  int connection_attempts = 3;
  Duration connect_timeout{};
  Duration read_timeout{};  ///< to the first octet, and between octets
  Duration keepalive_timeout{};
  std::optional<Duration> completion_timeout;
  std::shared_ptr<Latch> latch;  ///< whether it is down; outlives Snapshots; null: not remembered
};

/// Why a fetch ended without a whole response; RFC 9209 section 2.3 names.
enum class Failure {
  DnsError,
  DnsTimeout,
  ConnectionRefused,
  ConnectionTimeout,
  ConnectionTerminated,
  TlsProtocolError,
  TlsCertificateError,
  HttpResponseTimeout,
  HttpResponseIncomplete,
  HttpProtocolError,
  HttpRequestError,
  Cancelled,
  Internal,
};
/// Whether a response with this status, or a failure, speaks of an origin that is not well; a
/// failure of ours or of the request does not.
bool is_sign_of_sickness(int status);
bool is_sign_of_sickness(Failure failure);

/// The error type of Proxy-Status, e.g. "connection_refused".
std::string_view proxy_error(Failure failure);
/// 504 for timeouts, else 502.
int status_of(Failure failure);

/// Pulls a request body: the transfer asks, the other side answers when it has something. One
/// outstanding ask at a time. Threads: the loop's.
class RequestBody {
 public:
  virtual ~RequestBody() = default;
  virtual std::optional<std::uint64_t> length() const = 0;  ///< none: chunked
  /// Octets that are ready now (valid until the next call), or empty: then either `ended()`, or the
  /// source calls Transfer::body_ready later.
  virtual std::string_view pull(std::size_t max) = 0;
  virtual bool ended() const = 0;
};

struct Request {
  std::string method;
  Scheme scheme = Scheme::Http;
  std::string host_header;
  std::string target;  ///< path and query, origin path included
  http::FieldBlock
      fields;  ///< without Host, Content-Length, Transfer-Encoding and hop-by-hop fields
  std::shared_ptr<RequestBody> body;  ///< may be null
};

struct ResponseHead {
  int status = 0;
  bool http2 = false;   ///< how it was received, for Via
  http::Fields fields;  ///< names in lower case; valid during the call
  std::optional<std::uint64_t>
      content_length;  ///< as received; of a HEAD, 204 or 304 no body follows all the same
};

/// Interim responses of one exchange that are passed on; an origin that sends more is not listened
/// to.
inline constexpr int kMaxInterim = 16;

/// Gets what a transfer receives; called on the loop, never from inside Client::start,
/// Transfer::resume or Transfer::cancel.
class Sink {
 public:
  virtual ~Sink() = default;
  /// An interim response but 100 and 101 (RFC 9110 section 15.2), before the head; at most
  /// kMaxInterim of them.
  virtual void on_interim(int status, http::Fields fields) = 0;
  virtual void on_head(const ResponseHead& head) = 0;
  /// False: pause until Transfer::resume; the octets have been taken all the same. A resume from
  /// inside this call wins over its result. While paused the end may still be told: a failure, or
  /// on_complete when nothing was left to give.
  [[nodiscard]] virtual bool on_octets(std::string_view octets) = 0;
  /// The whole response has come: neither shorter nor longer than its framing said.
  virtual void on_complete() = 0;
  /// After on_head: the rest is lost. `details` is for the log.
  virtual void on_failure(Failure failure, std::string_view details) = 0;
};

/// One exchange with an origin. Destroying it cancels it; the sink is not called any more.
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void resume() = 0;
  virtual void body_ready() = 0;
  /// Whether this used a connection that was already open; false until it has one.
  virtual bool reused_connection() const = 0;
};

/// One per worker: connections are kept per endpoint and survive Snapshots. May be destroyed before
/// its Transfers, which then do nothing. Not from inside a sink's call. Retries by itself only
/// connecting (connection_attempts), and once a request with an idempotent method and no body whose
/// reused connection died before the first octet of the response. Threads: its loop's.
class Client {
 public:
  explicit Client(base::Loop& loop);
  ~Client();
  std::unique_ptr<Transfer> start(std::shared_ptr<const Endpoint> endpoint, Request request,
                                  Sink& sink);
  /// Asks whether an origin that is down answers again, for nobody: any response but 500, 502, 503
  /// and 504 makes it well. `request` becomes a HEAD.
  void probe(std::shared_ptr<const Endpoint> endpoint, Request request);
  std::size_t transfers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headgate::origin
