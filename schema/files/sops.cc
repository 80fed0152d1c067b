// SPDX-License-Identifier: MIT
#include "schema/files/sops.h"

#include <fmt/format.h>

#include "schema/text.h"

namespace headgate::schema {
namespace {

constexpr const char* kMetadata = "sops";
constexpr const char* kHint = "encrypt it: sops encrypt --age age1… --in-place FILE";

class SopsReader {
 public:
  SopsReader(SopsFile& out, Decoder& decoder) : out_(out), decoder_(decoder) {}

  void read(const Node& document) {
    const Node* metadata = document.is_map() ? document.find(kMetadata) : nullptr;
    if (metadata == nullptr || !metadata->is_map())
      return decoder_.error(Code::SopsNotEncrypted, document.mark,
                            "the file is not encrypted: it has no `sops`", kHint);
    read_metadata(*metadata);
    for (const Node& child : document.children)
      if (child.key != kMetadata) walk(child, child.key, child.key + ":");
  }

 private:
  void read_metadata(const Node& metadata) {
    out_.mac = text(metadata, "mac");
    out_.last_modified = text(metadata, "lastmodified");
    if (const Node* only = metadata.find("mac_only_encrypted"))
      out_.mac_only_encrypted = only->text == "true";
    if (const Node* groups = metadata.find("key_groups");
        groups != nullptr && !groups->children.empty())
      decoder_.error(Code::NotSupportedValue, groups->key_mark,
                     "keys that several recipients have to give together are not supported",
                     "encrypt it for one group of recipients");
    const Node* age = metadata.find("age");
    if (age == nullptr || !age->is_sequence() || age->children.empty())
      return decoder_.error(Code::SopsNotEncrypted, metadata.key_mark,
                            "the file has no recipient of age's",
                            "sops rotate --add-age age1… --in-place FILE");
    for (const Node& recipient : age->children) {
      const Node* name = recipient.find("recipient");
      const Node* key = recipient.find("enc");
      if (name == nullptr || key == nullptr) {
        decoder_.error(Code::SopsNotEncrypted, recipient.mark,
                       "a recipient needs `recipient` and `enc`", "sops writes them");
        continue;
      }
      out_.age.push_back({name->text, key->text});
    }
  }

  std::string text(const Node& metadata, const char* key) {
    const Node* node = metadata.find(key);
    if (node != nullptr && node->kind == Node::Kind::Scalar) return node->text;
    decoder_.error(Code::SopsNotEncrypted, metadata.key_mark,
                   fmt::format("`sops` has no `{}`", key), "sops writes it");
    return {};
  }

  void walk(const Node& node, const std::string& name, const std::string& path) {
    switch (node.kind) {
      case Node::Kind::Map:
        for (const Node& child : node.children)
          walk(child, name.empty() ? name : name + "." + child.key, path + child.key + ":");
        return;
      case Node::Kind::Sequence:
        for (const Node& child : node.children) walk(child, "", path);
        return;
      case Node::Kind::Scalar:
        return add(node, name, path);
      case Node::Kind::Null:
        return;  // sops does not look at it
    }
  }

  /// Texts in clear are told apart as sops does: it hashes what they mean.
  void add(const Node& node, const std::string& name, const std::string& path) {
    const bool encrypted = node.text.starts_with("ENC[AES256_GCM,");
    std::string text = node.text;
    if (!encrypted && node.is_plain()) {
      switch (plain_meaning(node.text)) {
        case Plain::Boolean:
          text = to_lower(text) == "true" ? "True" : "False";
          break;
        case Plain::Float:
          decoder_.error(Code::NotSupportedValue, node.mark,
                         "numbers with a fraction are not supported here", "write it in quotes");
          return;
        case Plain::Null:
          return;
        case Plain::Integer:
        case Plain::Text:
          break;
      }
    }
    out_.values.push_back({name, path, std::move(text), encrypted});
  }

  SopsFile& out_;
  Decoder& decoder_;
};

}  // namespace

bool is_sops_file(std::string_view path) {
  return path.ends_with(".sops.yaml") || path.ends_with(".sops.yml");
}

std::shared_ptr<const SopsFile> decode_sops(const std::string& path, const Node& document,
                                            Decoder& decoder) {
  auto out = std::make_shared<SopsFile>();
  out->file = path;
  SopsReader(*out, decoder).read(document);
  return out;
}

}  // namespace headgate::schema
