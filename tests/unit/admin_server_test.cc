// SPDX-License-Identifier: MIT
// The admin listener as its clients meet it.
#include <doctest/doctest.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "appliance/admin/server.h"
#include "tests/support/admin_client.h"

using headgate::admin::Appliance;
using headgate::admin::get;
using headgate::admin::Options;
using headgate::admin::post;
using headgate::admin::Readiness;
using headgate::admin::Server;
using headgate::schema::Redacted;
using headgate::test::RawClient;
using headgate::test::Scratch;
using Json = nlohmann::json;

namespace {

/// An appliance that answers what a test puts here.
struct Fake {
  Readiness readiness{.ready = true, .reason = "", .source_age_seconds = 3};
  std::string status = R"({"ready":true})";
  std::vector<std::pair<std::uint64_t, std::string>> journal;
  std::atomic<int> reconciles{0};

  Appliance appliance() {
    return {.readiness = [this] { return readiness; },
            .status_json = [this] { return status; },
            .metrics_text = [] { return std::string("headgate_build_info 1\n"); },
            .events =
                [this](std::uint64_t after, std::size_t max) {
                  std::vector<std::pair<std::uint64_t, std::string>> some;
                  for (const auto& event : journal) {
                    if (event.first > after && some.size() < max) some.push_back(event);
                  }
                  return some;
                },
            .reconcile_now = [this] { ++reconciles; },
            .invalidations_json = [] { return std::string("[]"); },
            .purging = {},
            .warming = {.run = [](const std::string& list) -> headgate::admin::WarmReply {
                          using Outcome = headgate::admin::WarmReply::Outcome;
                          if (list == "front") return {Outcome::Running, {7}, ""};
                          if (list.empty()) return {Outcome::Unavailable, {}, "nothing to warm"};
                          return {Outcome::NoList, {}, "there is no " + list};
                        },
                        .json = [] { return std::string("{}\n"); }}};
  }
};

std::unique_ptr<Server> serve(Fake& fake, Options options = {}) {
  if (options.listen.empty()) options.listen = "127.0.0.1:0";
  auto server = Server::start(options, fake.appliance());
  REQUIRE_MESSAGE(server.has_value(), server.error().context);
  return std::move(*server);
}

headgate::admin::Reply fetch(const Server& server, const std::string& target,
                             const std::optional<Redacted>& token = std::nullopt) {
  auto reply = get(server.address(), target, token);
  REQUIRE_MESSAGE(reply.has_value(), reply.error().context);
  return *reply;
}

std::string hmac_hex(const std::string& key, const std::string& body) {
  std::array<unsigned char, 32> digest;
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &length);
  std::string text;
  for (const auto octet : digest) text += fmt::format("{:02x}", octet);
  return text;
}

std::string deliver(const Server& server, const std::string& header, const std::string& body) {
  RawClient client(server.address());
  client.send(fmt::format(
      "POST /hooks/git HTTP/1.1\r\nHost: forge.example\r\n{}Content-Length: {}\r\n\r\n{}", header,
      body.size(), body));
  return client.read_all();
}

}  // namespace

TEST_CASE("healthz answers while the appliance is not ready, readyz says why") {
  Fake fake;
  fake.readiness = {
      .ready = false, .reason = "no snapshot: \"fetching\"", .source_age_seconds = -1};
  const auto server = serve(fake);
  CHECK(fetch(*server, "/healthz").status == 200);
  const auto reply = fetch(*server, "/readyz");
  CHECK(reply.status == 503);
  CHECK(Json::parse(reply.body) == Json{{"ready", false}, {"reason", "no snapshot: \"fetching\""}});
}

TEST_CASE("readyz does not depend on the source, readyz?strict does") {
  Fake fake;
  Options options;
  options.strict_max_source_age_seconds = 60;
  fake.readiness.source_age_seconds = 61;
  const auto server = serve(fake, options);
  CHECK(fetch(*server, "/readyz").status == 200);
  CHECK(fetch(*server, "/readyz?strict").status == 503);
  CHECK(fetch(*server, "/readyz?strict=1").body.find("61 s ago") != std::string::npos);
  fake.readiness.source_age_seconds = 60;
  CHECK(fetch(*server, "/readyz?strict").status == 200);
  fake.readiness.source_age_seconds = -1;
  CHECK(fetch(*server, "/readyz?strict").body.find("never read") != std::string::npos);
}

