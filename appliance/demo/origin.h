// SPDX-License-Identifier: MIT
// The demo origin: a small shop behind the edge, which can be slow, flaky, down and large on
// request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "schema/base/result.h"

namespace headgate::demo {

struct OriginOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;     ///< 0: any free one
  std::string name = "demo";  ///< in X-Demo-Origin and on the page, so that a failover shows
};

/// GET, unless said otherwise:
/// - `/`, `/index.html`: the shop, HTML that references the style sheet, the script and an image a
///   product
/// - `/assets/…`, `/images/…`: for a year and a day
/// - `/404.html`: the page that unknown paths get, with 200
/// - `/api/products[/{id}]`: JSON whose prices change every five seconds; ETag, 304
/// - `/slow?ms=`: answers after that long, at most 30 s
/// - `/fail?status=`: answers with that status, 400 to 599
/// - `/flaky`: 503 every other time
/// - `/large?mb=`: 1 to 1024 MiB, streamed, with ranges
/// - `/headers`: the request as it arrived, as JSON
/// - `/healthz`: 200, or 503 while down
/// - `/down?seconds=`, GET or POST: everything else answers 503 for that long, at most an hour; 0
///   ends it
///
/// Every response has X-Demo-Origin and X-Demo-Served, which counts the requests that came this
/// far.
/// Threads: `stop` from any; the rest from one. Answers on threads of its own.
class Origin {
 public:
  explicit Origin(OriginOptions options);
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  /// Binds; from then on connections queue. Returns the port.
  /// Errors: Blame::Config when the address cannot be bound.
  Result<std::uint16_t> bind();
  /// Answers until `stop`, and until the connections that were open then are done.
  void serve();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Prints the URL on standard output and serves until SIGTERM or SIGINT. Must be called before the
/// process starts other threads: it blocks these two signals for all of them. Returns the exit
/// status: 0, or 1 when it cannot listen, with a line on standard error.
int run_origin(const OriginOptions& options);

}  // namespace headgate::demo
