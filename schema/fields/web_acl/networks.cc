// SPDX-License-Identifier: MIT
// Lists of networks, from YAML, from lines and from published JSON.
#include "schema/fields/web_acl/networks.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/table/composite.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

/// One file while it is read; what is wrong is reported where the file is named.
class NetworksFile {
 public:
  NetworksFile(const ReferencedFile& file, const Node& node, std::vector<std::string>& networks,
               Decoder& decoder)
      : file_(file), node_(node), networks_(networks), decoder_(decoder) {}

  bool read() {
    const std::size_t first = file_.content.find_first_not_of(" \t\r\n");
    const bool is_json = first != std::string::npos && file_.content[first] == '{';
    if (!(is_json ? read_json() : read_lines())) return false;
    if (networks_.size() <= kMaxNetworks) return true;
    decoder_.error(Code::ItemCount, node_.mark,
                   fmt::format("the file {} lists {} networks, at most {} are read",
                               in_quotes(file_.path), networks_.size(), kMaxNetworks));
    return false;
  }

 private:
  bool read_lines() {
    std::string_view rest = file_.content;
    for (int number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      line.erase(std::min(line.find('#'), line.size()));
      line.erase(line.find_last_not_of(" \t\r") + 1);
      line.erase(0, line.find_first_not_of(" \t"));
      if (!line.empty() && !add(std::move(line), fmt::format("line {}", number))) return false;
    }
    return true;
  }

  bool read_json() {
    const Json json = Json::parse(file_.content, nullptr, false);
    const auto prefixes = json.is_object() ? json.find("prefixes") : json.end();
    if (!json.is_object() || prefixes == json.end() || !prefixes->is_array()) {
      decoder_.error(Code::Malformed, node_.mark,
                     fmt::format("{} is no published list of networks: {}", in_quotes(file_.path),
                                 json.is_discarded() ? "its JSON is broken"
                                                     : "its JSON has no list `prefixes`"),
                     kJsonForm);
      return false;
    }
    for (std::size_t i = 0; i < prefixes->size(); ++i)
      if (!read_prefix((*prefixes)[i], fmt::format("item {} of `prefixes`", i))) return false;
    return true;
  }

  bool read_prefix(const Json& item, const std::string& where) {
    bool any = false;
    for (const char* name : {"ipv4Prefix", "ipv6Prefix"}) {
      const auto prefix = item.is_object() ? item.find(name) : item.end();
      if (!item.is_object() || prefix == item.end()) continue;
      if (!prefix->is_string()) return refuse(where);
      if (!add(prefix->get<std::string>(), where)) return false;
      any = true;
    }
    return any || refuse(where);
  }

  bool refuse(const std::string& where) {
    decoder_.error(Code::Malformed, node_.mark,
                   fmt::format("{} of {} has neither `ipv4Prefix` nor `ipv6Prefix`", where,
                               in_quotes(file_.path)),
                   kJsonForm);
    return false;
  }

  bool add(std::string network, const std::string& where) {
    if (const std::string expected = kCidr.check(network); !expected.empty()) {
      decoder_.error(Code::Malformed, node_.mark,
                     fmt::format("{} of {} is not {}: {}", where, in_quotes(file_.path), kCidr.name,
                                 in_quotes(network)),
                     expected);
      return false;
    }
    networks_.push_back(std::move(network));
    return true;
  }

  static constexpr const char* kJsonForm =
      "as Google and Bing publish it: {\"prefixes\": [{\"ipv4Prefix\": \"192.0.2.0/24\"}]}; or one "
      "network a line";

  const ReferencedFile& file_;
  const Node& node_;
  std::vector<std::string>& networks_;
  Decoder& decoder_;
};

}  // namespace

bool decode_networks(const Node& node, std::vector<std::string>& networks, Decoder& decoder) {
  Constraint constraint;
  constraint.format = &kCidr;
  constraint.unique = true;
  constraint.max_items = kMaxNetworks;
  return type_of<std::vector<std::string>>().decode(node, &networks, constraint, decoder);
}

bool decode_networks_file(const Node& node, std::string& file, std::vector<std::string>& networks,
                          Decoder& decoder) {
  const Node* path = node.find("file");
  if (path == nullptr || node.children.size() != 1 || path->kind != Node::Kind::Scalar) {
    wrong_type(node, "a list of networks or {file: PATH}", decoder);
    return false;
  }
  const auto content = decoder.read_referenced(*path, path->text);
  if (!content) return false;
  file = content->path;
  return NetworksFile(*content, *path, networks, decoder).read();
}

Json encode_networks(const std::string& file, const std::vector<std::string>& networks) {
  if (file.empty()) return networks;
  return fmt::format("{}: sha256:{} ({} networks)", file,
                     sha256_hex(join(networks, "\n")).substr(0, 16), networks.size());
}

Json networks_file_schema() {
  return {{"type", "object"},
          {"properties", {{"file", {{"type", "string"}, {"minLength", 1}}}}},
          {"required", Json::array({"file"})},
          {"additionalProperties", false}};
}

}  // namespace headgate::schema
