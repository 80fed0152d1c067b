// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/age.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <optional>

#include "appliance/base/base64.h"
#include "appliance/snapshot/secret/bech32.h"
#include "appliance/snapshot/secret/crypto.h"

namespace headgate::snapshot {
namespace {

constexpr std::string_view kVersion = "age-encryption.org/v1\n";
constexpr std::string_view kX25519 = "age-encryption.org/v1/X25519";
constexpr std::string_view kBegin = "-----BEGIN AGE ENCRYPTED FILE-----";
constexpr std::string_view kEnd = "-----END AGE ENCRYPTED FILE-----";
constexpr std::size_t kFileKey = 16;
constexpr std::size_t kTag = 16;
constexpr std::size_t kPayloadNonce = 16;
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kMaxStanzas = 1000;

std::optional<std::string> decode_unpadded(std::string_view text) {
  if (text.ends_with('=')) return std::nullopt;
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  return base::decode_base64(padded);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

/// The next line, without its end; none when no line is left.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<std::string> without_armor(std::string_view text) {
  text = trimmed(text);
  std::string base64;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line == kBegin && base64.empty()) continue;
    if (line != kEnd) {
      base64 += line;
      continue;
    }
    if (auto octets = base::decode_base64(base64); octets && text.empty())
      return std::move(*octets);
    break;
  }
  return fail(Blame::Config, "its armor is damaged");
}

}  // namespace

/// header = version, stanzas, "--- " MAC; then a nonce and the chunks.
class AgeFile {
 public:
  explicit AgeFile(std::string_view octets) : octets_(octets), rest_(octets) {}

  Result<schema::Redacted> decrypt(const std::vector<AgeIdentity>& identities) {
    HG_CHECK(read_header(), "the header");
    for (const AgeIdentity& identity : identities)
      for (const Stanza& stanza : stanzas_) {
        auto key = unwrap(stanza, identity);
        if (!key) continue;
        auto content = open(*key);
        wipe(*key);
        return content;
      }
    return fail(Blame::Config, "{}",
                stanzas_.empty() ? "no recipient is an X25519 key (age1…)"
                                 : "none of its recipients is ours");
  }

 private:
  struct Stanza {
    std::string share;
    std::string body;
  };

  Status read_header() {
    if (!rest_.starts_with(kVersion)) return fail(Blame::Config, "it is not of age's version 1");
    rest_.remove_prefix(kVersion.size());
    for (std::size_t count = 0;; ++count) {
      const std::string_view at = rest_;
      const auto line = take_line(rest_);
      if (!line || count > kMaxStanzas) break;
      if (line->starts_with("--- ")) {
        const auto mac = decode_unpadded(line->substr(4));
        if (!mac || mac->size() != mac_.size()) break;
        std::copy(mac->begin(), mac->end(), mac_.begin());
        signed_ = octets_.substr(0, octets_.size() - at.size() + 3);
        return {};
      }
      if (!line->starts_with("-> ")) break;
      std::string body;
      if (!read_body(body)) break;
      constexpr std::string_view kOurs = "X25519 ";
      const std::string_view arguments = line->substr(3);
      if (!arguments.starts_with(kOurs)) continue;
      auto share = decode_unpadded(arguments.substr(kOurs.size()));
      if (!share || share->size() != sizeof(Octets32) || body.size() != kFileKey + kTag) break;
      stanzas_.push_back({std::move(*share), std::move(body)});
    }
    return fail(Blame::Config, "it is damaged");
  }

  /// Lines of 64 characters, and a shorter one, possibly empty, at the end.
  bool read_body(std::string& body) {
    constexpr std::size_t kColumns = 64;
    std::string base64;
    while (const auto line = take_line(rest_)) {
      if (line->size() > kColumns) return false;
      base64 += *line;
      if (line->size() == kColumns) continue;
      auto octets = decode_unpadded(base64);
      if (!octets) return false;
      body = std::move(*octets);
      return true;
    }
    return false;
  }

