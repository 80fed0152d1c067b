// SPDX-License-Identifier: MIT
// Names, headers and paths.
#include "schema/validate/syntax.h"

#include <algorithm>
#include <array>

#include "schema/base/cron.h"
#include "schema/base/semver.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// RFC 9110 section 5.6.2.
bool is_token_char(char c) {
  return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_visible(char c) { return c > 0x20 && c < 0x7F; }

bool all_of(std::string_view text, bool (*accepts)(char)) {
  return std::all_of(text.begin(), text.end(), accepts);
}

std::string check_resource_name(std::string& text) {
  bool good = !text.empty() && text.size() <= 128 && is_alnum(text[0]) &&
              all_of(text, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
  return good ? ""
              : "1 to 128 letters, digits, dots, hyphens and underscores, the first a letter or "
                "digit";
}

std::string check_token(std::string& text) {
  if (text.empty() || text.size() > 256) return "1 to 256 characters";
  return all_of(text, is_token_char) ? "" : "letters, digits and !#$%&'*+-.^_`|~";
}

std::string check_lower_token(std::string& text) {
  text = to_lower(text);
  return check_token(text);
}

std::string check_header_value(std::string& text) {
  if (text.size() > 8192) return "at most 8192 octets";
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) return "no space at its ends";
  return all_of(text,
                [](char c) {
                  auto octet = static_cast<unsigned char>(c);
                  return octet == '\t' || (octet >= 0x20 && octet != 0x7F);
                })
             ? ""
             : "no line breaks or other control characters";
}

std::string check_query_name(std::string& text) {
  if (text.empty() || text.size() > 128) return "1 to 128 characters";
  return all_of(text,
                [](char c) {
                  return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '&' &&
                         c != '=' && c != '#';
                })
             ? ""
             : "no spaces, &, = or #";
}

std::string check_language_tag(std::string& text) {
  constexpr const char* kExpected = "subtags of one to eight letters or digits: en, pt-BR";
  bool first = true;
  for (std::string_view rest = text;; first = false) {
    const std::size_t dash = rest.find('-');
    const std::string_view subtag = rest.substr(0, dash);
    if (subtag.empty() || subtag.size() > 8 || !all_of(subtag, is_alnum)) return kExpected;
    if (first && (subtag.size() < 2 || !all_of(subtag, [](char c) { return c > '9'; })))
      return kExpected;
    if (dash == std::string_view::npos) return "";
    rest.remove_prefix(dash + 1);
  }
}

std::string check_media_type(std::string& text) {
  const auto is_name = [](std::string_view name) {
    return !name.empty() && name.size() <= 127 && std::all_of(name.begin(), name.end(), [](char c) {
      return is_alnum(c) || std::string_view("!#$&^_.+-").find(c) != std::string_view::npos;
    });
  };
  const std::size_t slash = text.find('/');
  const std::string_view type = std::string_view(text).substr(0, slash);
  const std::string_view subtype =
      slash == std::string::npos ? std::string_view() : std::string_view(text).substr(slash + 1);
  if (!is_name(type) || (subtype != "*" && !is_name(subtype)))
    return "type and subtype without parameters: text/html, or text/*";
  text = to_lower(text);
  return "";
}

std::string check_method(std::string& text) {
  if (text.empty() || text.size() > 32) return "1 to 32 characters";
  return all_of(text, [](char c) { return is_token_char(c) && !(c >= 'a' && c <= 'z'); })
             ? ""
             : "methods are case-sensitive; write GET, HEAD, …";
}

std::string check_path_pattern(std::string& text) {
  if (text.empty() || text.size() > 255) return "1 to 255 characters";
  return all_of(text,
                [](char c) {
                  return is_alnum(c) ||
                         std::string_view("_-.*$/~\"'@:+&?").find(c) != std::string_view::npos;
                })
             ? ""
             : "letters, digits, _-.$/~\"'@:+& and the wildcards * and ?; the query string is not "
               "matched";
}

bool is_path(std::string_view text) {
  return text.starts_with('/') && all_of(text, [](char c) { return is_visible(c) && c != '#'; });
}

std::string check_origin_path(std::string& text) {
  if (text.empty()) return "";
  if (text.size() > 255) return "at most 255 characters";
  bool good = is_path(text) && text.back() != '/' && text.find('?') == std::string::npos;
  return good ? "" : "it starts with / and does not end with it, as in /live";
}

std::string check_root_object(std::string& text) {
  if (text.empty()) return "";
  if (text.size() > 255) return "at most 255 characters";
  bool good = text[0] != '/' && is_path("/" + text) && text.find('?') == std::string::npos;
  return good ? "" : "a name without a leading slash, as in index.html";
}

std::string check_page_path(std::string& text) {
  return is_path(text) && text.size() <= 4000 ? "" : "it starts with /, as in /errors/404.html";
}

/// CloudFront's limits of cache tags.
std::string check_cache_tag(std::string& text) {
  if (text.empty() || text.size() > 256) return "1 to 256 characters";
  if (!all_of(text, [](char c) { return is_visible(c) && c != ',' && c != '*'; }))
    return "visible ASCII without commas; tags have no wildcards";
  text = to_lower(text);
  return "";
}

std::string check_invalidation_path(std::string& text) {
  if (text.starts_with('#')) {
    std::string tag = text.substr(1);
    std::string expected = check_cache_tag(tag);
    text = "#" + tag;
    return expected.empty() ? "" : "a cache tag has " + expected;
  }
  if (text.empty() || text.size() > 4000) return "1 to 4000 characters";
  if (text[0] != '/') text.insert(text.begin(), '/');
  if (!all_of(text, [](char c) { return is_visible(c) && c != '#'; }))
    return "percent-encode spaces, # and other characters than ASCII";
  return "";
}

std::string check_commit(std::string& text) {
  text = to_lower(text);
  const bool good = text.size() >= 7 && text.size() <= 64 &&
                    text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return good ? "" : "at least 7 hexadecimal digits";
}

std::string check_commit_id(std::string& text) {
  const std::string expected = check_commit(text);
  return expected.empty() && text.size() == 40 ? "" : "the whole id, as git rev-parse prints it";
}

std::string check_file_pattern(std::string& text) {
  if (text.empty() || text.size() > 1024) return "1 to 1024 octets";
  if (text.front() == '/') return "paths begin at the root of the repository, without a slash";
  if (text.back() == '/') return "a folder's files are written " + text + "**";
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string part = text.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return "no empty parts, . or ..";
    if (part != "**" && part.find("**") != std::string::npos)
      return "** stands alone between slashes";
    at = end + 1;
  }
  if (text.find_first_of("[]{}\\!") != std::string::npos) return "only *, ? and ** are special";
  return "";
}

