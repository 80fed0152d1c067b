// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "appliance/base/hash.h"

using headgate::base::crc32c;
using headgate::base::hash128;

TEST_CASE("crc32c gives the values of RFC 3720 appendix B.4") {
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  const std::string descending(ascending.rbegin(), ascending.rend());
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43u);
  CHECK(crc32c(ascending) == 0x46DD794Eu);
  CHECK(crc32c(descending) == 0x113FDB5Cu);
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c("") == 0u);
}

TEST_CASE("crc32c goes on from an earlier value") {
  CHECK(crc32c("56789", crc32c("1234")) == crc32c("123456789"));
}

TEST_CASE("hash128 is the same for the same octets within a process, and differs for others") {
  CHECK(hash128("shop/index.html") == hash128(std::string("shop/index.html")));
  CHECK_FALSE(hash128("shop/index.html") == hash128("shop/index.htm"));
  CHECK_FALSE(hash128("") == hash128(std::string_view("\0", 1)));
  CHECK(hash128("a").low != hash128("a").high);
}
