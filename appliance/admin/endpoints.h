// SPDX-License-Identifier: MIT
// What the admin listener answers to what.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/admin/server.h"

namespace headgate::admin {

struct Call {
  std::string method;
  std::string path;
  std::multimap<std::string, std::string> parameters;  ///< of the query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::uint64_t> follow_after;  ///< more events are to follow the body
};

/// `{"error": problem}`
Answer refuse(int status, std::string_view problem);

/// Threads: any, const; calls the Appliance's functions on the caller's thread.
class Endpoints {
 public:
  /// `tcp`: the listener is reached by TCP, and so perhaps by a browser.
  Endpoints(Options options, Appliance appliance, bool tcp);
  Answer answer(const Call& call) const;

  struct Events {
    std::string lines;  ///< JSON lines
    std::uint64_t last = 0;
  };
  /// What the journal holds after `after`, up to a bound.
  Events events_after(std::uint64_t after) const;

 private:
  struct Endpoint;
  static const std::vector<Endpoint>& table();

  bool serves(const Endpoint& endpoint) const;
  std::optional<Answer> forbid(const Call& call, const Endpoint& endpoint) const;

  Answer health(const Call& call) const;
  Answer ready(const Call& call) const;
  Answer status(const Call& call) const;
  Answer metrics(const Call& call) const;
  Answer events(const Call& call) const;
  Answer requests(const Call& call) const;
  Answer hook(const Call& call) const;
  Answer reconcile(const Call& call) const;
  Answer push(const Call& call) const;
  Answer override_by_operator(const Call& call) const;
  Answer upgrade(const Call& call) const;
  Answer invalidations(const Call& call) const;
  Answer purge(const Call& call) const;
  Answer estimate(const Call& call) const;
  Answer cloudfront(const Call& call) const;
  Answer warm(const Call& call) const;
  Answer page(const Call& call) const;

  const Options options_;
  const Appliance appliance_;
  const bool tcp_;
};

}  // namespace headgate::admin
