// SPDX-License-Identifier: MIT
// Where a repository is: what is understood, and what is never shown.
#include <doctest/doctest.h>

#include "reconciler/source/remote/location.h"

using namespace headgate;
using namespace headgate::reconciler;
using Transport = Location::Transport;

namespace {

Location parse(const std::string& text) {
  auto location = parse_location(text);
  REQUIRE_MESSAGE(location.has_value(), text);
  return *location;
}

}  // namespace

TEST_CASE("a source is a path, a URL, or what scp takes") {
  CHECK(parse("/srv/nowhere/site").url == "/srv/nowhere/site");
  CHECK(parse(".").url.starts_with("/"));
  CHECK(parse("site.git").transport == Transport::Local);
  CHECK(parse("file:///srv/no%20where").url == "/srv/no where");
  CHECK(parse("https://git.example.com/edge.git").transport == Transport::Https);
  CHECK(parse("HTTPS://git.example.com/edge.git").url == "https://git.example.com/edge.git");
  CHECK(parse("ssh://git@host:2222/edge.git").url == "ssh://git@host:2222/edge.git");
  CHECK(parse("git@host:edge.git").transport == Transport::Ssh);
  CHECK(parse("./with:colon@x").transport == Transport::Local);
  CHECK(parse("http://host/x").unauthenticated());
  CHECK_FALSE(parse("https://host/x").unauthenticated());
}

TEST_CASE("what is no source is refused with what would be one") {
  for (const char* text : {"", "ext::sh -c id", "ftp://host/x", "https:///path", "file://host/x",
                           "https://-oProxyCommand=id/x"}) {
    INFO(text);
    const auto location = parse_location(text);
    if (std::string(text).starts_with("ext::")) {
      CHECK(location->transport == Transport::Local);  // a path that is not there, never a helper
      CHECK(location->url.starts_with("/"));
    } else {
      CHECK_FALSE(location.has_value());
    }
  }
}

TEST_CASE("credentials of a URL are kept apart and never shown") {
  const Location location = parse("https://robot:s%40cret@git.example.com/edge.git?token=abc");
  CHECK(location.url == "https://git.example.com/edge.git?token=abc");
  CHECK(location.shown == "https://git.example.com/edge.git");
  CHECK(location.authority == "git.example.com");
  CHECK(location.user == "robot");
  CHECK(location.password == "s@cret");
  const std::string message = redact(secrets_of(location), "fatal: robot:s%40cret s@cret \x1b[2J");
  CHECK(message == "fatal: [redacted] [redacted] \\x1b[2J");
}

TEST_CASE("a token in the place of the user is a credential, the user of ssh is not") {
  const Location token = parse("https://ghp_token@github.com/a/b");
  CHECK(token.shown == "https://github.com/a/b");
  CHECK(redact(secrets_of(token), "ghp_token") == "[redacted]");
  CHECK(parse("ssh://git@host/x").shown == "ssh://git@host/x");
  CHECK(parse("ssh://git:pass@host/x").shown == "ssh://git@host/x");
}
