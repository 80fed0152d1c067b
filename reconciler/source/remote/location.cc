// SPDX-License-Identifier: MIT
// Where a configuration repository is, and what of that may be shown.
#include "reconciler/source/remote/location.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <optional>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string absolute_path(std::string_view text) {
  const std::string path(text);
  if (char* resolved = ::realpath(path.c_str(), nullptr)) {
    std::string result(resolved);
    std::free(resolved);
    return result;
  }
  if (path.starts_with('/')) return path;
  // It may come to be later: relative to where we are now.
  char* here = ::realpath(".", nullptr);
  std::string result = here != nullptr ? std::string(here) + "/" + path : path;
  std::free(here);
  return result;
}

Location local(std::string_view path) {
  Location location;
  location.url = absolute_path(path);
  location.shown = schema::escape_control(location.url);
  return location;
}

std::optional<Location::Transport> transport_of(std::string_view scheme) {
  using Transport = Location::Transport;
  if (scheme == "https") return Transport::Https;
  if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git") return Transport::Ssh;
  if (scheme == "http") return Transport::Http;
  if (scheme == "git") return Transport::Git;
  return std::nullopt;
}

/// `user@host:path`, as scp and git write it: a colon before any slash.
bool is_scp_like(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::size_t slash = text.find('/');
  const std::size_t at = text.find('@');
  return colon != std::string_view::npos && at != std::string_view::npos && at < colon &&
         (slash == std::string_view::npos || colon < slash) && !text.starts_with('-');
}

Result<Location> parse_url(Location::Transport transport, std::string_view scheme,
                           std::string_view rest) {
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  const std::string_view path = rest.substr(slash);
  Location location;
  location.transport = transport;
  std::string user;
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = std::min(info.find(':'), info.size());
    user = info.substr(0, colon);
    location.password = percent_decode(info.substr(std::min(colon + 1, info.size())));
    if (transport != Location::Transport::Ssh || !location.password.empty())
      location.user_info = info;
    if (location.is_http()) location.user = percent_decode(user);
  }
  if (authority.empty() || authority.starts_with('-'))
    return fail(Blame::Config, "source URL names no host");
  location.authority = schema::to_lower(authority);
  const bool named = transport == Location::Transport::Ssh && !user.empty();
  const std::string host = (named ? user + "@" : std::string()) + std::string(authority);
  location.url = std::string(scheme) + "://" + host + std::string(path);
  location.shown = std::string(scheme) + "://" + host +
                   std::string(path.substr(0, std::min(path.find_first_of("?#"), path.size())));
  location.shown = schema::escape_control(location.shown);
  return location;
}

void replace_all(std::string& text, const std::string& what, std::string_view with) {
  if (what.empty()) return;
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

}  // namespace

Result<Location> parse_location(std::string_view text) {
  if (text.empty())
    return fail(Blame::Config, "no source: give a path, https:// or ssh:// with --source");
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) {
    if (!is_scp_like(text)) return local(text);
    Location location;
    location.transport = Location::Transport::Ssh;
    location.url = text;
    location.shown = schema::escape_control(text);
    return location;
  }
  std::string scheme(text.substr(0, separator));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view rest = text.substr(separator + 3);
  if (scheme == "file") {
    if (!rest.starts_with('/'))
      return fail(Blame::Config, "source {}: file:// takes an absolute path",
                  schema::in_quotes(text));
    return local(percent_decode(rest));
  }
  const auto transport = transport_of(scheme);
  if (!transport)
    return fail(Blame::Config, "source has the scheme {}: give a path, file://, https:// or ssh://",
                schema::in_quotes(scheme));
  return parse_url(*transport, scheme, rest);
}

std::vector<std::string> secrets_of(const Location& location) {
  // A user without a password is a token.
  return {location.user_info, location.password.empty() ? location.user : location.password};
}

std::string redact(const std::vector<std::string>& secrets, std::string_view text) {
  std::string result(text);
  for (const std::string& secret : secrets) replace_all(result, secret, "[redacted]");
  return schema::escape_control(result);
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (!escape) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

}  // namespace headgate::reconciler