  /// The file's key, when the stanza is for `identity` and the header is what was signed by it.
  std::optional<std::string> unwrap(const Stanza& stanza, const AgeIdentity& identity) const {
    const auto shared = x25519(identity.secret_, view_of(stanza.share));
    if (!shared) return std::nullopt;
    const std::string salt =
        stanza.share + std::string(identity.public_.begin(), identity.public_.end());
    const std::array<std::uint8_t, 12> nonce{};
    auto key = open_chacha20_poly1305(hkdf_sha256(*shared, view_of(salt), kX25519), nonce,
                                      view_of(stanza.body));
    if (!key) return std::nullopt;
    const Octets32 mac = hmac_sha256(hkdf_sha256(view_of(*key), {}, "header"), signed_);
    if (equal_in_constant_time(mac, mac_)) return key;
    wipe(*key);
    return std::nullopt;
  }

  Result<schema::Redacted> open(const std::string& file_key) {
    if (rest_.size() < kPayloadNonce) return fail(Blame::Config, "it breaks off");
    const Octets32 key =
        hkdf_sha256(view_of(file_key), view_of(rest_.substr(0, kPayloadNonce)), "payload");
    rest_.remove_prefix(kPayloadNonce);
    std::string content;
    std::array<std::uint8_t, 12> nonce{};  // a counter of 11 octets, and whether it is the last
    while (true) {
      const std::string_view chunk = rest_.substr(0, kChunk + kTag);
      rest_.remove_prefix(chunk.size());
      nonce.back() = rest_.empty() ? 1 : 0;
      auto text = open_chacha20_poly1305(key, nonce, view_of(chunk));
      if (!text || (text->empty() && !content.empty())) {
        wipe(content);
        return fail(Blame::Config, "its content is damaged, or breaks off");
      }
      content += *text;
      wipe(*text);
      if (rest_.empty()) return schema::Redacted(std::move(content));
      for (std::size_t i = 11; i-- > 0;)
        if (++nonce[i] != 0) break;
    }
  }

  std::string_view octets_;
  std::string_view rest_;
  std::string_view signed_;
  std::vector<Stanza> stanzas_;
  Octets32 mac_{};
};

AgeIdentity::~AgeIdentity() { OPENSSL_cleanse(secret_.data(), secret_.size()); }

Result<AgeIdentity> AgeIdentity::parse(std::string_view text) {
  auto decoded = bech32_decode(text);
  AgeIdentity identity;
  if (!decoded || decoded->prefix != "age-secret-key-" ||
      decoded->octets.size() != identity.secret_.size())
    return fail(Blame::Config, "it is no identity of age's: AGE-SECRET-KEY-1…");
  std::copy(decoded->octets.begin(), decoded->octets.end(), identity.secret_.begin());
  OPENSSL_cleanse(decoded->octets.data(), decoded->octets.size());
  identity.public_ = x25519_public(identity.secret_);
  return identity;
}

std::string AgeIdentity::recipient() const { return bech32_encode("age", public_); }

Result<std::vector<AgeIdentity>> parse_age_identities(const schema::Redacted& file) {
  std::vector<AgeIdentity> identities;
  std::string_view rest = file.reveal();
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    HG_TRY(AgeIdentity identity, AgeIdentity::parse(line), "line {}", number);
    identities.push_back(identity);
  }
  if (identities.empty())
    return fail(Blame::Config, "there is no identity in it; age-keygen makes one");
  return identities;
}

Result<schema::Redacted> age_decrypt(std::string_view file,
                                     const std::vector<AgeIdentity>& identities) {
  if (!trimmed(file).starts_with(kBegin)) return AgeFile(file).decrypt(identities);
  HG_TRY(const std::string octets, without_armor(file), "age");
  return AgeFile(octets).decrypt(identities);
}

}  // namespace headgate::snapshot
