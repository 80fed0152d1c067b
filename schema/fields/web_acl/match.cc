// SPDX-License-Identifier: MIT
// Tables of the statements on fields: every one has a matcher and transformations; collections,
// bodies and fingerprints have more.
#include "schema/fields/web_acl/match.h"

#include <fmt/format.h>

#include <array>

#include "schema/fields/web_acl/choices.h"
#include "schema/fields/web_acl/parts.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"
#include "schema/validate/web_acl.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxTexts = 1000;
constexpr std::size_t kMaxTextOctets = 4096;

/// `exact`, `prefix`, …: texts of which one must match.
class MatcherType final : public Type {
 public:
  explicit MatcherType(WafMatcher matcher) : matcher_(matcher) {}

  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    auto& match = *static_cast<WafFieldMatch*>(out);
    match.matcher = matcher_;
    if (!texts_type().decode(node, &match.texts, constraint(), decoder)) return false;
    bool good = true;
    for (std::size_t i = 0; i < match.texts.size(); ++i) {
      const Node& place = node.is_sequence() ? node.children[i] : node;
      if (match.texts[i].empty() && matcher_ != WafMatcher::Exact) {
        decoder.error(Code::Malformed, place.mark,
                      fmt::format("`{}` with an empty text matches everything",
                                  node.key.empty() ? "the matcher" : node.key),
                      "leave the statement out, or write `exact: \"\"` for what is empty");
        good = false;
      } else if (matcher_ == WafMatcher::Regex) {
        good = check_waf_regex(match.texts[i], place, decoder) && good;
      }
    }
    return good;
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& match = *static_cast<const WafFieldMatch*>(value);
    if (match.matcher != matcher_ || match.texts.empty()) return Json();
    return texts_type().encode(&match.texts, options);
  }
  Json json_schema(const Constraint&, SchemaWriter& writer) const override {
    return texts_type().json_schema(constraint(), writer);
  }
  std::string label(const Constraint&) const override {
    return matcher_ == WafMatcher::Regex ? "regular expression or list of them"
                                         : "text or list of them";
  }

 private:
  static Constraint constraint() {
    Constraint constraint;
    constraint.min_items = 1;
    constraint.max_items = kMaxTexts;
    constraint.max_length = kMaxTextOctets;
    return constraint;
  }
  WafMatcher matcher_;
};

struct ComparisonName {
  WafSize::Comparison comparison;
  const char* name;
};
constexpr std::array<ComparisonName, 6> kComparisons{{{WafSize::Comparison::Eq, "eq"},
                                                      {WafSize::Comparison::Ne, "ne"},
                                                      {WafSize::Comparison::Lt, "lt"},
                                                      {WafSize::Comparison::Le, "le"},
                                                      {WafSize::Comparison::Gt, "gt"},
                                                      {WafSize::Comparison::Ge, "ge"}}};

/// `size: {gt: 8KiB}`.
class SizeMatcherType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    auto& match = *static_cast<WafFieldMatch*>(out);
    match.matcher = WafMatcher::Size;
    if (node.is_map() && node.children.size() == 1)
      for (const ComparisonName& known : kComparisons)
        if (node.children[0].key == known.name) {
          match.size.comparison = known.comparison;
          return type_of<std::uint64_t>().decode(node.children[0], &match.size.octets, {}, decoder);
        }
    wrong_type(node, "a map of one comparison", decoder, "such as {gt: 8KiB}: eq ne lt le gt ge");
    return false;
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& match = *static_cast<const WafFieldMatch*>(value);
    if (match.matcher != WafMatcher::Size) return Json();
    Json out = Json::object();
    for (const ComparisonName& known : kComparisons)
      if (known.comparison == match.size.comparison)
        out[known.name] = type_of<std::uint64_t>().encode(&match.size.octets, options);
    return out;
  }
  Json json_schema(const Constraint&, SchemaWriter& writer) const override {
    Json properties = Json::object();
    for (const ComparisonName& known : kComparisons)
      properties[known.name] = type_of<std::uint64_t>().json_schema({}, writer);
    return {{"type", "object"},
            {"properties", properties},
            {"additionalProperties", false},
            {"minProperties", 1},
            {"maxProperties", 1}};
  }
  std::string label(const Constraint&) const override {
    return "`eq`, `ne`, `lt`, `le`, `gt` or `ge` of octets";
  }
};

