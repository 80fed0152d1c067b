// SPDX-License-Identifier: MIT
// Keys and signatures: those of ssh-keygen hold, what was altered does not, and hostile octets are
// only ever refused.
#include <doctest/doctest.h>

#include <cstdio>

#include "appliance/base/base64.h"
#include "reconciler/trust/signature/allowed_signers.h"
#include "reconciler/trust/signature/encoding.h"
#include "reconciler/trust/signature/openpgp.h"
#include "reconciler/trust/signature/ssh.h"
#include "tests/support/scratch.h"

using namespace headgate;
using namespace headgate::reconciler;
using test::ScratchFolder;

namespace {

const std::string kMessage = "tree 1234\n\nmessage\n";

void run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  REQUIRE_MESSAGE(::pclose(pipe) == 0, command << ": " << output);
}

/// A key of ssh-keygen's, and its signature of kMessage.
struct Signed {
  ScratchFolder folder;
  std::string line;  ///< "ssh-ed25519 AAAA…"
  std::string armored;

  explicit Signed(const std::string& kind, const std::string& name_space = "git") {
    run("ssh-keygen -q " + kind + " -N '' -C '' -f " + folder / "key");
    test::write(folder / "message", kMessage);
    run("ssh-keygen -q -Y sign -n " + name_space + " -f " + folder / "key" + " " +
        folder / "message");
    line = test::read(folder / "key.pub");
    line = line.substr(0, line.find_last_not_of(" \n") + 1);
    armored = test::read(folder / "message.sig");
  }
  std::string blob() const { return *base::decode_base64(line.substr(line.find(' ') + 1)); }
};

std::string error_of(const std::string& allowed_signers) {
  const auto keys = parse_allowed_signers(allowed_signers);
  return keys ? "" : keys.error().context;
}

const std::string kKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB35z/jFDD0sKfXG5ZnbK76aWzzWC5D4VHnYh8GjYUc5";

}  // namespace

TEST_CASE("fields of the SSH protocol never reach beyond the end") {
  const std::string fields = ssh_text("a") + ssh_text("");
  SshReader good(fields);
  CHECK(good.text() == "a");
  CHECK(good.text().empty());
  CHECK(good.done());
  CHECK(good.text().empty());
  CHECK_FALSE(good.good());
  for (const std::string& octets : {std::string("\0\0\0", 3), std::string("\0\0\0\2a", 5),
                                    std::string("\xff\xff\xff\xffx", 5)}) {
    SshReader reader(octets);
    CHECK(reader.text().empty());
    CHECK_FALSE(reader.good());
    CHECK_FALSE(reader.done());
  }
  const std::string high = ssh_text("\x80");
  SshReader negative(high);
  negative.natural();
  CHECK_FALSE(negative.good());
}

TEST_CASE("signatures of ssh-keygen hold, and no altered one does") {
  for (const char* kind :
       {"-t ed25519", "-t ecdsa -b 256", "-t ecdsa -b 384", "-t ecdsa -b 521", "-t rsa -b 2048"}) {
    CAPTURE(kind);
    const Signed made(kind);
    const auto key = SshKey::parse(made.blob());
    REQUIRE_MESSAGE(key.has_value(), (key ? "" : key.error().context));
    const auto signature = parse_ssh_signature(made.armored);
    REQUIRE_MESSAGE(signature.has_value(), (signature ? "" : signature.error().context));
    CHECK(verifies(*key, *signature, "git", kMessage));
    CHECK_FALSE(verifies(*key, *signature, "git", kMessage + " "));
    CHECK_FALSE(verifies(*key, *signature, "file", kMessage));

    for (std::size_t i = 0; i < signature->signature.size(); ++i) {
      SshSignature altered = *signature;
      altered.signature[i] = static_cast<char>(altered.signature[i] ^ 1);
      CHECK_FALSE(verifies(*key, altered, "git", kMessage));
      altered.signature = signature->signature.substr(0, i);
      CHECK_FALSE(verifies(*key, altered, "git", kMessage));
    }
    for (const char* algorithm : {"ssh-rsa", "ssh-dss", "", "none", "rsa-sha2-1024"}) {
      SshSignature altered = *signature;
      altered.algorithm = algorithm;
      CHECK_FALSE(verifies(*key, altered, "git", kMessage));
    }
    for (const char* hash : {"sha1", "md5", "", "none", "SHA512"}) {
      SshSignature altered = *signature;
      altered.hash = hash;
      CHECK_FALSE(verifies(*key, altered, "git", kMessage));
    }
  }
}

TEST_CASE("a signature with the key of another one does not hold") {
  const Signed alice("-t ed25519");
  const Signed mallory("-t ed25519");
  const auto key = SshKey::parse(alice.blob());
  auto signature = parse_ssh_signature(mallory.armored);
  REQUIRE(signature.has_value());
  CHECK_FALSE(verifies(*key, *signature, "git", kMessage));
  signature->key = alice.blob();
  CHECK_FALSE(verifies(*key, *signature, "git", kMessage));
}

TEST_CASE("a signature that is cut short or followed by something is refused") {
  const Signed made("-t ed25519");
  for (std::size_t size = 0; size + 1 < made.armored.size(); ++size)
    CHECK_FALSE(parse_ssh_signature(made.armored.substr(0, size)));
  CHECK_FALSE(parse_ssh_signature(made.armored + made.armored));
  CHECK_FALSE(parse_ssh_signature("x" + made.armored));
}