std::string check_signer_name(std::string& text) {
  const bool good =
      !text.empty() && text.size() <= 256 && text.front() != '-' &&
      std::all_of(text.begin(), text.end(), [](char c) {
        return c > ' ' && c < 0x7f && std::string_view("*?!,\"#").find(c) == std::string_view::npos;
      });
  return good ? "" : "a name such as alice@example.com, without blanks, commas and wildcards";
}

std::string check_cron(std::string& text) {
  const auto cron = Cron::parse(text);
  return cron ? "" : cron.error().context;
}

std::string check_invalidation_id(std::string& text) {
  const bool good = !text.empty() && text.size() <= 257 &&
                    all_of(text, [](char c) { return is_visible(c) || c == ' '; });
  return good ? "" : "1 to 257 characters of ASCII";
}

std::string check_url(std::string& text) {
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return "it is absolute: https://shop.example.com/path";
  }
  bool host = !rest.empty() && rest[0] != '/' && rest[0] != '?' && rest[0] != ':';
  if (!host) return "it has no host";
  return all_of(rest, [](char c) { return is_visible(c) && c != '#'; })
             ? ""
             : "percent-encode spaces, # and other characters than ASCII";
}

std::string check_semantic_range(std::string& text) {
  const auto range = SemanticRange::parse(text);
  return range ? "" : range.error().context;
}

std::string check_folder_path(std::string& text) {
  std::string path;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name == ".." || text.starts_with('/'))
      return "a folder of the repository, from its root, as in edge/eu";
    if (name.empty() || name == ".") continue;
    path += (path.empty() ? "" : "/") + std::string(name);
  }
  text = std::move(path);
  return "";
}

std::string check_overlay_name(std::string& text) {
  return text.empty() ? "" : check_resource_name(text);
}

std::string check_proxy(std::string& text) {
  // libcurl's socks5h leaves the name to the proxy to look up.
  for (const std::string_view scheme : {"http://", "https://", "socks5://", "socks5h://"})
    if (text.starts_with(scheme) && text.size() > scheme.size() && all_of(text, is_visible))
      return "";
  return "http://, https://, socks5:// or socks5h:// and HOST:PORT";
}

std::string check_image_version(std::string& text) {
  // It is a part of names of files, partitions and boot loader entries.
  const bool good = !text.empty() && text.size() <= 32 && text[0] >= '0' && text[0] <= '9' &&
                    all_of(text, [](char c) { return is_alnum(c) || c == '.' || c == '~'; });
  return good ? "" : "a digit, then letters, digits, dots and ~, 32 at most: \"0.2.0\"";
}

std::string check_authority(std::string& text) {
  text = to_lower(text);
  const bool good = !text.empty() && all_of(text, [](char c) {
    return is_visible(c) && std::string_view("/?#@").find(c) == std::string_view::npos;
  });
  return good ? "" : "the part of the URL before its path, as in git.example.com:8443";
}

