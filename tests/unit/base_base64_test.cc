// SPDX-License-Identifier: MIT
// Base64: what is read, and what is none.
#include <doctest/doctest.h>

#include "appliance/base/base64.h"

namespace {

using headgate::base::decode_base64;

TEST_CASE("base64 is read to the letter") {
  CHECK(decode_base64("") == "");
  CHECK(decode_base64("aGVhZGdhdGU=") == "headgate");
  CHECK(decode_base64("aGVhZA==") == "head");
  for (const char* bad : {"a", "ab", "abc", "ab=c", "=abc", "a===", "====", "ab c",
                          "ab\n=", "aGVhZB==", "aGVhZGdhdGV=", "YWJj-_==", "aGVhZA==aGVhZA=="})
    CHECK_MESSAGE(!decode_base64(bad), bad);
}

}  // namespace
