// SPDX-License-Identifier: MIT
// Clients that dribble, stay or send too much must not keep others from an answer.
#include <doctest/doctest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "appliance/admin/front/front.h"
#include "tests/support/admin_client.h"

using headgate::admin::Appliance;
using headgate::admin::Front;
using headgate::admin::FrontLimits;
using headgate::admin::Listener;
using headgate::admin::Options;
using headgate::test::RawClient;

namespace {

/// Closed until opened; counts who stands before it.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

/// A journal that a test writes while followers read.
class Journal {
 public:
  void add(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    events_.emplace_back(sequence, "{\"sequence\":" + std::to_string(sequence) + "}");
  }
  std::vector<std::pair<std::uint64_t, std::string>> after(std::uint64_t sequence,
                                                           std::size_t max) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::uint64_t, std::string>> some;
    for (const auto& event : events_) {
      if (event.first > sequence && some.size() < max) some.push_back(event);
    }
    return some;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, std::string>> events_;
};

struct Edge {
  Gate gate;
  Journal journal;
  std::string status = "{}";

  std::unique_ptr<Front> serve(FrontLimits limits = {}, bool slow_status = false) {
    Appliance appliance;
    appliance.readiness = [] { return headgate::admin::Readiness{true, "", 0}; };
    appliance.status_json = [this, slow_status] {
      if (slow_status) gate.pass();
      return status;
    };
    appliance.metrics_text = [] { return std::string(); };
    appliance.events = [this](std::uint64_t after, std::size_t max) {
      return journal.after(after, max);
    };
    appliance.reconcile_now = [] {};
    appliance.invalidations_json = [] { return std::string("[]"); };
    auto listener = Listener::open("127.0.0.1:0");
    REQUIRE(listener.has_value());
    Options options;
    options.webhook_secret = headgate::schema::Redacted("s3cret");
    auto front = Front::start(std::move(*listener), options, appliance, limits);
    REQUIRE(front.has_value());
    return std::move(*front);
  }
};

std::string ask(const Front& front, const std::string& path) {
  RawClient client(front.address());
  client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return client.read_all();
}

bool is_ok(const std::string& response) { return response.rfind("HTTP/1.1 200", 0) == 0; }

}  // namespace

