// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "appliance/origin/reference.h"

namespace headgate::origin {
namespace {

const std::string kBase = "https://shop.test:8443/a/b?x=1";

TEST_CASE("a reference is resolved against the URI that was requested") {
  CHECK(target_within(kBase, "c") == "/a/c");
  CHECK(target_within(kBase, "/c?y=2") == "/c?y=2");
  CHECK(target_within(kBase, "../c") == "/c");
  CHECK(target_within(kBase, "?z=3") == "/a/b?z=3");
  CHECK(target_within(kBase, "//shop.test:8443/d") == "/d");
  CHECK(target_within(kBase, "https://shop.test:8443/e#part") == "/e");
  CHECK(target_within("http://shop.test/", "http://shop.test:80/f") == "/f");
}

TEST_CASE("what is of another origin, or malformed, means nothing") {
  for (const char* reference :
       {"http://shop.test:8443/c", "https://other.test:8443/c", "https://shop.test/c",
        "https://shop.test:99999/c", "https://[shop/c"}) {
    CAPTURE(reference);
    CHECK_FALSE(target_within(kBase, reference));
  }
  CHECK_FALSE(target_within("not a URI", "c"));
}

}  // namespace
}  // namespace headgate::origin