/// `sqli: true`, `xss: true`.
class InjectionMatcherType final : public Type {
 public:
  explicit InjectionMatcherType(WafMatcher matcher) : matcher_(matcher) {}
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    static_cast<WafFieldMatch*>(out)->matcher = matcher_;
    if (node.is_plain() && node.text == "true") return true;
    wrong_type(node, "true", decoder, "use not: {…} for what has none");
    return false;
  }
  Json encode(const void* value, const EncodeOptions&) const override {
    return static_cast<const WafFieldMatch*>(value)->matcher == matcher_ ? Json(true) : Json();
  }
  Json json_schema(const Constraint&, SchemaWriter&) const override { return {{"const", true}}; }
  std::string label(const Constraint&) const override { return "`true`"; }

 private:
  WafMatcher matcher_;
};

constexpr std::array<const char*, 9> kMatcherNames = {
    "exact", "prefix", "suffix", "contains", "word", "regex", "size", "sqli", "xss"};

void check_one_matcher(const Node& node, Decoder& decoder) {
  std::vector<std::string> written;
  for (const char* name : kMatcherNames)
    if (node.find(name) != nullptr) written.emplace_back(name);
  if (written.size() == 1) return;
  const Mark mark = node.key.empty() ? node.mark : node.key_mark;
  if (written.empty())
    decoder.error(Code::FieldMissing, mark,
                  fmt::format("{} says nothing to match", subject(node, decoder)),
                  "one of exact, prefix, suffix, contains, word, regex, size, sqli, xss");
  else
    decoder.error(Code::Combination, node.find(written[1])->key_mark,
                  fmt::format("{} has {}", subject(node, decoder), join(written, " and ")),
                  "a statement has one matcher: use all: or any: for several");
}

void matcher_fields(Object<WafFieldMatch>& o) {
  const auto add = [&o](const char* name, WafMatcher matcher, const char* doc) {
    o.whole(name, std::make_unique<MatcherType>(matcher), doc);
  };
  add("exact", WafMatcher::Exact, "The field is this text, octet by octet.");
  add("prefix", WafMatcher::Prefix, "It begins with it.");
  add("suffix", WafMatcher::Suffix, "It ends with it.");
  add("contains", WafMatcher::Contains, "It has it anywhere.");
  add("word", WafMatcher::Word, "It has it with no letter, digit or underscore at its sides.");
  add("regex", WafMatcher::Regex,
      "A regular expression (PCRE's syntax) matches anywhere in it; what may take more than linear "
      "time has a limit.");
  o.whole("size", std::make_unique<SizeMatcherType>(), "Its length in octets compares so.");
  o.whole("sqli", std::make_unique<InjectionMatcherType>(WafMatcher::Sqli),
          "libinjection finds SQL in it.");
  o.whole("xss", std::make_unique<InjectionMatcherType>(WafMatcher::Xss),
          "libinjection finds a script in it.");
  o.field("transform", &WafFieldMatch::transform,
          "What is done to the field before it is matched, in this order.")
      .items(0, 10);
  o.check([](WafFieldMatch& match, const Node& node, Decoder& decoder) {
    check_one_matcher(node, decoder);
    check_waf_match(match, node, decoder);
  });
}

void oversize_field(Object<WafFieldMatch>& o) {
  o.field("oversize", &WafFieldMatch::oversize,
          "What a body longer than `body.inspect` means here, and JSON or a form with more in it "
          "than is kept, instead of `body.oversize`.");
}

void name_field(Object<WafFieldMatch>& o, const Format& format) {
  o.field("name", &WafFieldMatch::name, "Whose value is looked at.").required().format(format);
}

void collection_fields(Object<WafFieldMatch>& o) {
  o.field("of", &WafFieldMatch::part, "Whether names, values or both are looked at.");
  o.field("only", &WafFieldMatch::only, "Names of those that are looked at; without it all.")
      .format(kNotEmpty);
  o.field("except", &WafFieldMatch::except, "Names of those that are not.").format(kNotEmpty);
}

template <class More>
Object<WafFieldMatch> table(const char* name, const char* doc, More more) {
  return Object<WafFieldMatch>(name, doc, [&](Object<WafFieldMatch>& o) {
    more(o);
    matcher_fields(o);
  });
}

