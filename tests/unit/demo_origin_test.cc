// SPDX-License-Identifier: MIT
// The demo origin, asked by an HTTP client.
#include <doctest/doctest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "appliance/demo/catalogue.h"
#include "appliance/demo/origin.h"
#include "appliance/demo/pages.h"

using namespace headgate;

namespace {

struct RunningOrigin {
  explicit RunningOrigin(std::string name = "blue")
      : origin({"127.0.0.1", 0, std::move(name)}),
        port(origin.bind().value()),
        thread([this] { origin.serve(); }),
        client("127.0.0.1", port) {}
  ~RunningOrigin() {
    origin.stop();
    thread.join();
  }
  httplib::Response get(const std::string& path, const httplib::Headers& headers = {}) {
    const auto result = client.Get(path, headers);
    REQUIRE(result);
    return *result;
  }

  demo::Origin origin;
  std::uint16_t port;
  std::thread thread;
  httplib::Client client;
};

}  // namespace

TEST_CASE(
    "the shop is at the root and at index.html, and the page for unknown paths can be fetched") {
  RunningOrigin shop;
  CHECK(shop.get("/index.html").status == 200);
  CHECK(shop.get("/index.html").get_header_value("Content-Type") ==
        shop.get("/").get_header_value("Content-Type"));
  CHECK(shop.get("/404.html").status == 200);
  CHECK(shop.get("/404.html").body == shop.get("/no-such-page").body);
}

TEST_CASE("everything the shop's page references is there, cacheable, and validates") {
  RunningOrigin shop;
  const std::string page = shop.get("/").body;
  std::set<std::string> references;
  for (std::size_t at = 0; (at = page.find("=\"/", at)) != std::string::npos;) {
    at += 2;
    references.insert(page.substr(at, page.find('"', at) - at));
  }
  int fixed = 0;
  for (const std::string& path : references) {
    if (path.find(".svg") == std::string::npos && path.find("/assets/") != 0) continue;
    ++fixed;
    const httplib::Response first = shop.get(path);
    CHECK(first.status == 200);
    CHECK(first.get_header_value("Cache-Control").find("public, max-age=") == 0);
    CHECK(!first.body.empty());
    const httplib::Response again =
        shop.get(path, {{"If-None-Match", first.get_header_value("ETag")}});
    CHECK(again.status == 304);
    CHECK(again.body.empty());
  }
  CHECK(fixed == 3 + static_cast<int>(demo::products().size()));
}

TEST_CASE("each response counts the requests that came this far, and says who answered") {
  RunningOrigin shop("green");
  CHECK(shop.get("/healthz").get_header_value("X-Demo-Served") == "1");
  const httplib::Response second = shop.get("/nothing-here");
  CHECK(second.status == 404);
  CHECK(second.get_header_value("X-Demo-Served") == "2");
  CHECK(second.get_header_value("X-Demo-Origin") == "green");
}

TEST_CASE("prices hold within their five seconds and move with the next") {
  const demo::Product& first = demo::products().front();
  const base::WallTime start = demo::slot_start(1000);
  CHECK(demo::price_slot(start) == 1000);
  CHECK(demo::price_slot(start + Duration(4999)) == 1000);
  CHECK(demo::price_slot(start + Duration(5000)) == 1001);
  std::set<int> prices;
  for (std::int64_t slot = 1000; slot < 1010; ++slot) prices.insert(demo::price_cents(first, slot));
  CHECK(prices.size() > 5);
  CHECK(demo::products_json("a", 1000) == demo::products_json("a", 1000));
  CHECK(demo::products_json("a", 1000) != demo::products_json("a", 1001));
}

TEST_CASE("a product has a page of its own, others are 404") {
  RunningOrigin shop;
  const auto body = nlohmann::json::parse(shop.get("/api/products/barge").body);
  CHECK(body["product"]["id"] == "barge");
  CHECK(body["origin"] == "blue");
  CHECK(shop.get("/api/products/none").status == 404);
  CHECK(shop.get("/images/none.svg").status == 404);
}

TEST_CASE("down makes everything 503 until it is ended") {
  RunningOrigin shop;
  CHECK(shop.get("/down?seconds=3600").status == 200);
  CHECK(shop.get("/").status == 503);
  CHECK(shop.get("/healthz").status == 503);
  CHECK(shop.get("/down?seconds=0").status == 200);
  CHECK(shop.get("/healthz").status == 200);
}

TEST_CASE("flaky fails every other time, fail as it is told within bounds") {
  RunningOrigin shop;
  CHECK(shop.get("/flaky").status == 503);
  CHECK(shop.get("/flaky").status == 200);
  CHECK(shop.get("/flaky").status == 503);
  CHECK(shop.get("/fail?status=418").status == 418);
  CHECK(shop.get("/fail?status=99").status == 400);
  CHECK(shop.get("/fail?status=nonsense").status == 500);
}

TEST_CASE("large bodies are as long as asked for, and have ranges") {
  RunningOrigin shop;
  std::size_t octets = 0;
  const auto whole = shop.client.Get("/large?mb=20", [&](const char*, std::size_t size) {
    octets += size;
    return true;
  });
  REQUIRE(whole);
  CHECK(octets == 20u * 1024 * 1024);
  const httplib::Response part = shop.get("/large?mb=1", {{"Range", "bytes=65530-65545"}});
  CHECK(part.status == 206);
  CHECK(part.body == "abcdef0123456789");
}

TEST_CASE("the request is shown as it arrived, octets that are no UTF-8 included") {
  RunningOrigin shop;
  const httplib::Response response = shop.get("/headers?a=b", {{"X-Odd", "caf\xe9"}});
  const auto body = nlohmann::json::parse(response.body);
  CHECK(body["method"] == "GET");
  CHECK(body["target"] == "/headers?a=b");
  CHECK(response.body.find("X-Odd") != std::string::npos);
  CHECK(response.get_header_value("Cache-Control") == "no-store");
}

TEST_CASE("stopping does not wait for a slow answer") {
  RunningOrigin shop;
  std::thread slow([port = shop.port] {
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(60);
    client.Get("/slow?ms=30000");
  });
  for (int asked = 1;; ++asked) {  // until one request more has come than these
    if (std::stoi(shop.get("/healthz").get_header_value("X-Demo-Served")) > asked) break;
  }
  shop.origin.stop();
  slow.join();
}

TEST_CASE("a port that is taken is an error that says so") {
  RunningOrigin first;
  demo::Origin second({"127.0.0.1", first.port, "second"});
  const Result<std::uint16_t> port = second.bind();
  REQUIRE(!port);
  CHECK(port.error().context.find(std::to_string(first.port)) != std::string::npos);
}

TEST_CASE("the origin's name cannot bring HTML into the page") {
  CHECK(demo::escape_html("<b a='1'>&\"") == "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
  CHECK(demo::shop_html("<script>", 1).find("<script>") == std::string::npos);
}
