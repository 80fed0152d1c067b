// SPDX-License-Identifier: MIT
#include "appliance/snapshot/secret/secrets.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace headgate::snapshot {
namespace {

constexpr std::size_t kMaxSecret = 64 * 1024;

Result<schema::Redacted> read_secret_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Blame::Config, "secret file {}: {}", path, std::strerror(errno));
  std::string text(kMaxSecret + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad()) return fail(Blame::Config, "secret file {}: cannot be read", path);
  if (text.size() > kMaxSecret)
    return fail(Blame::Config, "secret file {}: larger than 64 KiB", path);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return fail(Blame::Config, "secret file {}: empty", path);
  return schema::Redacted(std::move(text));
}

}  // namespace

Result<schema::Redacted> resolve(const schema::Secret& secret) {
  switch (secret.source) {
    case schema::Secret::Source::Inline:
      return secret.value;
    case schema::Secret::Source::File:
      return read_secret_file(secret.reference);
    case schema::Secret::Source::Env: {
      const char* value = std::getenv(secret.reference.c_str());
      if (value == nullptr)
        return fail(Blame::Config, "secret variable {} is not set", secret.reference);
      return schema::Redacted(value);
    }
    case schema::Secret::Source::Credential: {
      const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
      if (folder == nullptr)
        return fail(Blame::Config,
                    "credential {}: CREDENTIALS_DIRECTORY is not set; is the unit's "
                    "LoadCredential= missing?",
                    secret.reference);
      return read_secret_file(std::string(folder) + "/" + secret.reference);
    }
    case schema::Secret::Source::Sops:
      return fail(Blame::Config, "secret {}: only resources of the repository have its secrets",
                  secret.reference);
  }
  return fail(Blame::Self, "unknown source of a secret");
}

}  // namespace headgate::snapshot
