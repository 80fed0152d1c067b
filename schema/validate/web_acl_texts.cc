// SPDX-License-Identifier: MIT
// Forms of a web ACL's texts: labels, targets, rate keys, regular expressions; and matchers that
// can never match.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "schema/text.h"
#include "schema/validate/syntax.h"
#include "schema/validate/web_acl.h"

namespace headgate::schema {
namespace {

bool is_word_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-' || c == '.';
}

bool is_label(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  bool in_part = false;
  for (const char c : text) {
    if (c == ':' ? !in_part : !is_word_char(c)) return false;
    in_part = c != ':';
  }
  return in_part;
}

constexpr const char* kLabelForm =
    "parts of letters, digits, dots, hyphens and underscores, joined by colons: admin:outsider";

std::string check_label(std::string& text) { return is_label(text) ? "" : kLabelForm; }

std::string check_label_match(std::string& text) {
  std::string_view name = text;
  if (name.ends_with(':')) name.remove_suffix(1);
  return is_label(name) ? "" : kLabelForm;
}

/// "kind:NAME" with the form of NAME; null: no name.
struct Prefixed {
  std::string_view kind;
  const Format* name;
  bool name_required;
};

template <std::size_t N>
std::string check_prefixed(std::string& text, const std::array<Prefixed, N>& known,
                           const char* expected) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = std::string_view(text).substr(0, colon);
  for (const Prefixed& each : known) {
    if (each.kind != kind) continue;
    if (colon == std::string::npos) return each.name_required ? expected : "";
    if (each.name == nullptr) return expected;
    std::string name = text.substr(colon + 1);
    std::string wrong = each.name->check(name);
    if (!wrong.empty()) return wrong;
    text = fmt::format("{}:{}", kind, name);
    return "";
  }
  return expected;
}

std::string check_target(std::string& text) {
  static const std::array<Prefixed, 13> kKnown{{{"uri", nullptr, false},
                                                {"path", nullptr, false},
                                                {"query", nullptr, false},
                                                {"args", nullptr, false},
                                                {"arg", &kQueryName, true},
                                                {"headers", nullptr, false},
                                                {"header", &kLowerHeaderName, true},
                                                {"cookies", nullptr, false},
                                                {"cookie", &kCookieName, true},
                                                {"body", nullptr, false},
                                                {"form", nullptr, false},
                                                {"json", nullptr, false},
                                                {"fragment", nullptr, false}}};
  return check_prefixed(text, kKnown,
                        "uri, path, query, args, arg:NAME, headers, header:NAME, cookies, "
                        "cookie:NAME, body, form or json");
}

