// SPDX-License-Identifier: MIT
// OpenPGP signatures, checked by gpgv against a closed list of keys: no user's keyring, no agent,
// no network.
#include "reconciler/trust/signature/openpgp.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reconciler/process/process.h"
#include "reconciler/trust/signature/encoding.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

namespace fs = std::filesystem;

constexpr Duration kDeadline = std::chrono::seconds(10);
constexpr std::size_t kMaxKeys = 1000;
constexpr unsigned kSecretKey = 5;
constexpr unsigned kPublicKey = 6;
constexpr unsigned kSecretSubkey = 7;

/// What gpgv says when a signature is not good now, whatever else it says.
constexpr std::array<std::pair<std::string_view, const char*>, 5> kProblems = {{
    {"NO_PUBKEY", "the key is not among those of the signers"},
    {"BADSIG", "the signature is not of this commit"},
    {"EXPSIG", "the signature has expired"},
    {"EXPKEYSIG", "the key has expired"},
    {"REVKEYSIG", "the key has been revoked"},
}};

std::string hex_upper(std::string_view octets) {
  std::string out;
  for (const char c : octets) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return out;
}

/// RFC 4880 section 12.2, version 4.
std::string fingerprint_of(std::string_view body) {
  std::string hashed = "\x99";
  hashed.push_back(static_cast<char>(body.size() >> 8 & 0xff));
  hashed.push_back(static_cast<char>(body.size() & 0xff));
  hashed += body;
  std::string hash(20, '\0');
  if (EVP_Digest(hashed.data(), hashed.size(), reinterpret_cast<unsigned char*>(hash.data()),
                 nullptr, EVP_sha1(), nullptr) != 1)
    return {};
  return hex_upper(hash);
}

struct Packet {
  unsigned tag = 0;
  std::string_view whole;
  std::string_view body;
};

/// Takes octets off the front as a big-endian number; false when there are too few.
bool take_number(std::string_view& octets, std::size_t count, std::size_t& value) {
  if (octets.size() < count) return false;
  value = 0;
  for (const char c : octets.substr(0, count)) value = value << 8 | static_cast<unsigned char>(c);
  octets.remove_prefix(count);
  return true;
}

/// RFC 4880 section 4.2. Lengths that are not known at the beginning (partial, indeterminate) are
/// for data, not for keys.
Result<Packet> take_packet(std::string_view& octets) {
  const std::string_view all = octets;
  std::size_t head = 0;
  std::size_t size = 0;
  bool good = take_number(octets, 1, head) && (head & 0x80) != 0;
  Packet packet;
  if (good && (head & 0x40) != 0) {
    packet.tag = static_cast<unsigned>(head & 0x3f);
    good = take_number(octets, 1, size);
    if (good && size == 255) {
      good = take_number(octets, 4, size);
    } else if (good && size >= 192) {
      std::size_t second = 0;
      good = size < 224 && take_number(octets, 1, second);
      size = ((size - 192) << 8) + second + 192;
    }
  } else if (good) {
    packet.tag = static_cast<unsigned>(head >> 2 & 0xf);
    good = (head & 3) != 3 && take_number(octets, std::size_t{1} << (head & 3), size);
  }
  if (!good || size > octets.size()) return fail(Blame::Config, "it is damaged");
  packet.body = octets.substr(0, size);
  octets.remove_prefix(size);
  packet.whole = all.substr(0, all.size() - octets.size());
  return packet;
}

/// A folder for gpgv that nobody else can read.
class WorkFolder {
 public:
  WorkFolder() {
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    std::string pattern = (error ? fs::path("/tmp") : parent) / "headgate-gpgv-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  const std::string& path() const { return path_; }

  Status write(const std::string& name, std::string_view content) const {
    std::ofstream file(path_ + "/" + name, std::ios::binary);
    file << content;
    file.close();
    if (path_.empty() || !file)
      return fail(Blame::Self, "no room for gpgv in {}; set TMPDIR", path_);
    return {};
  }

 private:
  std::string path_;
};

}  // namespace

