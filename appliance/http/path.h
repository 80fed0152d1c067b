// SPDX-License-Identifier: MIT
// The one form of a path: what routing, guards, the cache key, purges and origins see.
#pragma once

#include <memory_resource>
#include <string>
#include <string_view>

namespace headgate::http {

struct CanonicalPath {
  std::string_view path;     ///< the argument itself, or text in the memory resource
  std::string_view refusal;  ///< empty; else what is wrong with it, and `path` means nothing
};

/// Two paths that mean the same become the same octets, so that nobody behind can read another path
/// out of them than the one that was decided about:
/// ```
/// /%7Euser/%41   /~user/A      an escaped letter, digit, - . _ ~ is itself
/// /a%2fb%3f      /a%2Fb%3F     other escapes stay, in capitals: %2F separates nothing
/// /a|b\xE9       /a%7Cb%E9     what no path may hold is escaped, UTF-8 or not
/// /a/./b/../c    /a/c          dot segments go; above the root there is nothing
/// /a//b          /a//b         an empty segment is a segment: a name in S3, say
/// /100%, /%zz    refused       an escape that is none: some take it literally, some do not
/// NUL, %00, #    refused       and raw control characters
/// /a/..%2fb      refused       dot segments for those who also separate by %2F, \ or %5C
/// /a/..;x/b      refused       and for those who cut parameters off
/// ```
/// `path` begins with '/' and is without the query; '?' is left alone. The result begins with '/',
/// and its canonical form is itself. Allocates only when something changes.
/// Errors: `refusal`.
/// RFC: 3986 sections 2.3, 5.2.4, 6.2.2
CanonicalPath canonical_path(std::string_view path, std::pmr::memory_resource& memory);

/// A canonical path with its escapes undone, once: "/a%2Fb%20c" is "/a/b c". What rules look at,
/// not what anything is found by. Allocates only when something changes.
std::string_view decode_path(std::string_view canonical, std::pmr::memory_resource& memory);

/// For what a configuration names, which is not refused when no request can ask for it: a path
/// with or without a query, its path in canonical form; as it is when that has none.
std::string canonical_target(std::string_view target);

}  // namespace headgate::http
