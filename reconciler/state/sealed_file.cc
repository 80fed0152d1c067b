// SPDX-License-Identifier: MIT
#include "reconciler/state/sealed_file.h"

#include <filesystem>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::uint64_t kMaxBytes = 1U << 20;

}  // namespace

Status write_sealed(Disk& disk, const std::string& path, const Json& object) {
  const std::string line = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  return replace_file(disk, path, line + "\n" + schema::sha256_hex(line) + "\n");
}

Result<std::optional<Json>> read_sealed(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<Json>();
  HG_TRY(const std::string text, read_file(path, kMaxBytes), "reading it");
  const std::size_t end = text.find('\n');
  const std::string line = text.substr(0, end);
  if (end == std::string::npos || text.substr(end + 1) != schema::sha256_hex(line) + "\n")
    return fail(Blame::Self, "{}: damaged: it does not bear its own digest", path);
  Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return fail(Blame::Self, "{}: not a JSON object", path);
  return std::optional(std::move(object));
}

}  // namespace headgate::reconciler