TEST_CASE("status, metrics and invalidations are passed on with their types") {
  Fake fake;
  const auto server = serve(fake);
  CHECK(fetch(*server, "/status").body == fake.status);
  CHECK(fetch(*server, "/invalidations").body == "[]");
  RawClient client(server->address());
  client.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  const auto response = client.read_all();
  CHECK(response.find("HTTP/1.1 200") == 0);
  CHECK(response.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") !=
        std::string::npos);
  CHECK(response.find("\r\n\r\nheadgate_build_info 1\n") != std::string::npos);
}

TEST_CASE("warm lists are shown and run, one by its name or all") {
  Fake fake;
  const auto server = serve(fake);
  CHECK(fetch(*server, "/warm").body == "{}\n");
  const auto run = [&](const std::string& target) {
    const auto reply = post(server->address(), target, "", std::nullopt);
    REQUIRE(reply.has_value());
    return std::to_string(reply->status) + " " + reply->body;
  };
  CHECK(run("/warm?list=front") == "202 {\"runs\":[7]}\n");
  CHECK(run("/warm?list=a%20b") == "404 {\"error\":\"there is no a b\"}\n");
  CHECK(run("/warm") == "503 {\"error\":\"nothing to warm\"}\n");
}

TEST_CASE("HEAD has the head of GET and no body") {
  Fake fake;
  const auto server = serve(fake);
  RawClient client(server->address());
  client.send("HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto response = client.read_all();
  CHECK(response.find("HTTP/1.1 200") == 0);
  CHECK(response.find(fmt::format("Content-Length: {}\r\n", fake.status.size())) !=
        std::string::npos);
  CHECK(response.substr(response.size() - 4) == "\r\n\r\n");
}

TEST_CASE("unknown paths are 404 and wrong methods 405 with Allow, both as JSON") {
  Fake fake;
  const auto server = serve(fake);
  for (const char* path :
       {"/nothing", "/status/", "/Status", "//", "/healthz/x", "/2020-05-31/x"}) {
    const auto reply = fetch(*server, path);
    CHECK(reply.status == 404);
    CHECK(Json::parse(reply.body).contains("error"));
  }
  for (const char* method : {"POST", "DELETE", "PUT", "PATCH", "OPTIONS"}) {
    CAPTURE(method);
    RawClient client(server->address());
    client.send(
        fmt::format("{} /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", method));
    const auto response = client.read_all();
    CHECK(response.find("HTTP/1.1 405") == 0);
    CHECK(response.find("Allow: GET, HEAD\r\n") != std::string::npos);
  }
}

TEST_CASE("a webhook triggers when GitHub's, Gitea's or GitLab's proof is right") {
  Fake fake;
  Options options;
  options.webhook_secret = Redacted("s3cret");
  const auto server = serve(fake, options);
  const std::string body = R"({"ref":"refs/heads/main"})";
  const auto hex = hmac_hex("s3cret", body);
  CHECK(
      deliver(*server, "X-Hub-Signature-256: sha256=" + hex + "\r\n", body).find("HTTP/1.1 202") ==
      0);
  CHECK(deliver(*server, "x-gitea-signature: " + hex + "\r\n", body).find("HTTP/1.1 202") == 0);
  CHECK(deliver(*server, "X-Gitlab-Token: s3cret\r\n", body).find("HTTP/1.1 202") == 0);
  CHECK(fake.reconciles == 3);
}

TEST_CASE("a webhook without a right proof is 401 and triggers nothing") {
  Fake fake;
  Options options;
  options.webhook_secret = Redacted("s3cret");
  const auto server = serve(fake, options);
  const std::string body = "{}";
  const auto hex = hmac_hex("s3cret", body);
  auto last_wrong = hex;
  last_wrong.back() = last_wrong.back() == '0' ? '1' : '0';
  for (const auto& header :
       {std::string(), "X-Hub-Signature-256: " + hex + "\r\n",
        "X-Hub-Signature-256: sha256=" + last_wrong + "\r\n",
        "X-Hub-Signature-256: sha256=" + hex.substr(1) + "\r\n",
        "X-Hub-Signature: sha1=" + hex + "\r\n",
        "X-Hub-Signature-256: sha256=" + hmac_hex("other", body) + "\r\n",
        std::string("X-Gitlab-Token: s3cre\r\n"), std::string("X-Gitlab-Token:\r\n"),
        "X-Gitlab-Token: " + hex + "\r\n", std::string("X-Gitea-Signature: zz\r\n")}) {
    CAPTURE(header);
    CHECK(deliver(*server, header, body).find("HTTP/1.1 401") == 0);
  }
  CHECK(fake.reconciles == 0);
}

TEST_CASE("without a secret there is no webhook, and an empty secret proves nothing") {
  Fake fake;
  CHECK(deliver(*serve(fake), "X-Gitlab-Token: \r\n", "{}").find("HTTP/1.1 404") == 0);
  CHECK_FALSE(headgate::admin::webhook_is_authentic(Redacted(""), "{}", {{"X-Gitlab-Token", ""}}));
  CHECK_FALSE(headgate::admin::webhook_is_authentic(
      Redacted(""), "{}", {{"X-Hub-Signature-256", "sha256=" + hmac_hex("", "{}")}}));
  CHECK(fake.reconciles == 0);
}

TEST_CASE("large webhook bodies arrive whole, larger ones are refused with an answer") {
  Fake fake;
  Options options;
  options.webhook_secret = Redacted("s3cret");
  const auto server = serve(fake, options);
  const std::string body(3 * 1024 * 1024, 'x');
  CHECK(deliver(*server, "X-Gitea-Signature: " + hmac_hex("s3cret", body) + "\r\n", body)
            .find("HTTP/1.1 202") == 0);
  CHECK(deliver(*server, "", std::string(9 * 1024 * 1024, 'x')).find("HTTP/1.1 413") == 0);
}

TEST_CASE("with a token everything but health and the webhook asks for it") {
  Fake fake;
  Options options;
  options.token = Redacted("t0ken");
  options.webhook_secret = Redacted("s3cret");
  const auto server = serve(fake, options);
  for (const char* path : {"/status", "/metrics", "/events", "/invalidations", "/warm", "/"}) {
    CAPTURE(path);
    CHECK(fetch(*server, path).status == 401);
    CHECK(fetch(*server, path, Redacted("t0ke")).status == 401);
    CHECK(fetch(*server, path, Redacted("t0kenn")).status == 401);
    CHECK(fetch(*server, path, Redacted("t0ken")).status == 200);
  }
  CHECK(fetch(*server, "/healthz").status == 200);
  CHECK(fetch(*server, "/readyz").status == 200);
  CHECK(deliver(*server, "X-Gitlab-Token: s3cret\r\n", "{}").find("HTTP/1.1 202") == 0);
  RawClient client(server->address());
  client.send("GET /status HTTP/1.1\r\nHost: admin.example\r\nAuthorization: bearer t0ken\r\n\r\n");
  CHECK(client.read_all().find("HTTP/1.1 200") == 0);
}

TEST_CASE("without a token a name as Host is refused, because a browser may have been led here") {
  Fake fake;
  const auto server = serve(fake);
  const auto status_with_host = [&](const std::string& host, const std::string& path) {
    RawClient client(server->address());
    client.send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.read_all().substr(9, 3);
  };
  CHECK(status_with_host("evil.example", "/status") == "403");
  CHECK(status_with_host("evil.example:9900", "/status") == "403");
  CHECK(status_with_host("evil.example", "/healthz") == "200");
  for (const char* host :
       {"127.0.0.1:9900", "localhost", "localhost:1", "[::1]:9900", "192.0.2.1"}) {
    CHECK(status_with_host(host, "/status") == "200");
  }
}

TEST_CASE("an address that others can reach needs a token") {
  Fake fake;
  const auto refused = Server::start({.listen = "0.0.0.0:0"}, fake.appliance());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().blame == headgate::Blame::Config);
  CHECK(refused.error().context.find(
            "0.0.0.0:0 can be reached from other machines and there is no token") !=
        std::string::npos);
  CHECK_FALSE(
      Server::start({.listen = "0.0.0.0:0", .token = Redacted("")}, fake.appliance()).has_value());
  CHECK(Server::start({.listen = "0.0.0.0:0", .token = Redacted("t0ken")}, fake.appliance())
            .has_value());
}

