// SPDX-License-Identifier: MIT
#include "reconciler/rollout/progress.h"

#include <filesystem>

#include "reconciler/state/journal.h"
#include "reconciler/state/ledger.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::uint64_t kMaxBytes = 1U << 20;

Result<Progress> parse(const std::string& text) {
  const std::size_t end = text.find('\n');
  const std::string line = text.substr(0, end);
  if (end == std::string::npos || text.substr(end + 1) != schema::sha256_hex(line) + "\n")
    return fail(Blame::Self, "it does not bear its own digest");
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return fail(Blame::Self, "it is not JSON");
  Progress progress;
  progress.generation = number_of(json, "generation");
  progress.step = number_of(json, "step");
  if (const auto left = json.find("leftMs"); left != json.end() && left->is_object())
    for (const auto& [distribution, ms] : left->items())
      if (ms.is_number_unsigned())
        progress.left[distribution] = std::chrono::milliseconds(ms.get<std::uint32_t>());
  return progress;
}

}  // namespace

Status write_progress(Disk& disk, const std::string& path, const Progress& progress) {
  Json json{
      {"generation", progress.generation}, {"step", progress.step}, {"leftMs", Json::object()}};
  for (const auto& [distribution, left] : progress.left)
    json["leftMs"][distribution] =
        std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  const std::string line = json.dump();
  return replace_file(disk, path, line + "\n" + schema::sha256_hex(line) + "\n");
}

Result<std::optional<Progress>> read_progress(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<Progress>();
  HG_TRY(const std::string text, read_file(path, kMaxBytes), "reading it");
  HG_TRY(Progress progress, parse(text), "{}", path);
  return std::optional(std::move(progress));
}

}  // namespace headgate::reconciler
