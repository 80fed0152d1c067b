// SPDX-License-Identifier: MIT
#include "reconciler/rollout/progress.h"

#include "reconciler/state/ledger.h"
#include "reconciler/state/sealed_file.h"

namespace headgate::reconciler {

Status write_progress(Disk& disk, const std::string& path, const Progress& progress) {
  Json left = Json::object();
  for (const auto& [distribution, time] : progress.left)
    left[distribution] = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return write_sealed(
      disk, path,
      Json{{"generation", progress.generation}, {"step", progress.step}, {"leftMs", left}});
}

Result<std::optional<Progress>> read_progress(const std::string& path) {
  HG_TRY(const std::optional<Json> json, read_sealed(path), "reading it");
  if (!json) return std::optional<Progress>();
  Progress progress;
  progress.generation = number_of(*json, "generation");
  progress.step = number_of(*json, "step");
  if (const auto left = json->find("leftMs"); left != json->end() && left->is_object())
    for (const auto& [distribution, ms] : left->items())
      if (ms.is_number_unsigned())
        progress.left[distribution] = std::chrono::milliseconds(ms.get<std::uint32_t>());
  return std::optional(std::move(progress));
}

}  // namespace headgate::reconciler
