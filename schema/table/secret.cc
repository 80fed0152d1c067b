// SPDX-License-Identifier: MIT
// Secrets: read from YAML, and written only as references or keyed digests.
#include <openssl/rand.h>

#include <array>

#include "schema/table/scalar.h"

namespace headgate::schema {
namespace {

struct SourceName {
  Secret::Source source;
  const char* name;
};
constexpr std::array<SourceName, 4> kSources{{{Secret::Source::File, "file"},
                                              {Secret::Source::Env, "env"},
                                              {Secret::Source::Credential, "credential"},
                                              {Secret::Source::Sops, "secret"}}};
constexpr const char* kInlineHint =
    "write valueFrom: {file: /run/credentials/…}, {env: NAME}, {credential: NAME} or {secret: "
    "NAME}";

/// Without a key a short secret could be guessed from its digest.
const std::string& process_key() {
  static const std::string key = [] {
    std::array<unsigned char, 32> octets{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) std::abort();
    return std::string(octets.begin(), octets.end());
  }();
  return key;
}

}  // namespace

bool SecretType::decode(const Node& node, void* out, const Constraint& constraint,
                        Decoder& decoder) const {
  auto& secret = *static_cast<Secret*>(out);
  const Node* value = &node;
  if (node.is_map()) {
    if (node.children.size() != 1 ||
        (node.children[0].key != "value" && node.children[0].key != "valueFrom")) {
      decoder.error(Code::Malformed, node.mark,
                    fmt::format("{} must have exactly one of `value` and `valueFrom`",
                                subject(node, decoder)),
                    kInlineHint);
      return false;
    }
    value = &node.children[0];
    if (value->key == "valueFrom") return decode_reference(*value, out, decoder);
  }
  if (!inline_allowed_) {
    decoder.error(Code::KeyInRepository, value->mark,
                  fmt::format("{} may not be written in clear", subject(node, decoder)),
                  kInlineHint);
    return false;
  }
  std::string text;
  if (!TextType().decode(*value, &text, constraint, decoder)) return false;
  secret.source = Secret::Source::Inline;
  secret.value = Redacted(std::move(text));
  return true;
}

bool SecretType::decode_reference(const Node& node, void* out, Decoder& decoder) const {
  auto& secret = *static_cast<Secret*>(out);
  if (!node.is_map() || node.children.size() != 1) {
    decoder.error(
        Code::Malformed, node.mark,
        fmt::format("{} must have exactly one of `file`, `env`, `credential` and `secret`",
                    subject(node, decoder)),
        kInlineHint);
    return false;
  }
  const Node& reference = node.children[0];
  for (const SourceName& known : kSources) {
    if (reference.key != known.name) continue;
    std::string text;
    if (!TextType().decode(reference, &text, {}, decoder)) return false;
    bool slash = text.find('/') != std::string::npos;
    if (known.source == Secret::Source::File && !text.starts_with('/')) {
      decoder.error(Code::Malformed, reference.mark,
                    fmt::format("{} is not an absolute path on the edge", in_quotes(text)),
                    "secrets are not kept in the repository");
      return false;
    }
    if (known.source != Secret::Source::File &&
        (text.empty() || slash || text.find('=') != std::string::npos)) {
      decoder.error(Code::Malformed, reference.mark,
                    fmt::format("{} is not a name", in_quotes(text)));
      return false;
    }
    secret.source = known.source;
    secret.reference = std::move(text);
    return true;
  }
  decoder.error(Code::FieldUnknown, reference.key_mark,
                fmt::format("unknown field {}", in_quotes(reference.key)), kInlineHint);
  return false;
}

Json SecretType::encode(const void* value, const EncodeOptions& options) const {
  const auto& secret = *static_cast<const Secret*>(value);
  for (const SourceName& known : kSources)
    if (secret.source == known.source) return {{"valueFrom", {{known.name, secret.reference}}}};
  if (secret.value.empty()) return Json();
  const std::string& key = options.secret_key.empty() ? process_key() : options.secret_key;
  return fmt::format("secret (hmac {})", hmac_sha256_hex(key, secret.value.reveal()).substr(0, 8));
}

Json SecretType::json_schema(const Constraint&, SchemaWriter&) const {
  Json sources = Json::object();
  for (const SourceName& known : kSources) sources[known.name] = {{"type", "string"}};
  Json reference = {{"type", "object"},
                    {"properties", sources},
                    {"additionalProperties", false},
                    {"minProperties", 1},
                    {"maxProperties", 1}};
  Json properties = {{"valueFrom", reference}};
  if (inline_allowed_) properties["value"] = {{"type", Json::array({"string", "number"})}};
  Json object = {{"type", "object"},
                 {"properties", properties},
                 {"additionalProperties", false},
                 {"minProperties", 1},
                 {"maxProperties", 1}};
  if (!inline_allowed_) return object;
  return {{"anyOf", Json::array({{{"type", Json::array({"string", "number"})}}, object})}};
}

std::string SecretType::label(const Constraint&) const {
  return inline_allowed_ ? "text or `valueFrom: {file, env, credential or secret}`"
                         : "`valueFrom: {file, env, credential or secret}`";
}

}  // namespace headgate::schema
