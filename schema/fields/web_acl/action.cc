// SPDX-License-Identifier: MIT
// Actions: a word, or a map of one word and what it needs to know.
#include <fmt/format.h>

#include <array>

#include "schema/fields/distribution/files.h"
#include "schema/fields/web_acl/parts.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

using Kind = WafAction::Kind;

void request_headers_field(Object<WafAction>& o) {
  o.field("headers", &WafAction::headers,
          "Headers that the request to the origin gets, not in the cache key.")
      .keys(kHeaderName)
      .format(kHeaderValue);
  o.check([](WafAction& action, const Node& node, Decoder& decoder) {
    for (const auto& [name, value] : action.headers)
      if (const std::string reason = forbidden_header(name, HeaderUse::ToOrigin); !reason.empty())
        decoder.error(Code::ForbiddenHeader, node.locate("headers").locate(name).key_mark,
                      fmt::format("the header {} cannot be inserted", in_quotes(name)), reason);
  });
}

const ObjectType& allow_type() {
  static const Object<WafAction> type("WafAllow", "Lets the request through; no later rule counts.",
                                      request_headers_field);
  return type;
}

const ObjectType& count_type() {
  static const Object<WafAction> type("WafCount", "Counts the request and goes on.",
                                      request_headers_field);
  return type;
}

void block_fields(Object<WafAction>& o) {
  o.field("status", &WafAction::status,
          "The status code of the answer; without it 403, or 429 of a rate rule.")
      .range(200, 599);
  o.whole("body", std::make_unique<WafBodyType>(),
          "The answer's body: text, or a file of the repository, which may also be written as its "
          "name alone; without it the distribution's customErrorResponses, or a plain page.");
  o.field("headers", &WafAction::headers, "Headers of the answer.")
      .keys(kLowerHeaderName)
      .format(kHeaderValue);
  o.check([](WafAction& action, const Node& node, Decoder& decoder) {
    for (const auto& [name, value] : action.headers)
      if (const std::string reason = forbidden_header(name, HeaderUse::ToViewer); !reason.empty())
        decoder.error(Code::ForbiddenHeader, node.locate("headers").locate(name).key_mark,
                      fmt::format("the header {} cannot be set", in_quotes(name)), reason);
    if (!action.body.empty() && action.status && (*action.status == 204 || *action.status == 304))
      decoder.error(Code::Combination, node.locate("body").key_mark,
                    fmt::format("a response {} has no body", *action.status),
                    "remove the body or take another status");
  });
}

const ObjectType& block_type() {
  static const Object<WafAction> type("WafBlock", "Refuses the request.", block_fields);
  return type;
}

const ObjectType& challenge_type() {
  static const TextChoice kinds({"pow"});
  static const Object<WafAction> type(
      "WafChallenge",
      "Asks browsers for a proof of work; who has found one passes for a while. Requests that do "
      "not accept text/html are refused with 403.",
      [](Object<WafAction>& o) {
        o.field("kind", &WafAction::challenge, kinds, "The kind of the challenge.");
        o.field("bits", &WafAction::bits,
                "How many leading zero bits of SHA-256 the client has to find; each more doubles "
                "its work.")
            .range(1, 28);
        o.field("immunity", &WafAction::immunity, "How long a proof is good for.")
            .range(std::chrono::seconds(1), std::chrono::hours(24 * 30));
      });
  return type;
}

struct ActionName {
  Kind kind;
  const char* name;
  const ObjectType& (*table)();
};
constexpr std::array<ActionName, 4> kActions{{{Kind::Allow, "allow", allow_type},
                                              {Kind::Block, "block", block_type},
                                              {Kind::Count, "count", count_type},
                                              {Kind::Challenge, "challenge", challenge_type}}};

class ActionType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    auto& action = *static_cast<WafAction*>(out);
    const bool is_word = node.kind == Node::Kind::Scalar;
    if (!is_word && !(node.is_map() && node.children.size() == 1)) {
      wrong_type(
          node, "an action", decoder,
          "allow, block, count or challenge, or a map of one of them: {block: {status: 404}}");
      return false;
    }
    const std::string& word = is_word ? node.text : node.children[0].key;
    for (const ActionName& known : kActions) {
      if (word != known.name) continue;
      action.kind = known.kind;
      return is_word || known.table().decode(node.children[0], &action, {}, decoder);
    }
    std::vector<std::string> names;
    for (const ActionName& known : kActions) names.emplace_back(known.name);
    decoder.error(Code::NotAChoice, is_word ? node.mark : node.children[0].key_mark,
                  fmt::format("there is no action {}", in_quotes(word)),
                  did_you_mean(word, names, fmt::format("one of {}", join(names))));
    return false;
  }

  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& action = *static_cast<const WafAction*>(value);
    EncodeOptions sparse = options;
    sparse.defaults = Defaults::LeftOut;
    for (const ActionName& known : kActions) {
      if (known.kind != action.kind) continue;
      Json details = known.table().encode(value, sparse);
      return details.empty() ? Json(known.name) : Json{{known.name, std::move(details)}};
    }
    return Json();
  }

  Json json_schema(const Constraint&, SchemaWriter& writer) const override {
    Json words = Json::array();
    Json properties = Json::object();
    for (const ActionName& known : kActions) {
      words.push_back(known.name);
      properties[known.name] = writer.reference(known.table());
    }
    const Json map = {{"type", "object"},
                      {"properties", properties},
                      {"additionalProperties", false},
                      {"minProperties", 1},
                      {"maxProperties", 1}};
    return {{"anyOf", Json::array({{{"enum", words}}, map})}};
  }

  std::vector<const ObjectType*> objects() const override {
    std::vector<const ObjectType*> all;
    for (const ActionName& known : kActions) all.push_back(&known.table());
    return all;
  }

  std::string label(const Constraint&) const override {
    return "one of `allow` `block` `count` `challenge`, or a map of one of them";
  }
};

}  // namespace

const Type& waf_action_type() {
  static const ActionType type;
  return type;
}

const Type& optional_waf_action_type() {
  static const OptionalOf<WafAction> type(waf_action_type());
  return type;
}

}  // namespace headgate::schema
