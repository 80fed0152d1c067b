// SPDX-License-Identifier: MIT
// Whom the machine itself trusts: the files that its operator named.
#include "reconciler/trust/machine.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxOctets = std::size_t{1} << 20;

Result<std::string> read_file(const std::string& path) {
  std::string text;
  if (path.empty()) return text;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  text.resize(kMaxOctets + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.is_open() || file.bad() || (text.empty() && errno != 0))
    return fail(Blame::Config, "{}", std::strerror(errno));
  if (text.size() > kMaxOctets)
    return fail(Blame::Config, "larger than {}", format_size(kMaxOctets));
  return text;
}

}  // namespace

Result<std::shared_ptr<const Policy>> read_machine_policy(const schema::EdgeVerify& verify) {
  std::shared_ptr<const Policy> none;
  if (verify.allowed_signers.empty() && verify.openpgp_keyring.empty()) return none;
  HG_TRY(const std::string signers, read_file(verify.allowed_signers), "--allowed-signers {}",
         verify.allowed_signers);
  HG_TRY(const std::string ring, read_file(verify.openpgp_keyring), "--openpgp-keyring {}",
         verify.openpgp_keyring);
  // Each file is tried alone, so that the message names it.
  if (!verify.allowed_signers.empty()) {
    HG_TRY([[maybe_unused]] const Policy alone, Policy::of_machine(signers, ""),
           "--allowed-signers {}", verify.allowed_signers);
  }
  if (!verify.openpgp_keyring.empty()) {
    HG_TRY([[maybe_unused]] const Policy alone, Policy::of_machine("", ring),
           "--openpgp-keyring {}", verify.openpgp_keyring);
  }
  HG_TRY(Policy policy, Policy::of_machine(signers, ring), "verify");
  return std::shared_ptr<const Policy>(std::make_shared<const Policy>(std::move(policy)));
}

}  // namespace headgate::reconciler