TEST_CASE(
    "health and status answer while more clients dribble than there is room for, and followers sit "
    "there") {
  Edge edge;
  const auto front = edge.serve();
  std::vector<std::unique_ptr<RawClient>> followers;
  for (int i = 0; i < 8; ++i) {
    followers.push_back(std::make_unique<RawClient>(front->address()));
    followers.back()->send("GET /events?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    followers.back()->read_until("\r\n\r\n");
  }
  std::vector<std::unique_ptr<RawClient>> dribblers;
  for (int i = 0; i < 200; ++i) {
    dribblers.push_back(std::make_unique<RawClient>(front->address()));
    dribblers.back()->send(
        i % 2 == 0 ? "GET /sta" : "POST /hooks/git HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{");
  }
  for (const char* path : {"/healthz", "/readyz", "/status", "/metrics"})
    CHECK(is_ok(ask(*front, path)));
  CHECK(dribblers.front()->is_closed());  // the oldest had to go
  edge.journal.add(1);
  for (const auto& follower : followers) follower->read_until("{\"sequence\":1}\n");
}

TEST_CASE(
    "probes answer while every other thread and every place in the queue is taken by slow "
    "requests") {
  Edge edge;
  const auto front = edge.serve({}, true);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 32; ++i) {
    slow.push_back(std::make_unique<RawClient>(front->address()));
    slow.back()->send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  edge.gate.wait_for(2);
  CHECK(is_ok(ask(*front, "/healthz")));
  CHECK(is_ok(ask(*front, "/readyz")));
  edge.gate.open();
  for (const auto& client : slow) CHECK(is_ok(client->read_all()));
}

TEST_CASE("more slow requests than the limit are told so") {
  Edge edge;
  FrontLimits limits;
  limits.answering = 2;
  const auto front = edge.serve(limits, true);
  RawClient first(front->address());
  RawClient second(front->address());
  first.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  second.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  edge.gate.wait_for(2);
  CHECK(ask(*front, "/status").rfind("HTTP/1.1 503", 0) == 0);
  edge.gate.open();
  CHECK(is_ok(first.read_all()));
  CHECK(is_ok(second.read_all()));
  CHECK(is_ok(ask(*front, "/status")));
}

TEST_CASE("a request that does not arrive in time is answered 408, an empty connection is closed") {
  Edge edge;
  FrontLimits limits;
  limits.receive = std::chrono::milliseconds(20);
  const auto front = edge.serve(limits);
  RawClient dribbler(front->address());
  dribbler.send("GET /status HTTP/1.1\r\n");
  CHECK(dribbler.read_all().rfind("HTTP/1.1 408", 0) == 0);
  RawClient silent(front->address());
  CHECK(silent.read_all().empty());
}

TEST_CASE("a client that does not take its answer is closed") {
  Edge edge;
  FrontLimits limits;
  limits.send = std::chrono::milliseconds(20);
  edge.status.assign(std::size_t{32} << 20, ' ');  // more than the kernel buffers
  const auto front = edge.serve(limits);
  RawClient client(front->address(), 4096);
  client.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.wait_for_reset();
  CHECK(is_ok(ask(*front, "/healthz")));
}

TEST_CASE(
    "followers get what is in the journal and then what comes, and there is a bound on them") {
  Edge edge;
  FrontLimits limits;
  limits.followers = 2;
  limits.follow = std::chrono::milliseconds(1);
  for (std::uint64_t i = 1; i <= 1000; ++i) edge.journal.add(i);
  const auto front = edge.serve(limits);
  const auto follow = [&](const std::string& query) {
    auto client = std::make_unique<RawClient>(front->address());
    client->send("GET /events?follow=1" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client->read_until("\r\n\r\n");
    return client;
  };
  auto from_start = follow("");
  from_start->read_until("{\"sequence\":1000}\n");
  CHECK(from_start->read_until("").find("{\"sequence\":1}\n") != std::string::npos);
  auto from_later = follow("&after=999");
  CHECK(from_later->read_until("{\"sequence\":1000}\n").find("{\"sequence\":999}") ==
        std::string::npos);

  CHECK(ask(*front, "/events?follow=1").rfind("HTTP/1.1 503", 0) == 0);
  for (std::uint64_t i = 1001; i <= 1020; ++i) {
    edge.journal.add(i);
    const auto line = "{\"sequence\":" + std::to_string(i) + "}\n";
    for (auto* client : {from_start.get(), from_later.get()}) {
      const auto& all = client->read_until(line);
      CHECK(all.find(line, all.find(line) + 1) == std::string::npos);  // once
    }
  }
  // A place that was left is free again.
  from_later.reset();
  for (;;) {
    RawClient next(front->address());
    next.send("GET /events?follow=1&after=1019 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (next.read_until("\r\n\r\n").rfind("HTTP/1.1 200", 0) == 0) break;
  }
}

TEST_CASE("events come in pages by sequence number") {
  Edge edge;
  for (std::uint64_t i = 1; i <= 700; ++i) edge.journal.add(i);
  const auto front = edge.serve();
  const auto all = ask(*front, "/events");
  CHECK(all.find("Content-Type: application/jsonl\r\n") != std::string::npos);
  CHECK(std::count(all.begin(), all.end(), '}') == 700);
  CHECK(ask(*front, "/events?after=699").find("\r\n\r\n{\"sequence\":700}\n") != std::string::npos);
  CHECK(ask(*front, "/events?after=700").find("Content-Length: 0\r\n") != std::string::npos);
  for (const char* bad : {"/events?after=", "/events?after=x", "/events?after=-1",
                          "/events?after=1x", "/events?after=99999999999999999999"}) {
    CHECK(ask(*front, bad).rfind("HTTP/1.1 400", 0) == 0);
  }
}

TEST_CASE("bodies of all connections together are bounded") {
  Edge edge;
  FrontLimits limits;
  limits.bodies = 3'000'000;
  limits.large_body = 2'000'000;
  const auto front = edge.serve(limits);
  const std::string head = "POST /hooks/git HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n";
  {
    RawClient first(front->address());
    first.send(head + "x");
    // Its length is known once the second is refused.
    for (;;) {
      RawClient second(front->address());
      second.send(head + "x");
      RawClient third(front->address());
      third.send(head);
      third.send(std::string(2'000'000, 'x'));
      if (third.read_all().rfind("HTTP/1.1 503", 0) == 0) break;
    }
  }
  // And given back when they leave.
  for (;;) {
    RawClient client(front->address());
    client.send(head);
    client.send(std::string(2'000'000, 'x'));
    if (client.read_all().rfind("HTTP/1.1 401", 0) == 0) break;
  }
}

TEST_CASE("requests cut at every octet are answered as whole ones are") {
  Edge edge;
  const auto front = edge.serve();
  const std::string request = "GET /status HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n";
  for (std::size_t cut = 1; cut < request.size(); cut += 3) {
    RawClient client(front->address());
    client.send(request.substr(0, cut));
    client.send(request.substr(cut));
    CHECK(is_ok(client.read_all()));
  }
}

TEST_CASE("a server ends while clients are in every state") {
  Edge edge;
  auto front = edge.serve();
  RawClient dribbler(front->address());
  dribbler.send("GET /");
  RawClient follower(front->address());
  follower.send("GET /events?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  follower.read_until("\r\n\r\n");
  front.reset();
  CHECK(dribbler.is_closed());
  CHECK(follower.is_closed());
}