TEST_CASE("keys that are weak, damaged or of other kinds are refused") {
  const Signed rsa("-t rsa -b 1024");
  CHECK(SshKey::parse(rsa.blob()).error().context.find("1024 bits") != std::string::npos);
  CHECK(SshKey::parse(ssh_text("ssh-dss") + ssh_text("x")).error().context.find("not supported") !=
        std::string::npos);
  const Signed ecdsa("-t ecdsa -b 256");
  std::string off_the_curve = ecdsa.blob();
  off_the_curve.back() = static_cast<char>(off_the_curve.back() ^ 1);
  CHECK_FALSE(SshKey::parse(off_the_curve));
  for (const Signed* made : {&rsa, &ecdsa})
    for (std::size_t size = 0; size < made->blob().size(); ++size)
      CHECK_FALSE(SshKey::parse(made->blob().substr(0, size)));
  CHECK_FALSE(SshKey::parse(ecdsa.blob() + "x"));
}

TEST_CASE("allowed signers are read as ssh-keygen reads them") {
  const auto keys =
      parse_allowed_signers("# people\n\n  alice@example.com,al " + kKey +
                            " a comment\r\n"
                            "bob namespaces=\"file\" " +
                            kKey +
                            "\n"
                            "\"carol\" namespaces=\"file,git\",valid-after=\"20260101Z\","
                            "valid-before=\"202702281230Z\" " +
                            kKey + "\n");
  REQUIRE_MESSAGE(keys.has_value(), (keys ? "" : keys.error().context));
  REQUIRE(keys->size() == 2);
  CHECK((*keys)[0].names == std::vector<std::string>{"alice@example.com", "al"});
  CHECK_FALSE((*keys)[0].valid_after);
  CHECK((*keys)[1].names == std::vector<std::string>{"carol"});
  CHECK((*keys)[1].valid_after == 1767225600);
  CHECK((*keys)[1].valid_before == 1803817800);
}

TEST_CASE("what allowed signers cannot mean here is said with its line") {
  CHECK(error_of("\n* " + kKey).starts_with("line 2: "));
  CHECK(error_of("*@example.com " + kKey).find("without blanks, commas and wildcards") !=
        std::string::npos);
  CHECK(error_of("alice cert-authority " + kKey).find("\"cert-authority\" is not supported") !=
        std::string::npos);
  CHECK(error_of("alice valid-before=\"20260101\" " + kKey).find("has no Z") != std::string::npos);
  CHECK(error_of("alice valid-before=\"20260231Z\" " + kKey).find("there is no time") !=
        std::string::npos);
  CHECK(error_of("alice valid-before=\"2026Z\" " + kKey).find("is not YYYYMMDD") !=
        std::string::npos);
  CHECK(error_of("alice").find("NAME[,NAME…]") != std::string::npos);
  CHECK(error_of("alice ssh-ed25519").find("NAME[,NAME…]") != std::string::npos);
  CHECK(error_of("alice ssh-rsa " + kKey.substr(12)).find("not of the type") != std::string::npos);
  CHECK(error_of("alice,,bob " + kKey).find("not the name of a signer") != std::string::npos);
  CHECK(error_of("alice sk-ssh-ed25519@openssh.com " +
                 std::string("AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t"))
            .find("not supported") != std::string::npos);
}

TEST_CASE("OpenPGP keys are public ones of version 4") {
  const auto packet = [](char tag, const std::string& body) {
    return std::string(1, static_cast<char>(0x80 | tag << 2 | 1)) +
           static_cast<char>(body.size() >> 8) + static_cast<char>(body.size() & 0xff) + body;
  };
  const std::string key = packet(6, "\x04 body");
  const auto one = parse_openpgp_keys(key + packet(13, "name") + packet(14, "subkey"));
  REQUIRE(one.has_value());
  CHECK(one->size() == 1);
  CHECK(one->front().fingerprint.size() == 40);
  CHECK(parse_openpgp_keys(key + key)->size() == 2);
  CHECK(parse_openpgp_keys(packet(5, "\x04 secret")).error().context.find("secret key") !=
        std::string::npos);
  for (const std::string& bad :
       {std::string(), std::string("hello"), packet(13, "name"), packet(6, "\x03 old"),
        packet(6, ""), key.substr(0, key.size() - 1), key + "\x01", std::string("\xc6\xff", 2),
        std::string("\xc6\xe1", 2), std::string("\x9b\x04", 2),
        std::string("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"),
        std::string("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n")})
    CHECK_FALSE(parse_openpgp_keys(bad));
}

TEST_CASE("only one good signature by a key that is good now counts") {
  const std::string primary(40, 'A');
  const std::string good = "[GNUPG:] GOODSIG 0123456789ABCDEF erin\n";
  const std::string valid = "[GNUPG:] VALIDSIG " + std::string(40, 'B') +
                            " 2026-11-20 1 0 4 0 22 10 00 " + primary + "\n";
  CHECK(read_gpgv_status(good + valid).fingerprint == primary);
  CHECK(read_gpgv_status(good + valid).problem.empty());
  for (const std::string& bad :
       {std::string(), good, valid, good + valid + good + valid,
        "[GNUPG:] EXPKEYSIG 0123456789ABCDEF erin\n" + valid,
        "[GNUPG:] REVKEYSIG 0123456789ABCDEF erin\n" + good + valid,
        "[GNUPG:] EXPSIG 0123456789ABCDEF erin\n" + valid,
        "[GNUPG:] BADSIG 0123456789ABCDEF erin\n" + good + valid,
        good + "[GNUPG:] VALIDSIG short\n", std::string("GOODSIG x\nVALIDSIG y\n")}) {
    const OpenPgpVerdict verdict = read_gpgv_status(bad);
    CHECK(verdict.fingerprint.empty());
    CHECK_FALSE(verdict.problem.empty());
    CHECK_FALSE(verdict.key_unknown);
  }
  CHECK(read_gpgv_status("[GNUPG:] ERRSIG 0\n[GNUPG:] NO_PUBKEY 0123456789ABCDEF\n").key_unknown);
}
