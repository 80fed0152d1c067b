// SPDX-License-Identifier: MIT
// The table of `source` of `kind: Edge`.
#include "schema/fields/edge_source.h"

#include <fmt/format.h>

#include "schema/fields/choices.h"
#include "schema/model/source.h"
#include "schema/table/object.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxUrls = 8;
constexpr std::size_t kMaxCredentials = 8;

/// `url`: what `urls` says in a list.
class SourceUrlType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    std::string url;
    if (!type_of<std::string>().decode(node, &url, constraint, decoder)) return false;
    static_cast<EdgeSource*>(out)->urls = {std::move(url)};
    return true;
  }
  Json encode(const void* value, const EncodeOptions&) const override {
    const auto& urls = static_cast<const EdgeSource*>(value)->urls;
    return urls.size() == 1 ? Json(urls[0]) : Json();
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return type_of<std::string>().json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return type_of<std::string>().label(constraint);
  }
};

class SourceUrlsType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    return list().decode(node, &static_cast<EdgeSource*>(out)->urls, constraint, decoder);
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& urls = static_cast<const EdgeSource*>(value)->urls;
    return urls.size() > 1 ? list().encode(&urls, options) : Json();
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return list().json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return list().label(constraint);
  }

 private:
  static const Type& list() { return type_of<std::vector<std::string>>(); }
};

const SecretType& token_type() {
  static const SecretType type(false);
  return type;
}

/// The source is read before there is any repository.
void refuse_sops(const Secret& secret, const Node& node, Decoder& decoder) {
  if (secret.source == Secret::Source::Sops)
    decoder.error(Code::NotSupportedValue, node.mark,
                  "what opens the repository cannot be one of its secrets",
                  "write valueFrom: {file: /etc/headgate/token}");
}

void credential_fields(Object<SourceCredential>& o) {
  o.field("host", &SourceCredential::host,
          "As in the URL, with the port where that has one; no other host is shown the token.")
      .required()
      .format(kAuthority);
  o.field("user", &SourceCredential::user, "The user that the token belongs to.").format(kNotEmpty);
  o.field("token", &SourceCredential::token, token_type(), "The token; read again for every fetch.")
      .required();
  o.check([](SourceCredential& credential, const Node& node, Decoder& decoder) {
    refuse_sops(credential.token, node.locate("token"), decoder);
  });
}

void exclude(const Node& node, const char* one, const char* other, Decoder& decoder) {
  if (node.find(one) != nullptr && node.find(other) != nullptr)
    decoder.error(Code::Combination, node.find(other)->key_mark,
                  fmt::format("`{}` and `{}` exclude each other", one, other));
}

void check_source(EdgeSource& source, const Node& node, Decoder& decoder) {
  exclude(node, "url", "urls", decoder);
  exclude(node, "url", "receive", decoder);
  exclude(node, "urls", "receive", decoder);
  exclude(node, "ref", "semver", decoder);
  exclude(node, "receive", "semver", decoder);
  if (source.token) refuse_sops(*source.token, node.locate("token"), decoder);
}

void source_fields(Object<EdgeSource>& o) {
  static const OptionalOf<Secret> optional_token(token_type());
  static const Object<SourceCredential> credential(
      "EdgeSourceCredential", "What one host of `https://` is shown.", credential_fields);
  static const ListOf<SourceCredential> credentials(credential);
  o.whole("url", std::make_unique<SourceUrlType>(),
          "The configuration repository: a path, `https://…` or `ssh://…`.")
      .format(kNotEmpty);
  o.whole("urls", std::make_unique<SourceUrlsType>(),
          "Several URLs of the same repository (mirrors), by preference: where one does not answer "
          "or is behind, the next is asked.")
      .items(1, kMaxUrls)
      .format(kNotEmpty)
      .unique();
  o.field("receive", &EdgeSource::receive,
          "Instead of a URL: a bare repository that is pushed to, made when missing. What would "
          "not go live is refused when it is pushed.")
      .format(kNotEmpty);
  o.field("ref", &EdgeSource::ref,
          "The branch, tag, full name of a ref or commit id that the edge follows.")
      .format(kNotEmpty);
  o.field("semver", &EdgeSource::semver,
          "Instead of `ref`: the highest tag that is a version of this range, as in `>=1.2 <2`, "
          "`~1.4` or `1.x`.")
      .format(kSemanticRange);
  o.field("path", &EdgeSource::path,
          "The folder of the repository that has the configuration; without it, its root.")
      .format(kFolderPath);
  o.field("overlay", &EdgeSource::overlay,
          "The overlay, a folder in `overlays/`, whose documents are laid over the resources.")
      .format(kOverlayName);
  o.field("poll", &EdgeSource::poll, "How often the edge asks for a new commit.")
      .synonym("interval")
      .at_least(100);
  o.field("timeout", &EdgeSource::timeout,
          "How long asking a URL what it has may take, and fetching that.")
      .at_least(100);
  o.field("sshKeyFile", &EdgeSource::ssh_key_file, "File of the private key for `ssh://`.");
  o.field("knownHosts", &EdgeSource::known_hosts,
          "File of the host keys that `ssh://` believes; no other is, and none is ever learnt.");
  o.field("token", &EdgeSource::token, optional_token,
          "The token (deploy token, access token) for the host of the first `https://` URL; read "
          "again for every fetch. Its user is the URL's, or `x-access-token`.");
  o.field("credentials", &EdgeSource::credentials, credentials,
          "Tokens of hosts, where `token` is not enough.")
      .items(0, kMaxCredentials);
  o.field("proxy", &EdgeSource::proxy,
          "The proxy on the way to `https://` URLs: `http://`, `https://`, `socks5://` or "
          "`socks5h://HOST:PORT`; without it what `https_proxy` and its kin say.")
      .format(kProxy);
  o.field("webhookSecret", &EdgeSource::webhook_secret,
          "The key that signs calls of `/hooks/git`.");
  o.check(check_source);
}

}  // namespace

const Type& source_type() {
  static const Object<EdgeSource> type("EdgeSource", "The repository that the edge follows.",
                                       source_fields);
  return type;
}

}  // namespace headgate::schema
