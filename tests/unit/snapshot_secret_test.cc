// SPDX-License-Identifier: MIT
// What encrypted secrets are read with, against the vectors of BIP 173 and RFC 5869, and against
// age itself.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "appliance/snapshot/secret/age.h"
#include "appliance/snapshot/secret/bech32.h"
#include "appliance/snapshot/secret/crypto.h"
#include "tests/support/scratch.h"

namespace {

using namespace headgate;
using namespace headgate::snapshot;

std::string octets(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

Octets32 key(std::string_view hex) {
  const std::string text = octets(hex);
  Octets32 out{};
  std::copy(text.begin(), text.end(), out.begin());
  return out;
}

TEST_CASE("bech32 as BIP 173 has it") {
  for (const char* valid :
       {"A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"})
    CHECK_MESSAGE(bech32_decode(valid), valid);
  for (const char* invalid : {"pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8",
                              "10a06t8", "1qzzfhee", "A12uEL5L", "a12uel5m", ""})
    CHECK_MESSAGE(!bech32_decode(invalid), invalid);
  const auto decoded = bech32_decode("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
  REQUIRE(decoded);
  CHECK(decoded->prefix == "abcdef");
  CHECK(bech32_encode(decoded->prefix, decoded->octets) ==
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
}

TEST_CASE("HKDF with SHA-256, RFC 5869 appendix A.1 and A.3") {
  const std::string secret(22, '\x0b');
  CHECK(hkdf_sha256(view_of(secret), view_of(octets("000102030405060708090a0b0c")),
                    octets("f0f1f2f3f4f5f6f7f8f9")) ==
        key("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
  CHECK(hkdf_sha256(view_of(secret), {}, "") ==
        key("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"));
}

constexpr const char* kIdentity =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
constexpr const char* kRecipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

std::vector<AgeIdentity> identities() {
  return *parse_age_identities(schema::Redacted(std::string("# a comment\n\n") + kIdentity + "\n"));
}

/// What age makes of `text`.
std::string encrypted(const std::string& text, const std::string& options) {
  const headgate::test::ScratchFolder folder;
  const std::string plain = folder.path() + "/plain";
  std::ofstream(plain, std::ios::binary) << text;
  const std::string command = "age " + options + " -o " + folder.path() + "/out " + plain;
  REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
  std::ifstream file(folder.path() + "/out", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("an identity and its recipient, as age's test kit has them") {
  const auto identity = AgeIdentity::parse(kIdentity);
  REQUIRE(identity);
  CHECK(identity->recipient() == kRecipient);
  for (const char* bad :
       {"", "AGE-SECRET-KEY-1", kRecipient,
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEQ"}) {
    const auto none = AgeIdentity::parse(bad);
    REQUIRE_FALSE(none);
    CHECK(none.error().context.find("GFPYY") == std::string::npos);
  }
  CHECK_FALSE(parse_age_identities(schema::Redacted("# nothing\n")));
}

TEST_CASE("a point of small order is no share") {
  const Octets32 secret = key("0900000000000000000000000000000000000000000000000000000000000009");
  CHECK_FALSE(x25519(secret, Octets32{}));
}

TEST_CASE("what age has encrypted is read, of any length, armored or not") {
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 131072, 200000}) {
    CAPTURE(size);
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31);
    for (const char* armor : {"", "-a "}) {
      const auto read =
          age_decrypt(encrypted(text, std::string(armor) + "-r " + kRecipient), identities());
      REQUIRE(read);
      CHECK(read->reveal() == text);
    }
  }
}

TEST_CASE("what was altered, or breaks off, is refused") {
  const std::string file = encrypted("a secret", std::string("-r ") + kRecipient);
  for (std::size_t i = 0; i < file.size(); ++i) {
    CAPTURE(i);
    std::string altered = file;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    CHECK_FALSE(age_decrypt(altered, identities()));
    CHECK_FALSE(age_decrypt(file.substr(0, i), identities()));
  }
  CHECK_FALSE(age_decrypt(file + "x", identities()));
  const std::string armored = encrypted("a secret", std::string("-a -r ") + kRecipient);
  for (std::size_t i = 0; i + 1 < armored.size(); ++i)
    CHECK_MESSAGE(!age_decrypt(armored.substr(0, i), identities()), i);
}

TEST_CASE("a file for somebody else says so") {
  const auto other = age_decrypt(
      encrypted("x", "-r age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"),
      identities());
  REQUIRE_FALSE(other);
  CHECK(other.error().context.find("none of its recipients is ours") != std::string::npos);
}

}  // namespace