std::string check_rate_key(std::string& text) {
  static const std::array<Prefixed, 12> kKnown{{{"ip", nullptr, false},
                                                {"forwarded_ip", &kLowerHeaderName, false},
                                                {"header", &kLowerHeaderName, true},
                                                {"cookie", &kCookieName, true},
                                                {"arg", &kQueryName, true},
                                                {"path", nullptr, false},
                                                {"method", nullptr, false},
                                                {"country", nullptr, false},
                                                {"asn", nullptr, false},
                                                {"ja3", nullptr, false},
                                                {"ja4", nullptr, false},
                                                {"label", &kWafLabelMatch, true}}};
  return check_prefixed(text, kKnown,
                        "ip, forwarded_ip, header:NAME, cookie:NAME, arg:NAME, path, method, "
                        "country, asn, ja3, ja4 or label:NAMESPACE:");
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 9 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string check_rule_ids(std::string& text) {
  const std::string_view view = text;
  const std::size_t dash = view.find('-');
  const bool good = view.starts_with("tag:")
                        ? view.size() > 4 && view.size() <= 128
                        : all_digits(view.substr(0, dash)) &&
                              (dash == std::string_view::npos || all_digits(view.substr(dash + 1)));
  return good ? "" : "942100, 942100-942199 or tag:attack-sqli";
}

std::string check_pointer(std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1')))
      return "~ is written ~0";
  return text.empty() || text.front() == '/' ? "" : "/user/name, or \"\" for all of it";
}

/// A top-level domain alone would verify everybody under it.
std::string check_domain(std::string& text) {
  constexpr const char* kExpected = "at least two labels, no * and no IP address: search.msn.com";
  std::string address = text;
  if (canonical_ip(address) || text.find('.') == std::string::npos) return kExpected;
  return kDomainName.check(text).empty() ? "" : kExpected;
}

bool lowercases(const WafFieldMatch& match) {
  return std::find(match.transform.begin(), match.transform.end(), WafTransform::Lowercase) !=
             match.transform.end() &&
         std::find(match.transform.begin(), match.transform.end(), WafTransform::Uppercase) ==
             match.transform.end();
}

bool is_literal(WafMatcher matcher) { return matcher <= WafMatcher::Word; }

bool has(const std::string& text, bool (*accepts)(char)) {
  return std::any_of(text.begin(), text.end(), accepts);
}
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/// Why `text` can never be found, or nothing.
std::string why_never(const WafFieldMatch& match, const std::string& text) {
  if (lowercases(match) && has(text, is_upper)) return "after lowercase no capital is left";
  if (!match.transform.empty()) return "";
  const bool from_begin = match.matcher == WafMatcher::Exact || match.matcher == WafMatcher::Prefix;
  const bool is_path = match.field == WafField::Path || match.field == WafField::Uri;
  if (is_path && from_begin && !text.starts_with('/') && text != "*") return "a path begins with /";
  if (match.field == WafField::Path && text.find('?') != std::string::npos)
    return "the query string is not part of the path: use uri or query";
  if (match.field == WafField::Query && match.matcher == WafMatcher::Prefix &&
      text.starts_with('?'))
    return "the query string has no ? in front";
  if (match.field == WafField::Method && has(text, is_lower))
    return "methods are case-sensitive: GET, POST, …";
  const bool in_lower = match.field == WafField::HeaderOrder || match.field == WafField::Ja3 ||
                        match.field == WafField::Ja4;
  if (in_lower && has(text, is_upper)) return "it is all in lower case";
  return "";
}

}  // namespace

const Format kWafLabel{"a label", "^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*$", check_label};
const Format kWafLabelMatch{"a label", "^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*:?$", check_label_match};
const Format kWafTarget{"a field", "^[a-z]+(:.+)?$", check_target};
const Format kWafRateKey{"a key", "^[a-z0-9_]+(:.+)?$", check_rate_key};
const Format kWafRuleIds{"an id of rules", "^([0-9]+(-[0-9]+)?|tag:.+)$", check_rule_ids};
const Format kWafPointer{"a JSON pointer", "^(/.*)?$", check_pointer};
const Format kWafDomain{"a domain", "^[A-Za-z0-9_.-]+$", check_domain};

bool check_waf_regex(const std::string& pattern, const Node& node, Decoder& decoder) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_NEVER_UTF, &error, &offset, nullptr);
  if (code != nullptr) {
    pcre2_code_free(code);
    return true;
  }
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  Mark mark = node.mark;
  // Without quotes and escapes the place in the pattern is the place in the file.
  if (node.is_plain()) mark.column += static_cast<std::uint32_t>(offset);
  decoder.error(
      Code::RegexSyntax, mark,
      fmt::format("the regular expression {} fails at character {}: {}", in_quotes(pattern),
                  offset + 1, reinterpret_cast<const char*>(text.data())),
      "escape what stands for itself with a backslash; single quotes keep backslashes");
  return false;
}

void check_waf_match(const WafFieldMatch& match, const Node& node, Decoder& decoder) {
  if (!is_literal(match.matcher)) return;
  std::vector<std::string> whys;
  for (const std::string& text : match.texts) whys.push_back(why_never(match, text));
  for (std::size_t i = 0; i < whys.size(); ++i)
    if (!whys[i].empty())
      decoder.warning(Code::NeverMatches, node.mark,
                      fmt::format("{} never matches", in_quotes(match.texts[i])), whys[i]);
}

}  // namespace headgate::schema