const Type& plain_type() {
  static const auto type = table("WafMatch", "How a field must be.", [](Object<WafFieldMatch>&) {});
  return type;
}

const Type& argument_type() {
  static const auto type = table("WafArgMatch", "How the argument must be.",
                                 [](Object<WafFieldMatch>& o) { name_field(o, kQueryName); });
  return type;
}

const Type& header_type() {
  static const auto type =
      table("WafHeaderMatch", "How the header must be; several lines are looked at one by one.",
            [](Object<WafFieldMatch>& o) { name_field(o, kLowerHeaderName); });
  return type;
}

const Type& cookie_type() {
  static const auto type = table("WafCookieMatch", "How the cookie must be.",
                                 [](Object<WafFieldMatch>& o) { name_field(o, kCookieName); });
  return type;
}

const Type& collection_type() {
  static const auto type =
      table("WafCollectionMatch", "How one of the names or values must be.", collection_fields);
  return type;
}

const Type& form_type() {
  static const auto type =
      table("WafFormMatch", "How one of the form's fields must be.", [](Object<WafFieldMatch>& o) {
        collection_fields(o);
        oversize_field(o);
      });
  return type;
}

const Type& body_type() {
  static const auto type = table("WafBodyMatch", "How the body must be.", oversize_field);
  return type;
}

const Type& json_type() {
  static const auto type = table(
      "WafJsonMatch", "How one of the members of a JSON body must be.",
      [](Object<WafFieldMatch>& o) {
        o.field("of", &WafFieldMatch::part, "Whether names, values or both are looked at.");
        o.field("pointers", &WafFieldMatch::pointers,
                "JSON pointers (RFC 6901) to what is looked at, and to all below it; without it "
                "all.")
            .format(kWafPointer);
        o.field("invalid", &WafFieldMatch::invalid, "What a body that is no JSON means.");
        oversize_field(o);
      });
  return type;
}

const Type& fingerprint_type() {
  static const auto type =
      table("WafFallbackMatch", "How the field must be.", [](Object<WafFieldMatch>& o) {
        o.field("missing", &WafFieldMatch::fallback,
                "What a request without the field means, such as one without TLS.");
      });
  return type;
}

}  // namespace

const Type& waf_match_type(WafField field) {
  switch (field) {
    case WafField::Arg:
      return argument_type();
    case WafField::Header:
      return header_type();
    case WafField::Cookie:
      return cookie_type();
    case WafField::Args:
    case WafField::Headers:
    case WafField::Cookies:
      return collection_type();
    case WafField::Form:
      return form_type();
    case WafField::Body:
      return body_type();
    case WafField::Json:
      return json_type();
    case WafField::Ja3:
    case WafField::Ja4:
    case WafField::Fragment:
      return fingerprint_type();
    default:
      return plain_type();
  }
}

const std::vector<WafFieldName>& waf_field_names() {
  static const std::vector<WafFieldName> names = {
      {WafField::Method, "method", "The method."},
      {WafField::Path, "path",
       "The path, decoded once and normalised: the one that behaviors and the cache key see."},
      {WafField::Uri, "uri", "Path and query as they were sent."},
      {WafField::Query, "query", "The query string as it was sent, without `?`."},
      {WafField::Fragment, "fragment", "What follows `#` in the request target."},
      {WafField::Arg, "arg", "An argument of the query string, decoded."},
      {WafField::Args, "args", "The arguments of the query string, decoded."},
      {WafField::Header, "header", "A header."},
      {WafField::Headers, "headers", "The headers."},
      {WafField::HeaderOrder, "headerOrder",
       "The names of the headers in lower case, in the order they came in, joined by `:`."},
      {WafField::Cookie, "cookie", "A cookie."},
      {WafField::Cookies, "cookies", "The cookies."},
      {WafField::Body, "body", "The body as it was sent, up to `body.inspect`."},
      {WafField::Form, "form", "The fields of a form (urlencoded or multipart), decoded."},
      {WafField::Json, "json", "The members of a JSON body."},
      {WafField::Ja3, "ja3", "The JA3 fingerprint of the TLS handshake."},
      {WafField::Ja4, "ja4", "The JA4 fingerprint of the TLS handshake."},
  };
  return names;
}

}  // namespace headgate::schema
