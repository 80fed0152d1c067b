// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/compress/eligibility.h"

using headgate::compress::eligible;
using headgate::compress::is_encoded;
using headgate::compress::TypeSet;
using headgate::http::Field;

namespace {

using List = std::vector<Field>;

const List kHtml = {{"content-type", "text/html; charset=utf-8"}};

bool eligible_with(std::string_view name, std::string_view value) {
  List fields = kHtml;
  fields.push_back({name, value});
  return eligible(200, fields, 5000, TypeSet::cloudfront());
}

}  // namespace

TEST_CASE("CloudFront's 46 types are compressed, whatever their parameters and letter case") {
  const TypeSet& types = TypeSet::cloudfront();
  std::size_t count = 0;
  for (const char* type : {"application/dash+xml",
                           "application/eot",
                           "application/font",
                           "application/font-sfnt",
                           "application/javascript",
                           "application/json",
                           "application/opentype",
                           "application/otf",
                           "application/pkcs7-mime",
                           "application/protobuf",
                           "application/rss+xml",
                           "application/truetype",
                           "application/ttf",
                           "application/vnd.apple.mpegurl",
                           "application/vnd.mapbox-vector-tile",
                           "application/vnd.ms-fontobject",
                           "application/xhtml+xml",
                           "application/xml",
                           "application/x-font-opentype",
                           "application/x-font-truetype",
                           "application/x-font-ttf",
                           "application/x-httpd-cgi",
                           "application/x-javascript",
                           "application/x-mpegurl",
                           "application/x-opentype",
                           "application/x-otf",
                           "application/x-perl",
                           "application/x-ttf",
                           "font/eot",
                           "font/opentype",
                           "font/otf",
                           "font/ttf",
                           "image/svg+xml",
                           "text/css",
                           "text/csv",
                           "text/html",
                           "text/javascript",
                           "text/js",
                           "text/plain",
                           "text/richtext",
                           "text/tab-separated-values",
                           "text/xml",
                           "text/x-component",
                           "text/x-java-source",
                           "text/x-script",
                           "vnd.apple.mpegurl"}) {
    CHECK_MESSAGE(types.contains(type), type);
    ++count;
  }
  CHECK(count == 46);
  CHECK(types.contains("Text/HTML ;charset=utf-8"));
  for (const char* type : {"image/png", "application/wasm", "application/octet-stream", "text/*",
                           "text/markdown", "font/woff2", "", "text", "html"})
    CHECK_FALSE_MESSAGE(types.contains(type), type);
  CHECK_FALSE(types.contains(std::string(1000, 'x')));
}

TEST_CASE("a list of one's own replaces those types; a family has every subtype") {
  const TypeSet types({"application/wasm", "Image/*"});
  CHECK(types.contains("application/wasm"));
  CHECK(types.contains("image/x-anything"));
  CHECK_FALSE(types.contains("text/html"));
  CHECK_FALSE(types.contains("image"));
  CHECK_FALSE(types.contains("imagery/png"));
}

TEST_CASE("status and length decide, at their very ends") {
  const auto& types = TypeSet::cloudfront();
  for (const int status : {200, 403, 404}) CHECK(eligible(status, kHtml, 5000, types));
  for (const int status : {201, 203, 204, 206, 301, 304, 400, 410, 500, 503})
    CHECK_FALSE_MESSAGE(eligible(status, kHtml, 5000, types), status);
  CHECK_FALSE(eligible(200, kHtml, 999, types));
  CHECK(eligible(200, kHtml, 1'000, types));
  CHECK(eligible(200, kHtml, 10'000'000, types));
  CHECK_FALSE(eligible(200, kHtml, 10'000'001, types));
  CHECK_FALSE(eligible(200, kHtml, std::nullopt, types));
  CHECK_FALSE(eligible(200, {}, 5000, types));
}

TEST_CASE("what is encoded already, or must not be transformed, stays as it is") {
  CHECK_FALSE(eligible_with("content-encoding", "gzip"));
  CHECK_FALSE(eligible_with("content-encoding", "aws-chunked"));
  CHECK(eligible_with("content-encoding", "identity"));
  CHECK_FALSE(eligible_with("cache-control", "no-transform"));
  CHECK_FALSE(eligible_with("cache-control", "max-age=60, No-Transform"));
  CHECK_FALSE(eligible_with("cache-control", "no-transform=1"));
  CHECK(eligible_with("cache-control", "max-age=60, x=\"a, no-transform\""));
  CHECK_FALSE(is_encoded(kHtml));
}
