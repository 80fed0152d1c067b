// SPDX-License-Identifier: MIT
// The operator's HTTP listener: health, status, metrics, events, webhook. cpp-httplib on threads of
// its own, loopback or a unix socket.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/admin/override.h"
#include "appliance/admin/purge.h"
#include "appliance/admin/upgrade.h"
#include "appliance/admin/warm.h"
#include "schema/base/result.h"
#include "schema/model/secret.h"

namespace headgate::admin {

struct Readiness {
  bool ready = false;
  std::string reason;              ///< one line when not
  double source_age_seconds = -1;  ///< since the source was last read with success; negative: never
};

/// What the listener shows and asks for; each is called from the listener's threads and must not
/// block for long.
struct Appliance {
  std::function<Readiness()> readiness;
  std::function<std::string()> status_json;
  std::function<std::string()> metrics_text;
  /// Journal lines after sequence number `after`, as (sequence, JSON object) pairs, at most `max`.
  std::function<std::vector<std::pair<std::uint64_t, std::string>>(std::uint64_t after,
                                                                   std::size_t max)>
      events;
  std::function<void()> reconcile_now;
  /// The last requests, as lines of the access log.
  std::function<std::string()> recent_requests = {};
  /// What is to be said to a push, in JSON (`headgate hook pre-receive` asks); empty: this
  /// appliance receives nothing. Errors: what is wrong with the question.
  std::function<Result<std::string>(const std::string& push)> review_push = {};
  std::function<std::string()> invalidations_json;
  Purging purging = {};
  Overriding overriding = {};
  Warming warming = {};
  Upgrading upgrading = {};
};

struct Options {
  std::string listen;  ///< ADDR:PORT or unix:PATH; port 0 takes a free one
  std::optional<schema::Redacted> webhook_secret = std::nullopt;  ///< none: the webhook answers 404
  std::optional<schema::Redacted> token =
      std::nullopt;    ///< bearer token, required when the address is not loopback
  int inherited = -1;  ///< a socket that listens at that address already, and becomes the server's
  bool health_only = false;                    ///< --health: only /healthz and /readyz
  double strict_max_source_age_seconds = 300;  ///< /readyz?strict
};

/// Threads: start and stop from one; serves until destroyed.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(Options options, Appliance appliance);
  virtual ~Server() = default;
  /// "127.0.0.1:9900" with the real port, or "unix:PATH".
  virtual std::string address() const = 0;
  /// The listening socket, of which the caller gets a copy: who connects from now on waits in its
  /// queue, until a server inherits it. Answers of requests that have come are still sent.
  /// Errors: Blame::Self, when there are no descriptors left.
  virtual Result<int> release() = 0;
};

/// Whether `signature` (GitHub's and Gitea's X-Hub-Signature-256 / X-Gitea-Signature, or GitLab's
/// X-Gitlab-Token) proves `body`. Constant time.
bool webhook_is_authentic(const schema::Redacted& secret, std::string_view body,
                          const std::vector<std::pair<std::string, std::string>>& headers);

/// The client's side, for status, wait and events: one request to a listener at ADDR:PORT, http://…
/// or unix:PATH.
struct Reply {
  int status = 0;
  std::string body;
};
Result<Reply> get(const std::string& address, const std::string& target,
                  const std::optional<schema::Redacted>& token);
Result<Reply> post(const std::string& address, const std::string& target, const std::string& body,
                   const std::optional<schema::Redacted>& token);
/// A GET whose answer goes on for as long as it likes: `/events?follow=1`. `on_octets` gets what
/// arrives as it arrives, cut anywhere, and returns false to stop. Returns when it does, or when
/// the appliance ends the answer.
Status follow(const std::string& address, const std::string& target,
              const std::optional<schema::Redacted>& token,
              const std::function<bool(std::string_view)>& on_octets);

}  // namespace headgate::admin
