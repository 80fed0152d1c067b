// SPDX-License-Identifier: MIT
// A web ACL: ordered rules, what they look at and what they do, after defaults have been filled in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/secret.h"

namespace headgate::schema {

/// What a statement looks at.
enum class WafField {
  Method,
  Path,      ///< decoded once and normalised, as the router and the cache key see it
  Uri,       ///< path and query as sent
  Query,     ///< as sent, without '?'
  Fragment,  ///< after a '#' in the request target, which well-behaved clients never send
  Arg,       ///< one argument of the query string, decoded once
  Args,      ///< all of them
  Header,
  Headers,
  HeaderOrder,  ///< names in lower case in the order sent, joined by ':'
  Cookie,
  Cookies,
  Body,  ///< as sent
  Form,  ///< fields of application/x-www-form-urlencoded and multipart/form-data
  Json,  ///< members of a JSON body
  Ja3,
  Ja4,
};

/// AWS WAF's text transformations; done in the order written.
enum class WafTransform {
  Base64Decode,
  Base64DecodeExt,
  CmdLine,
  CompressWhitespace,
  CssDecode,
  EscapeSeqDecode,
  HexDecode,
  HtmlEntityDecode,
  JsDecode,
  Lowercase,
  Md5,
  NormalizePath,
  NormalizePathWin,
  RemoveNulls,
  RemoveWhitespace,
  ReplaceComments,
  ReplaceNulls,
  Sha1,
  SqlHexDecode,
  Uppercase,
  UrlDecode,
  UrlDecodeUni,
  Utf8ToUnicode,
};

enum class WafMatcher { Exact, Prefix, Suffix, Contains, Word, Regex, Size, Sqli, Xss };

/// What happens when a body is longer than `body.inspect`.
enum class WafOversize {
  Continue,  ///< its beginning is inspected
  Match,     ///< the statement matches
  NoMatch,   ///< the statement does not match
};

/// Which part of a name and its value is looked at.
enum class WafPart { All, Names, Values };

/// Of a JSON body that is none.
enum class WafInvalidJson { EvaluateAsString, Match, NoMatch };

/// Of a fingerprint that the connection does not have.
enum class WafFallback { Match, NoMatch };

struct WafSize {
  enum class Comparison { Eq, Ne, Lt, Le, Gt, Ge };
  Comparison comparison = Comparison::Gt;
  std::uint64_t octets = 0;
};

/// A field, transformed, against a matcher.
struct WafFieldMatch {
  WafField field = WafField::Path;
  std::string name;  ///< of Arg, Header, Cookie; headers in lower case
  WafPart part = WafPart::All;
  std::vector<std::string> only;      ///< names; empty: all of them
  std::vector<std::string> except;    ///< names
  std::vector<std::string> pointers;  ///< RFC 6901, of Json; empty: all of it
  WafInvalidJson invalid = WafInvalidJson::EvaluateAsString;
  WafFallback fallback = WafFallback::NoMatch;
  WafMatcher matcher = WafMatcher::Exact;
  std::vector<std::string> texts;  ///< any of them; of Exact to Regex
  WafSize size;
  std::vector<WafTransform> transform;
  std::optional<WafOversize> oversize;  ///< instead of the ACL's
};

struct WafForwardedIp {
  enum class Position { First, Last, Any };
  std::vector<std::string> sets;
  std::string header = "x-forwarded-for";
  Position position = Position::First;
  WafFallback fallback = WafFallback::NoMatch;  ///< when the header has no address
};

/// libinjection over several fields at once.
struct WafInjection {
  std::vector<std::string> fields;  ///< "query", "args", "arg:q", "header:referer", "body", …
  std::vector<WafTransform> transform;
};

struct WafStatement {
  enum class Kind { All, Any, Not, Ip, ForwardedIp, Geo, Asn, Label, Field, Sqli, Xss };
  Kind kind = Kind::All;
  std::vector<WafStatement> operands;  ///< of All, Any and Not (one)
  std::vector<std::string> ip;         ///< names of sets, or networks
  WafForwardedIp forwarded_ip;
  std::vector<std::string> geo;    ///< ISO 3166-1 alpha-2
  std::vector<std::uint32_t> asn;  ///< numbers of autonomous systems
  std::string label;               ///< one label, or a namespace that ends in ':'
  WafFieldMatch match;
  WafInjection injection;  ///< of Sqli and Xss
};

using WafHeaders = std::vector<std::pair<std::string, std::string>>;

struct WafAction {
  enum class Kind { Allow, Block, Count, Challenge };
  Kind kind = Kind::Count;
  // Block:
  std::optional<int> status;  ///< absent: 403, or 429 of a rate rule
  std::string body;
  std::string body_type;
  WafHeaders headers;  ///< of the answer; of Allow and Count: of the request to the origin
  // Challenge:
  std::string challenge = "pow";
  int bits = 18;  ///< leading zero bits of SHA-256 that the client has to find
  Duration immunity = std::chrono::seconds(300);
};

/// At most `limit` requests of one key within any `window`.
struct WafRate {
  std::uint32_t limit = 0;
  Duration window = std::chrono::seconds(300);
  std::vector<std::string> key = {"ip"};  ///< "ip", "header:x-api-key", "cookie:sid", "path", …
  int ipv6_prefix = 64;                   ///< IPv6 addresses that agree so far are one client
  std::optional<WafStatement> when;       ///< which requests count
};

struct WafManaged {
  std::string group;
  int paranoia = 1;
  int inbound_threshold = 5;
  int outbound_threshold = 4;
  std::map<std::string, std::string> setup;  ///< the CRS's own tx variables
};

/// What a rule of a managed group does instead.
enum class WafOverride { Count, Off };

struct WafExclusion {
  std::string rule;    ///< an id, a range of ids "942100-942199", or "tag:…"
  std::string target;  ///< "arg:q"; empty: the whole rule
  std::optional<WafFieldMatch> path;
};

struct WafRule {
  std::string name;
  std::optional<WafStatement> when;  ///< absent: every request
  std::optional<WafRate> rate;
  std::optional<WafManaged> managed;
  std::map<std::string, std::string> overrides;  ///< YAML: override; id → count or off
  std::vector<WafExclusion> exclude;
  std::vector<std::string> labels;
  std::optional<WafAction> action;  ///< present except with managed
  int line = 0;                     ///< where it stands
};

struct WafIpSet {
  std::string name;
  std::vector<std::string> networks;  ///< CIDR, canonical
  std::string file;                   ///< of the repository; empty: written in the ACL
};

/// Networks written in the ACL, or those of a file of the repository.
struct WafNetworks {
  std::vector<std::string> networks;  ///< CIDR, canonical
  std::string file;                   ///< empty: written in the ACL
};

/// A crawler that says in User-Agent who it is, and how to tell whether it is.
struct WafBot {
  std::string name;
  std::vector<std::string> user_agent;  ///< any of them within User-Agent, whatever the case
  std::vector<WafNetworks> ranges;      ///< where it comes from
  std::vector<std::string> domains;     ///< or of which its address has a name, and the name it
};

/// `kind: WebACL`.
struct WebAcl {
  std::string name;
  std::string comment;
  std::vector<WafIpSet> ip_sets;
  std::vector<WafBot> bots;
  std::uint64_t inspect = 16 << 10;  ///< octets of a body, YAML: body.inspect
  WafOversize oversize = WafOversize::Continue;
  std::uint64_t response = 512 << 10;  ///< octets of a response's body, YAML: body.response
  WafOversize response_oversize = WafOversize::Continue;  ///< YAML: body.responseOversize
  WafAction default_action;                               ///< Allow or Block
  std::optional<Secret> challenge_secret;
  std::vector<WafRule> rules;
  std::string file;  ///< where it stands, for diagnostics of compiling
  WebAcl() { default_action.kind = WafAction::Kind::Allow; }
};

}  // namespace headgate::schema
