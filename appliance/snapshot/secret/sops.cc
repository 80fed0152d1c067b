// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/sops.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "appliance/base/base64.h"
#include "appliance/snapshot/secret/crypto.h"
#include "appliance/snapshot/secret/secrets.h"

namespace headgate::snapshot {
namespace {

constexpr std::size_t kDataKey = 32;

/// What all values say, as sops hashes it: one after the other, SHA-512, in capitals.
class Digest {
 public:
  Digest() { EVP_DigestInit_ex(context_.get(), EVP_sha512(), nullptr); }
  void add(std::string_view text) { EVP_DigestUpdate(context_.get(), text.data(), text.size()); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string out;
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02X}", digest[i]);
    return out;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* it) const { EVP_MD_CTX_free(it); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
};

/// ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]
std::optional<std::string> decrypt_value(std::string_view text, const std::string& key,
                                         std::string_view additional) {
  constexpr std::string_view kBegin = "ENC[AES256_GCM,";
  if (!text.starts_with(kBegin) || !text.ends_with(']')) return std::nullopt;
  text.remove_prefix(kBegin.size());
  text.remove_suffix(1);
  std::map<std::string_view, std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = part.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view name = part.substr(0, colon);
    if (name == "type") continue;  // the text is what it is of
    auto octets = base::decode_base64(part.substr(colon + 1));
    if (!octets) return std::nullopt;
    parts[name] = std::move(*octets);
  }
  return open_aes256_gcm(view_of(key), view_of(parts["iv"]), view_of(parts["data"]),
                         view_of(parts["tag"]), additional);
}

Result<std::string> data_key(const schema::SopsFile& file,
                             const std::vector<AgeIdentity>& identities) {
  std::string recipients;
  for (const auto& recipient : file.age) {
    for (const AgeIdentity& identity : identities) {
      if (identity.recipient() != recipient.name) continue;
      HG_TRY(const schema::Redacted key, age_decrypt(recipient.key, {identity}), "its key for {}",
             recipient.name);
      if (key.reveal().size() == kDataKey) return key.reveal();
      return fail(Blame::Config, "its key for {} has not {} octets", recipient.name, kDataKey);
    }
    recipients += (recipients.empty() ? "" : ", ") + recipient.name;
  }
  std::string ours;
  for (const AgeIdentity& identity : identities)
    ours += (ours.empty() ? "" : ", ") + identity.recipient();
  return fail(Blame::Config, "it is encrypted for {}, and this edge is {}", recipients, ours);
}

}  // namespace

Result<std::vector<schema::Redacted>> sops_decrypt(const schema::SopsFile& file,
                                                   const std::vector<AgeIdentity>& identities) {
  HG_TRY(std::string key, data_key(file, identities), "{}", file.file);
  std::vector<schema::Redacted> values;
  Digest digest;
  for (const schema::SopsValue& value : file.values) {
    if (!value.encrypted) {
      if (!file.mac_only_encrypted) digest.add(value.text);
      values.emplace_back();
      continue;
    }
    auto text = decrypt_value(value.text, key, value.path);
    if (!text) {
      wipe(key);
      return fail(Blame::Config, "{}: the value of {} has been altered, moved or is damaged",
                  file.file, value.path.substr(0, value.path.size() - 1));
    }
    digest.add(*text);
    values.emplace_back(std::move(*text));
  }
  const auto mac = decrypt_value(file.mac, key, file.last_modified);
  wipe(key);
  if (!mac || !equal_in_constant_time(view_of(*mac), view_of(digest.hex())))
    return fail(Blame::Config,
                "{}: its MAC is of another content: a value was altered, added or "
                "taken away without sops",
                file.file);
  return values;
}

Result<std::vector<schema::Redacted>> SopsSecrets::open(const schema::SopsFile& file) {
  if (!identity_)
    return fail(Blame::Config,
                "{}: this edge has no age identity: --age-identity FILE, or "
                "secrets.ageIdentity of its Edge file",
                file.file);
  HG_TRY(const schema::Redacted text, resolve(*identity_), "--age-identity");
  HG_TRY(const auto identities, parse_age_identities(text), "--age-identity");
  return sops_decrypt(file, identities);
}

Result<schema::Redacted> SopsSecrets::find(const std::string& name) {
  const auto& secret = model_.secrets.at(name);  // validated by schema/
  auto opened = opened_.find(secret.file.get());
  if (opened == opened_.end()) {
    auto values = open(*secret.file);
    if (!values) return tl::unexpected<Error>(std::move(values.error()));
    opened = opened_.emplace(secret.file.get(), std::move(*values)).first;
  }
  const schema::Redacted& value = opened->second[secret.value];
  if (value.empty()) return fail(Blame::Config, "{}: {} is empty", secret.file->file, name);
  return value;
}

}  // namespace headgate::snapshot