Result<std::vector<OpenPgpKey>> parse_openpgp_keys(std::string_view text) {
  std::string octets(text);
  if (const std::size_t begin = text.find("-----BEGIN PGP"); begin != std::string_view::npos) {
    octets.clear();
    for (std::string_view rest = text.substr(begin); !rest.empty();) {
      HG_TRY(const std::string block, decode_armor(rest, "PGP PUBLIC KEY BLOCK", &rest), "armor");
      octets += block;
      rest.remove_prefix(std::min(rest.find_first_not_of(" \r\n"), rest.size()));
    }
  }
  std::vector<OpenPgpKey> keys;
  for (std::string_view rest = octets; !rest.empty();) {
    HG_TRY(const Packet packet, take_packet(rest), "OpenPGP key");
    if (packet.tag == kSecretKey || packet.tag == kSecretSubkey)
      return fail(Blame::Config, "a secret key: take it out, and replace it, as it has been seen");
    if (packet.tag == kPublicKey) {
      if (packet.body.empty() || packet.body.front() != 4 || packet.body.size() > 0xffff)
        return fail(Blame::Config, "a key whose version is not 4");
      keys.push_back({fingerprint_of(packet.body), ""});
    }
    if (keys.empty()) return fail(Blame::Config, "it does not begin with a public key");
    if (keys.size() > kMaxKeys) return fail(Blame::Config, "more than {} keys", kMaxKeys);
    keys.back().packets += packet.whole;
  }
  if (keys.empty()) return fail(Blame::Config, "there is no key in it");
  return keys;
}

OpenPgpVerdict read_gpgv_status(std::string_view status) {
  OpenPgpVerdict verdict;
  std::size_t good = 0;
  std::size_t valid = 0;
  std::istringstream lines{std::string(status)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> parts;
    for (std::string word; words >> word;) parts.push_back(std::move(word));
    if (parts.size() < 2 || parts[0] != "[GNUPG:]") continue;
    const std::string& keyword = parts[1];
    if (keyword == "GOODSIG") ++good;
    if (keyword == "VALIDSIG") {
      ++valid;
      verdict.fingerprint = parts.size() >= 12 ? parts[11] : "";
    }
    if (keyword == "NO_PUBKEY") verdict.key_unknown = true;
    for (const auto& [name, problem] : kProblems)
      if (keyword == name) verdict.problem = problem;
  }
  if (verdict.problem.empty() && (good > 1 || valid > 1))
    verdict.problem = "there are several signatures in it";
  if (verdict.problem.empty() && (good != 1 || valid != 1 || verdict.fingerprint.size() != 40))
    verdict.problem = "gpgv does not accept it";
  if (!verdict.problem.empty()) verdict.fingerprint.clear();
  return verdict;
}

Result<OpenPgpVerdict> verify_openpgp(const std::vector<OpenPgpKey>& keys,
                                      std::string_view signature, std::string_view message) {
  if (keys.empty()) return OpenPgpVerdict{"", true, "there are no OpenPGP keys among the signers"};
  std::string ring;
  for (const OpenPgpKey& key : keys) ring += key.packets;
  const WorkFolder folder;
  HG_CHECK(folder.write("keys.gpg", ring), "gpgv");
  HG_CHECK(folder.write("signature.asc", signature), "gpgv");
  HG_CHECK(folder.write("message", message), "gpgv");
  Command command;
  command.argv = {"gpgv",
                  "--homedir",
                  folder.path(),
                  "--keyring",
                  folder.path() + "/keys.gpg",
                  "--status-fd",
                  "1",
                  "--weak-digest",
                  "SHA1",
                  folder.path() + "/signature.asc",
                  folder.path() + "/message"};
  const char* path = std::getenv("PATH");
  command.environment = {std::string("PATH=") + (path != nullptr ? path : "/usr/bin:/bin"),
                         "LC_ALL=C"};
  command.deadline = kDeadline;
  auto outcome = run_process(command, nullptr);
  if (!outcome || outcome->end != Outcome::End::Exited) {
    auto failure = fail(Blame::Self, "gpgv (of Debian's package gpgv) cannot be run: {}",
                        outcome ? "it did not end by itself" : outcome.error().context);
    failure.value().retry = Retry::SameOrigin;
    return failure;
  }
  OpenPgpVerdict verdict = read_gpgv_status(outcome->output);
  if (outcome->code != 0 && verdict.problem.empty())
    verdict = {"", false, "gpgv does not accept it"};
  return verdict;
}

}  // namespace headgate::reconciler
