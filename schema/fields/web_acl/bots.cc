// SPDX-License-Identifier: MIT
// `bots`: crawlers by name, or with what tells them.
#include <fmt/format.h>

#include "schema/fields/web_acl/networks.h"
#include "schema/fields/web_acl/parts.h"
#include "schema/model/known_bots.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"
#include "schema/validate/web_acl.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxTexts = 16;
constexpr std::size_t kMaxUserAgentOctets = 128;

/// Networks and files, in one list; a file may stand alone.
class RangesType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const override {
    auto& ranges = *static_cast<std::vector<WafNetworks>*>(out);
    ranges.clear();
    if (node.is_map()) return decode_file(node, ranges, decoder);
    if (!node.is_sequence()) {
      wrong_type(node, "a list of networks or {file: PATH}", decoder);
      return false;
    }
    Node written = node;  // what is not in files
    std::erase_if(written.children, [](const Node& item) { return item.is_map(); });
    bool good = true;
    if (!written.children.empty()) {
      ranges.emplace_back();
      good = decode_networks(written, ranges.back().networks, decoder);
    }
    for (const Node& item : node.children)
      if (item.is_map()) good = decode_file(item, ranges, decoder) && good;
    return good;
  }

  Json encode(const void* value, const EncodeOptions&) const override {
    Json out = Json::array();
    for (const WafNetworks& part : *static_cast<const std::vector<WafNetworks>*>(value)) {
      const Json networks = encode_networks(part.file, part.networks);
      if (networks.is_array())
        out.insert(out.end(), networks.begin(), networks.end());
      else
        out.push_back(networks);
    }
    return out;
  }

  Json json_schema(const Constraint&, SchemaWriter&) const override {
    const Json item = {{"anyOf", Json::array({{{"type", "string"}}, networks_file_schema()})}};
    return {{"anyOf", Json::array({{{"type", "array"}, {"items", item}}, networks_file_schema()})}};
  }

  std::string label(const Constraint&) const override {
    return "list of networks and `{file: PATH}`, or one `{file: PATH}`";
  }

 private:
  static bool decode_file(const Node& node, std::vector<WafNetworks>& ranges, Decoder& decoder) {
    WafNetworks part;
    const bool good = decode_networks_file(node, part.file, part.networks, decoder);
    ranges.push_back(std::move(part));
    return good;
  }
};

const Type& ranges_type() {
  static const RangesType type;
  return type;
}

void report_unknown(const WafBot& bot, const Node& node, Decoder& decoder) {
  const std::string what =
      "say what it is: {name: NAME, userAgent: TEXT, domains: [crawl.example.com]}; known by name "
      "are " +
      join(known_bot_names());
  if (node.is_map())
    decoder.error(Code::FieldMissing, node.mark,
                  fmt::format("the bot {} has no `userAgent`", in_quotes(bot.name)),
                  did_you_mean(bot.name, known_bot_names(), "what its User-Agent contains"));
  else
    decoder.error(Code::NotAChoice, node.mark,
                  fmt::format("there is no known bot {}", in_quotes(bot.name)),
                  did_you_mean(bot.name, known_bot_names(), what));
}

/// A known bot is as documented where nothing else is said.
void complete(WafBot& bot, const Node& node, Decoder& decoder) {
  if (bot.name.empty()) return;  // reported
  const KnownBot* known = find_known_bot(bot.name);
  if (known != nullptr) {
    if (node.find("userAgent") == nullptr) bot.user_agent = known->user_agent;
    if (node.find("domains") == nullptr) bot.domains = known->domains;
  } else if (node.find("userAgent") == nullptr) {
    return report_unknown(bot, node, decoder);
  }
  const auto is_written = [&node](const char* field) {
    const Node* value = node.find(field);
    return value != nullptr && !value->children.empty();
  };
  if (!bot.domains.empty() || is_written("domains") || is_written("ranges")) return;
  const bool is_published = known != nullptr && !known->ranges.empty();
  decoder.error(Code::FieldMissing, node.mark,
                fmt::format("nobody could be verified as {}: it has neither `ranges` nor `domains`",
                            in_quotes(bot.name)),
                is_published ? fmt::format("{} publishes its ranges: keep {} in the repository and "
                                           "write {{name: {}, ranges: {{file: PATH}}}}",
                                           known->title, known->ranges, bot.name)
                             : "where it comes from, or what names its addresses have");
}

const ObjectType& bot_table() {
  static const Object<WafBot> type(
      "WafBot", "A crawler that requests may say they are, and how to tell whether they are.",
      [](Object<WafBot>& o) {
        o.field("name", &WafBot::name, "What labels call it; of a known bot the rest is there.")
            .required()
            .format(kResourceName);
        o.field("userAgent", &WafBot::user_agent, texts_type(),
                "Whose User-Agent contains one of these says that it is the bot, whatever the "
                "case.")
            .items(1, kMaxTexts)
            .max_length(kMaxUserAgentOctets)
            .format(kNotEmpty);
        o.field("ranges", &WafBot::ranges, ranges_type(),
                "Who comes from one of these networks is believed. Files list one a line, or are "
                "the JSON that crawlers publish.");
        o.field("domains", &WafBot::domains,
                "Who does not is believed if its address has a name in one of these domains and "
                "the name has this address (reverse and forward DNS).")
            .items(0, kMaxTexts)
            .format(kWafDomain)
            .unique();
        o.check(complete);
      });
  return type;
}

class BotType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    if (node.is_map()) return bot_table().decode(node, out, constraint, decoder);
    if (node.kind != Node::Kind::Scalar) {
      wrong_type(node, "the name of a known bot, or a map", decoder);
      return false;
    }
    auto& bot = *static_cast<WafBot*>(out);
    Constraint name;
    name.format = &kResourceName;
    if (!type_of<std::string>().decode(node, &bot.name, name, decoder)) {
      bot.name.clear();
      return false;
    }
    complete(bot, node, decoder);
    return true;
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    return bot_table().encode(value, options);
  }
  Json json_schema(const Constraint&, SchemaWriter& writer) const override {
    return {{"anyOf", Json::array({{{"enum", known_bot_names()}}, writer.reference(bot_table())})}};
  }
  std::string label(const Constraint& constraint) const override {
    return "name of a known bot or " + bot_table().label(constraint);
  }
  const ObjectType* object() const override { return &bot_table(); }
};

}  // namespace

const Type& waf_bots_type() {
  static const BotType bot;
  static const ListOf<WafBot> list(bot);
  return list;
}

}  // namespace headgate::schema