TEST_CASE("a health listener may be exposed and serves nothing else") {
  Fake fake;
  const auto server = serve(
      fake, {.listen = "0.0.0.0:0", .webhook_secret = Redacted("s3cret"), .health_only = true});
  const auto address = "127.0.0.1" + server->address().substr(server->address().rfind(':'));
  CHECK(get(address, "/healthz", {})->status == 200);
  CHECK(get(address, "/readyz", {})->status == 200);
  for (const char* path : {"/", "/status", "/metrics", "/events", "/hooks/git"}) {
    CHECK(get(address, path, {})->status == 404);
  }
}

TEST_CASE("addresses that are none are refused with what to write") {
  Fake fake;
  for (const char* address :
       {"", "9900", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "example.com:80",
        "::1:9900", "[127.0.0.1]:80", "unix:", ":9900"}) {
    CAPTURE(address);
    const auto server = Server::start({.listen = address}, fake.appliance());
    REQUIRE_FALSE(server.has_value());
    CHECK(server.error().blame == headgate::Blame::Config);
  }
  const auto first = serve(fake);
  const auto second = Server::start({.listen = first->address()}, fake.appliance());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().context.find(first->address() + ": Address already in use") !=
        std::string::npos);
}

TEST_CASE("a unix socket serves its owner only, and goes with the server") {
  const Scratch scratch;
  Fake fake;
  const auto path = scratch.path("admin.sock");
  {
    const auto server = serve(fake, {.listen = "unix:" + path});
    CHECK(server->address() == "unix:" + path);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CHECK(fetch(*server, "/status").body == fake.status);
    CHECK(fetch(*server, "/healthz").status == 200);

    const auto second = Server::start({.listen = "unix:" + path}, fake.appliance());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().context.find("another process answers there") != std::string::npos);
    CHECK(fetch(*server, "/healthz").status == 200);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a stale unix socket is replaced, another file is not") {
  const Scratch scratch;
  Fake fake;
  const auto stale = scratch.path("stale.sock");
  headgate::test::leave_stale_socket(stale);
  CHECK(fetch(*serve(fake, {.listen = "unix:" + stale}), "/healthz").status == 200);

  const auto file = scratch.path("file");
  std::ofstream(file) << "precious";
  const auto refused = Server::start({.listen = "unix:" + file}, fake.appliance());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().context.find("not a socket") != std::string::npos);
  CHECK(std::filesystem::file_size(file) == 8);
  CHECK_FALSE(
      Server::start({.listen = "unix:" + scratch.path(std::string(200, 'x'))}, fake.appliance())
          .has_value());
  CHECK_FALSE(Server::start({.listen = "unix:/nonexistent/x.sock"}, fake.appliance()).has_value());
}

