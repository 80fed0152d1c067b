// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory_resource>
#include <string>

#include "appliance/http/path.h"

using namespace headgate::http;

namespace {

std::string canonical(std::string_view path) {
  std::pmr::monotonic_buffer_resource memory;
  const auto found = canonical_path(path, memory);
  return found.refusal.empty() ? std::string(found.path) : "refused: " + std::string(found.refusal);
}

bool refused(std::string_view path) { return canonical(path).starts_with("refused"); }

}  // namespace

TEST_CASE("a canonical path is decoded once") {
  std::pmr::monotonic_buffer_resource memory;
  CHECK(decode_path("/a%2Fb%20c%25%32%35", memory) == "/a/b c%25");
  const std::string_view plain = "/plain";
  CHECK(decode_path(plain, memory).data() == plain.data());
}

TEST_CASE("a path that is canonical is itself, without a copy") {
  for (const std::string_view path : {"/", "/a/b.html", "/a.b/..c/.d", "/a;b=c,d/@:!$&'()*+",
                                      "/a//b//", "/a~-_b", "/...", "/..."}) {
    CAPTURE(path);
    std::pmr::monotonic_buffer_resource memory;
    CHECK(canonical_path(path, memory).path == path);
    CHECK(canonical_path(path, memory).refusal.empty());
  }
  const std::string_view path = "/a/b.html";
  CHECK(canonical_path(path, *std::pmr::null_memory_resource()).path.data() == path.data());
}

TEST_CASE("escaped letters, digits, - . _ ~ are themselves, other escapes are in capitals") {
  CHECK(canonical("/%7Euser/%41%2d%5f%2E%39") == "/~user/A-_.9");
  CHECK(canonical("/a%2fb%3fc%23d%3d") == "/a%2Fb%3Fc%23d%3D");
  CHECK(canonical("/%2525") == "/%2525");
  CHECK(canonical("/%252e%252e/a") == "/%252e%252e/a");  // one layer is taken off, never two
  CHECK(canonical("/%0a%0D%7f") == "/%0A%0D%7F");
}

TEST_CASE("what no path may hold is escaped, whether it is UTF-8 or not") {
  CHECK(canonical("/a b\"<>^`{|}\\") == "/a%20b%22%3C%3E%5E%60%7B%7C%7D%5C");
  CHECK(canonical("/caf\xc3\xa9") == "/caf%C3%A9");
  CHECK(canonical("/caf\xe9") == "/caf%E9");
  CHECK(canonical("/%c0%ae%c0%ae/%ff") == "/%C0%AE%C0%AE/%FF");  // an overlong dot is no dot
}

TEST_CASE("dot segments go, as RFC 3986 section 5.2.4 has it") {
  CHECK(canonical("/a/./b/../c") == "/a/c");
  CHECK(canonical("/a/b/c/./../../g") == "/a/g");
  CHECK(canonical("/mid/content=5/../6") == "/mid/6");
  CHECK(canonical("/a/%2e%2E/b") == "/b");
  CHECK(canonical("/a/.%2e/b") == "/b");
  CHECK(canonical("/../../etc/passwd") == "/etc/passwd");
  CHECK(canonical("/a/..") == "/");
  CHECK(canonical("/a/b/..") == "/a/");
  CHECK(canonical("/a/.") == "/a/");
  CHECK(canonical("/..") == "/");
  CHECK(canonical("/.") == "/");
  CHECK(canonical("/a//../b") == "/a/b");  // an empty segment is a segment
  CHECK(canonical("//..//a") == "//a");
}

TEST_CASE("what servers disagree about is refused") {
  CHECK(canonical("/100%") == "refused: a % that is not followed by two hexadecimal digits");
  CHECK(refused("/%"));
  CHECK(refused("/%4"));
  CHECK(refused("/%zz"));
  CHECK(refused("/%4/a"));
  CHECK(refused("/%u0041"));
  CHECK(refused("/a%00"));
  CHECK(refused(std::string_view("/a\0b", 4)));
  CHECK(refused("/a\x01"));
  CHECK(refused("/a\x7f"));
  CHECK(refused("/a\tb"));
  CHECK(canonical("/a#b") == "refused: a fragment (#)");
}

TEST_CASE("dot segments that only some servers see are refused") {
  for (const char* path :
       {"/public/..%2fadmin", "/a/%2e%2e%2Fb", "/a/b%2f..", "/a/x%2f..%2fy", "/a\\..\\b",
        "/a/..%5cb", "/a/%5c..", "/a/..;/b", "/a/..;x=1", "/.;/admin", "/a/%2e%2e;/b"}) {
    CAPTURE(path);
    CHECK(canonical(path) == "refused: a dot segment behind %2F, %5C, \\ or before ;");
  }
  for (const char* path : {"/a/..b%2fc", "/v1..v2", "/a/...;x", "/a%2fb.c", "/a/x%2F.%2Fy"}) {
    CAPTURE(path);
    CHECK_FALSE(refused(path));
  }
}

TEST_CASE("the path of a target is canonical, its query and what is no path stay") {
  CHECK(canonical_target("/%7ea/../b?c=%7e/../%zz") == "/b?c=%7e/../%zz");
  CHECK(canonical_target("/caf%c3%a9/*") == "/caf%C3%A9/*");
  CHECK(canonical_target("/a%2*") == "/a%2*");
  CHECK(canonical_target("*") == "*");
  CHECK(canonical_target("") == "");
}
