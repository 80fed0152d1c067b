// SPDX-License-Identifier: MIT
// Contents of files: PEM and bodies of error pages.
#include "schema/fields/distribution/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schema/model/model.h"
#include "schema/text.h"

namespace headgate::schema {
namespace {

/// Short contents as they are, long ones by digest: a diff shows that they changed, not all of
/// them.
Json content_marker(const std::string& content) {
  if (content.empty()) return Json();
  if (content.size() <= 256) return content;
  return fmt::format("sha256:{} ({} octets)", sha256_hex(content).substr(0, 16), content.size());
}

bool check_pem(const std::string& content, const std::string& path, const Node& node,
               Decoder& decoder) {
  std::string what = path.empty() ? "the text" : fmt::format("the file {}", in_quotes(path));
  if (content.find("PRIVATE KEY-----") != std::string::npos) {
    decoder.error(Code::KeyInRepository, node.mark, fmt::format("{} holds a private key", what),
                  "take it out of the repository and its history, replace it, and use valueFrom");
    return false;
  }
  std::size_t begin = content.find("-----BEGIN CERTIFICATE-----");
  if (begin != std::string::npos &&
      content.find("-----END CERTIFICATE-----", begin) != std::string::npos)
    return true;
  decoder.error(Code::NotPem, node.mark, fmt::format("{} holds no certificate in PEM", what),
                "it has lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----");
  return false;
}

struct MediaType {
  std::string_view ending;
  const char* type;
};
constexpr std::array<MediaType, 11> kMediaTypes{{{".html", "text/html; charset=utf-8"},
                                                 {".htm", "text/html; charset=utf-8"},
                                                 {".txt", "text/plain; charset=utf-8"},
                                                 {".css", "text/css; charset=utf-8"},
                                                 {".js", "text/javascript; charset=utf-8"},
                                                 {".json", "application/json"},
                                                 {".xml", "application/xml"},
                                                 {".svg", "image/svg+xml"},
                                                 {".png", "image/png"},
                                                 {".gif", "image/gif"},
                                                 {".webp", "image/webp"}}};

const char* media_type(const std::string& path) {
  for (const MediaType& known : kMediaTypes)
    if (path.ends_with(known.ending)) return known.type;
  return kMediaTypes[0].type;
}

/// `denied.html`: one word with the ending of a page.
bool is_file_name(const std::string& text) {
  return text.find_first_of(" \t\n<>{}\"") == std::string::npos &&
         std::any_of(kMediaTypes.begin(), kMediaTypes.end(),
                     [&](const MediaType& known) { return text.ends_with(known.ending); });
}

}  // namespace

bool FileTextType::decode(const Node& node, void* out, const Constraint&, Decoder& decoder) const {
  const Node* file = node.find("file");
  if (node.kind == Node::Kind::Scalar &&
      !(node.is_plain() && plain_meaning(node.text) == Plain::Boolean))
    return store(out, node.text, "", node, decoder);
  if (file == nullptr || node.children.size() != 1) {
    wrong_type(node, "text or {file: PATH}", decoder);
    return false;
  }
  if (file->kind != Node::Kind::Scalar || file->text.empty()) {
    wrong_type(*file, "a path", decoder);
    return false;
  }
  std::optional<ReferencedFile> content = decoder.read_referenced(*file, file->text);
  if (!content) return false;
  return store(out, std::move(content->content), content->path, *file, decoder);
}

Json FileTextType::json_schema(const Constraint&, SchemaWriter&) const {
  Json file = {{"type", "object"},
               {"properties", {{"file", {{"type", "string"}, {"minLength", 1}}}}},
               {"required", Json::array({"file"})},
               {"additionalProperties", false}};
  return {{"anyOf", Json::array({{{"type", "string"}}, file})}};
}

std::string FileTextType::label(const Constraint&) const { return "text or `{file: PATH}`"; }

bool CaBundleType::store(void* out, std::string content, const std::string& path, const Node& node,
                         Decoder& decoder) const {
  if (!check_pem(content, path, node, decoder)) return false;
  auto& custom = *static_cast<CustomOrigin*>(out);
  custom.ca_bundle = path;
  custom.ca_bundle_pem = std::move(content);
  return true;
}

Json CaBundleType::encode(const void* value, const EncodeOptions&) const {
  return content_marker(static_cast<const CustomOrigin*>(value)->ca_bundle_pem);
}

bool CertificateChainType::store(void* out, std::string content, const std::string& path,
                                 const Node& node, Decoder& decoder) const {
  if (!check_pem(content, path, node, decoder)) return false;
  static_cast<Certificate*>(out)->chain_pem = std::move(content);
  return true;
}

Json CertificateChainType::encode(const void* value, const EncodeOptions&) const {
  return content_marker(static_cast<const Certificate*>(value)->chain_pem);
}

bool WafBodyType::decode(const Node& node, void* out, const Constraint& constraint,
                         Decoder& decoder) const {
  if (node.kind != Node::Kind::Scalar || !is_file_name(node.text))
    return FileTextType::decode(node, out, constraint, decoder);
  std::optional<ReferencedFile> content = decoder.read_referenced(node, node.text);
  return content && store(out, std::move(content->content), content->path, node, decoder);
}

bool WafBodyType::store(void* out, std::string content, const std::string& path, const Node&,
                        Decoder&) const {
  auto& action = *static_cast<WafAction*>(out);
  action.body = std::move(content);
  action.body_type = path.empty() ? "text/plain; charset=utf-8" : media_type(path);
  return true;
}

Json WafBodyType::encode(const void* value, const EncodeOptions&) const {
  return content_marker(static_cast<const WafAction*>(value)->body);
}

bool InlineBodyType::store(void* out, std::string content, const std::string& path, const Node&,
                           Decoder&) const {
  auto& response = *static_cast<CustomErrorResponse*>(out);
  response.inline_body = std::move(content);
  response.inline_body_type = media_type(path);
  return true;
}

Json InlineBodyType::encode(const void* value, const EncodeOptions&) const {
  const auto& response = *static_cast<const CustomErrorResponse*>(value);
  return content_marker(response.inline_body);
}

}  // namespace headgate::schema