TEST_CASE("a successor's unix socket is not removed by its predecessor") {
  const Scratch scratch;
  Fake fake;
  const auto path = scratch.path("admin.sock");
  auto first = serve(fake, {.listen = "unix:" + path});
  std::filesystem::remove(path);
  const auto second = serve(fake, {.listen = "unix:" + path});
  first.reset();
  CHECK(fetch(*second, "/healthz").status == 200);
}

TEST_CASE("the status page has a policy that allows what is in it and no more") {
  Fake fake;
  const auto server = serve(fake);
  RawClient client(server->address());
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto response = client.read_all();
  CHECK(response.find("Content-Type: text/html; charset=utf-8\r\n") != std::string::npos);
  CHECK(response.find("default-src 'none'; script-src 'sha256-") != std::string::npos);
  CHECK(response.find("unsafe") == std::string::npos);
  CHECK(response.find("innerHTML") == std::string::npos);
  CHECK(response.find("http://") == std::string::npos);
  CHECK(response.find("https://") == std::string::npos);
  // The hashes are of what stands between the tags.
  for (const std::string tag : {"script", "style"}) {
    const auto start = response.find("<" + tag + ">") + tag.size() + 2;
    const auto content = response.substr(start, response.find("</" + tag + ">") - start);
    CHECK(response.find(tag + "-src '" + headgate::test::csp_hash(content) + "'") !=
          std::string::npos);
  }
}

