// SPDX-License-Identifier: MIT
// Sitemaps, manifests, and what their references mean.
#include <doctest/doctest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "appliance/warm/document/playlist.h"
#include "appliance/warm/document/sitemap.h"
#include "appliance/warm/document/target.h"

using namespace headgate::warm;
using headgate::Status;

namespace {

struct Read {
  std::vector<std::string> pages;
  std::vector<std::string> sitemaps;
  std::string problem;
};

Read read(std::string_view text, std::size_t piece = std::string_view::npos) {
  Read out;
  SitemapReader reader([&](const std::string& url, bool is_sitemap) {
    (is_sitemap ? out.sitemaps : out.pages).push_back(url);
  });
  Status status;
  while (status && !text.empty()) {
    status = reader.feed(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
  if (status) status = reader.end();
  if (!status) out.problem = status.error().context;
  return out;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

constexpr const char* kSitemap = R"(<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url>
    <loc>
      https://shop.test/a?x=1&amp;y=2
    </loc>
    <lastmod>2026-11-20</lastmod>
    <image:image><image:loc>https://shop.test/a.jpg</image:loc></image:image>
  </url>
  <url><loc><![CDATA[https://shop.test/b]]></loc></url>
  <url><loc></loc></url>
</urlset>
)";

}  // namespace

TEST_CASE("a sitemap is read whatever pieces it comes in, plain or gzip") {
  const std::string packed = gzip(kSitemap);
  for (const std::string& text : {std::string(kSitemap), packed})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::string::npos}) {
      CAPTURE(piece);
      const Read got = read(text, piece);
      CHECK(got.problem == "");
      CHECK(got.pages ==
            std::vector<std::string>{"https://shop.test/a?x=1&y=2", "https://shop.test/b"});
      CHECK(got.sitemaps.empty());
    }
}

TEST_CASE("an index lists sitemaps, with or without a prefix") {
  const Read got = read(
      "<sm:sitemapindex xmlns:sm='x'><sm:sitemap><sm:loc>/s1.xml</sm:loc></sm:sitemap>"
      "</sm:sitemapindex>");
  CHECK(got.problem == "");
  CHECK(got.sitemaps == std::vector<std::string>{"/s1.xml"});
  CHECK(got.pages.empty());
}

TEST_CASE("what is no sitemap is refused with the reason, and nothing grows without bound") {
  const std::string deep(100'000, '<');
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested += "<urlset>";
  const std::string bomb =
      "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><urlset><url><loc>&b;"
      "</loc></url></urlset>";
  const std::pair<std::string, std::string> cases[] = {
      {"", "no element found"},
      {"x", "line 1: syntax error"},
      {"<html><body/></html>", "neither a urlset nor a sitemapindex"},
      {"<urlset><url><loc>/a</loc></url>", "no element found"},
      {nested, "nested too deep"},
      {bomb, "DOCTYPE"},
      {"<urlset><url><loc>" + std::string(5000, 'x') + "</loc></url></urlset>", "too long"},
      {gzip(kSitemap).substr(0, 60), "gzip ends too early"},
      {std::string("\x1f\x8bnothing", 9), "gzip is broken"},
      {gzip("<urlset>" + std::string(SitemapReader::kMaxOctets, ' ')), "larger than 50 MiB"},
      {deep, "not well-formed"}};
  for (const auto& each : cases) {
    const std::string& expected = each.second;
    CAPTURE(expected);
    const Read got = read(each.first);
    CHECK_MESSAGE(got.problem.find(expected) != std::string::npos, got.problem);
    CHECK(got.pages.size() <= 1);
  }
}

TEST_CASE("a text lists a path or URL a line") {
  const auto got =
      read_manifest("\xEF\xBB\xBF# for the launch\n/a\r\n\n  https://shop.test/b  \n/c");
  REQUIRE(got.size() == 3);
  CHECK(got[0].url == "/a");
  CHECK(got[1].url == "https://shop.test/b");
  CHECK(got[2].url == "/c");
  CHECK(!got[0].is_playlist);
}

TEST_CASE("a multivariant playlist lists playlists, a media playlist segments") {
  const auto main = read_manifest(
      "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",X-OTHER-URI=\"no\",URI=\"audio/en.m3u8\"\n"
      "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=1280000\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\nhigh."
      "m3u8\n");
  REQUIRE(main.size() == 3);
  for (const auto& reference : main) CHECK(reference.is_playlist);
  CHECK(main[0].url == "audio/en.m3u8");
  CHECK(main[2].url == "high.m3u8");
  const auto media = read_manifest(
      "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4,\nseg1.m4s\n#EXTINF:4,\nseg2.m4s\n");
  REQUIRE(media.size() == 3);
  for (const auto& reference : media) CHECK(!reference.is_playlist);
  CHECK(media[0].url == "init.mp4");
  CHECK(media[2].url == "seg2.m4s");
}

TEST_CASE("references are resolved as RFC 3986 says, and only http and https are followed") {
  const Target base{"shop.test", "/live/main.m3u8?token=1"};
  const auto path = [&](std::string_view reference) {
    const auto target = resolve(base, reference);
    return target ? target->host + " " + target->path : std::string("none");
  };
  CHECK(path("low/1.ts") == "shop.test /live/low/1.ts");
  CHECK(path("../a?b=c#d") == "shop.test /a?b=c");
  CHECK(path("/x") == "shop.test /x");
  CHECK(path("//WWW.Shop.Test:8443/y") == "www.shop.test /y");
  CHECK(path("http://shop.test") == "shop.test /");
  CHECK(path("https://[2001:DB8::1]/z") == "2001:db8::1 /z");
  CHECK(path("/a b/\xC3\xA9") == "shop.test /a%20b/%c3%a9");
  CHECK(path("ftp://shop.test/x") == "none");
  CHECK(path("javascript:alert(1)") == "none");
  CHECK(path("data:text/plain,x") == "none");
  CHECK(path("") == "none");
  CHECK(path("/a\r\nHost: evil") == "none");
  CHECK(path("/" + std::string(5000, 'x')) == "none");
  CHECK(host_field("2001:db8::1") == "[2001:db8::1]");
  CHECK(host_field("shop.test") == "shop.test");
}