std::string check_not_empty(std::string& text) { return text.empty() ? "it is empty" : ""; }

bool listed(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_hop_by_hop(std::string_view name) {
  return listed(
      name, {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
             "upgrade", "proxy-authenticate", "proxy-authorization"});
}

}  // namespace

const Format kResourceName{"a name", "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", check_resource_name};
const Format kHeaderName{"a header name", "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$", check_token};
const Format kLowerHeaderName{"a header name", "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$",
                              check_lower_token};
const Format kHeaderValue{"a header value", nullptr, check_header_value};
const Format kCookieName{"a cookie name", "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$", check_token};
const Format kQueryName{"a query string name", "^[^\\s&=#]{1,128}$", check_query_name};
const Format kLanguageTag{"a language tag", "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
                          check_language_tag};
const Format kMediaType{"a media type",
                        "^[A-Za-z0-9!#$&^_.+-]{1,127}/([A-Za-z0-9!#$&^_.+-]{1,127}|\\*)$",
                        check_media_type};
const Format kMethod{"a method", "^[A-Z0-9!#$%&'*+.^_`|~-]{1,32}$", check_method};
const Format kPathPattern{"a path pattern", "^[A-Za-z0-9_.*$/~\"'@:+&?-]{1,255}$",
                          check_path_pattern};
const Format kOriginPath{"an origin path", "^(/[^#?\\s]*[^/#?\\s])?$", check_origin_path};
const Format kRootObject{"a default root object", "^([^/#?\\s][^#?\\s]*)?$", check_root_object};
const Format kPagePath{"a path", "^/[^#\\s]*$", check_page_path};
const Format kInvalidationPath{"an invalidation path", "^[^\\s]+$", check_invalidation_path};
const Format kCacheTag{"a cache tag", "^[^\\s,*]{1,256}$", check_cache_tag};
const Format kCommit{"a commit", "^[0-9A-Fa-f]{7,64}$", check_commit};
const Format kCron{"a schedule", "^(@[a-z]+|\\S+(\\s+\\S+){4})$", check_cron};
const Format kSemanticRange{"a range of versions", "^.", check_semantic_range};
const Format kProxy{"a proxy", "^(https?|socks5h?)://[!-~]+$", check_proxy};
const Format kImageVersion{"a version", "^[0-9][0-9A-Za-z.~]{0,31}$", check_image_version};
const Format kAuthority{"a host", "^[^/?#@\\s]+$", check_authority};
const Format kFolderPath{"a folder", nullptr, check_folder_path};
const Format kOverlayName{"an overlay", "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$",
                          check_overlay_name};
const Format kInvalidationId{"an id", "^[ -~]{1,257}$", check_invalidation_id};
const Format kUrl{"a URL", "^https?://[^/?#\\s][^#\\s]*$", check_url};
const Format kNotEmpty{"a text", "^.", check_not_empty};
const Format kCommitId{"a commit id", "^[0-9A-Fa-f]{40}$", check_commit_id};
const Format kFilePattern{"a pattern of files", "^[^/].*$", check_file_pattern};
const Format kSignerName{"a signer", "^[!-~]{1,256}$", check_signer_name};

std::string forbidden_header(std::string_view name, HeaderUse use) {
  std::string lower = to_lower(name);
  if (is_hop_by_hop(lower)) return "it is about one connection (RFC 9110 section 7.6.1)";
  switch (use) {
    case HeaderUse::ToOrigin:
      if (lower == "host") return "use custom.hostHeader";
      if (listed(lower, {"content-length", "cache-control", "cookie", "expect", "if-match",
                         "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
                         "max-forwards", "pragma", "range", "via"}))
        return "the edge makes it for each request";
      return {};
    case HeaderUse::ToViewer:
      if (listed(lower,
                 {"content-length", "content-encoding", "content-range", "age", "date", "via",
                  "warning", "cache-status", "proxy-status", "headgate-generation", "x-cache"}))
        return "the edge makes it for each response";
      return {};
    case HeaderUse::Forwarded:
      if (lower == "cookie") return "use cookies:";
      if (listed(lower, {"content-length", "expect", "max-forwards", "via"}))
        return "the edge makes it for each request";
      return {};
  }
  return {};
}

bool is_country(std::string_view code) {
  // ISO 3166-1 alpha-2, officially assigned, and XK, which databases use for Kosovo.
  static constexpr std::string_view kCodes =
      " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
      "BR"
      " BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO "
      "DZ"
      " EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU "
      "GW"
      " GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW "
      "KY"
      " KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU "
      "MV"
      " MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
      "PY"
      " QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
      "TG"
      " TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT "
      "ZA"
      " ZM ZW ";
  return code.size() == 2 &&
         kCodes.find(std::string(" ").append(code).append(" ")) != std::string_view::npos;
}

}  // namespace headgate::schema