TEST_CASE("what a repository says cannot be anything but text on the status page") {
  Fake fake;
  auto appliance = fake.appliance();
  appliance.status_json = [] {
    return std::string(R"x({"ready": true, "source": {"url": "<b>", "ref": "a&b"}, "conditions": [
      {"type": "Ready", "status": "True", "message": "<img src=x onerror=alert(1)>"}], "refused": {"subject": "</pre><script>"},
      "diagnostics": ["<i>"], "history": [{"subject": "\"><b>", "generation": 7}], "warnings": [5, "<u>"]})x");
  };
  const auto server = Server::start({.listen = "127.0.0.1:0"}, appliance);
  const auto page = get((*server)->address(), "/", {})->body;
  for (const char* never : {"<b>", "<img", "</pre><script>", "<i>", "<u>", "a&b"})
    CHECK(page.find(never) == std::string::npos);
  CHECK(page.find("&lt;img src=x onerror=alert(1)&gt;") != std::string::npos);
  CHECK(page.find("&gt;&lt;b&gt;") != std::string::npos);
  appliance.status_json = [] { return std::string("nonsense"); };
  const auto odd = Server::start({.listen = "127.0.0.1:0"}, appliance);
  CHECK(get((*odd)->address(), "/", {})->status == 200);
}

TEST_CASE("an endpoint that throws is a 500, and the next request is served") {
  Fake fake;
  auto appliance = fake.appliance();
  appliance.status_json = []() -> std::string { throw std::runtime_error("secret detail"); };
  const auto server = Server::start({.listen = "127.0.0.1:0"}, appliance);
  const auto reply = get((*server)->address(), "/status", {});
  CHECK(reply->status == 500);
  CHECK(reply->body.find("secret detail") == std::string::npos);
  CHECK(get((*server)->address(), "/healthz", {})->status == 200);
}

TEST_CASE("clients say clearly that nobody answers") {
  std::string address;
  {
    Fake fake;
    address = serve(fake)->address();
  }
  for (const std::string& where :
       {address, "http://" + address, std::string("unix:/nonexistent/admin.sock")}) {
    const auto reply = get(where, "/status", {});
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().context.find("no appliance answers at " + where +
                                     ": is `headgate run` up?") != std::string::npos);
    CHECK_FALSE(post(where, "/hooks/git", "{}", {}).has_value());
  }
  for (const char* where :
       {"https://127.0.0.1:1", "unix:", "127.0.0.1:99999999999", "http://[::1"}) {
    CAPTURE(where);
    const auto reply = get(where, "/status", {});
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().blame == headgate::Blame::Config);
  }
}

TEST_CASE("a follower gets events as they come, and stops when it likes") {
  Fake fake;
  fake.journal = {{1, R"({"sequence":1})"}, {2, R"({"sequence":2})"}};
  const auto server = serve(fake);
  std::string all;
  CHECK(headgate::admin::follow(server->address(), "/events?follow=1&after=1", {},
                                [&](std::string_view octets) {
                                  all += octets;
                                  return all.find('\n') == std::string::npos;
                                })
            .has_value());
  CHECK(all == "{\"sequence\":2}\n");

  all.clear();
  CHECK(headgate::admin::follow(server->address(), "/events", {}, [&](std::string_view octets) {
          all += octets;
          return true;
        }).has_value());
  CHECK(all == "{\"sequence\":1}\n{\"sequence\":2}\n");

  Options options;
  options.token = Redacted("t0ken");
  const auto guarded = serve(fake, options);
  const auto refused = headgate::admin::follow(guarded->address(), "/events", {},
                                               [](std::string_view) { return true; });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().context.find("answers 401 to /events") != std::string::npos);
}
