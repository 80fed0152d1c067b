// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/snapshot/distribution.h"
#include "appliance/snapshot/router.h"

using headgate::snapshot::Distribution;
using headgate::snapshot::PathPattern;
using headgate::snapshot::Router;

TEST_CASE(
    "an exact alias goes before a wildcard, the longer wildcard before the shorter, '*' last") {
  Distribution exact, wide, narrow, rest;
  Router router;
  router.add("www.example.com", &exact);
  router.add("*.example.com", &wide);
  router.add("*.shop.example.com", &narrow);
  router.add("192.0.2.1", &exact);
  router.add("*", &rest);
  CHECK(router.find("www.example.com") == &exact);
  CHECK(router.find("192.0.2.1") == &exact);
  CHECK(router.find("img.example.com") == &wide);
  CHECK(router.find("a.shop.example.com") == &narrow);
  CHECK(router.find("a.b.shop.example.com") == &narrow);
  CHECK(router.find("example.com") == &rest);  // a wildcard stands for at least one label
  CHECK(router.find("") == &rest);
}

TEST_CASE("without '*' an unclaimed host finds nothing") {
  Distribution only;
  Router router;
  router.add("*.example.com", &only);
  CHECK(router.find("example.org") == nullptr);
  CHECK(router.find(".example.com") == nullptr);
  CHECK(router.find("notexample.com") == nullptr);
}

TEST_CASE("path patterns match as CloudFront's documentation says") {
  const auto matches = [](const char* pattern, const char* path) {
    return PathPattern(pattern).matches(path);
  };
  CHECK(matches("images/*.jpg", "/images/sample.jpg"));  // the leading '/' is optional
  CHECK(matches("/images/*.jpg", "/images/deep/er.jpg"));
  CHECK_FALSE(matches("images/*.jpg", "/images/sample.JPG"));  // case-sensitive
  CHECK(matches("a??.jpg", "/ant.jpg"));
  CHECK_FALSE(matches("a??.jpg", "/ants.jpg"));
  CHECK(matches("*.doc*", "/x.docx"));
  CHECK(matches("*", "/"));
  CHECK(matches("*", ""));
  CHECK(matches("/api/*", "/api/"));
  CHECK_FALSE(matches("/api/*", "/api"));
  CHECK(matches("*a*b*c", "/xxaxxbxxabc"));
  CHECK_FALSE(matches("*a*b*c", "/xxaxxbxxab"));
  CHECK(matches("/exact", "/exact"));
  CHECK_FALSE(matches("/exact", "/exactly"));
}
