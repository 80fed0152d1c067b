// SPDX-License-Identifier: MIT
// Fuzzes the readers of access logs, and what is decided of the requests in them.
#include <cstdint>
#include <sstream>
#include <string>

#include "reconciler/plan/replay.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

using namespace headgate;

namespace {

std::shared_ptr<const snapshot::Configuration> configuration(const std::string& more) {
  const std::map<std::string, std::string> files = {{"repository.yaml", R"(
apiVersion: headgate/v1
kind: Distribution
metadata: { name: a }
spec:
  aliases: ["*"]
  origins: [{ id: o, domainName: o.test }]
  defaultCacheBehavior: { targetOriginId: o, viewerProtocolPolicy: allow-all }
)" + more}};
  const schema::MemoryTree tree(files);
  schema::Loader loader;
  return snapshot::compile(loader.load(tree).model, {}, nullptr).configuration;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static const auto kBefore = configuration("");
  static const auto kAfter =
      configuration("  restrictions: { geo: { type: whitelist, locations: [DE] } }\n");
  std::istringstream log(std::string(reinterpret_cast<const char*>(octets), size));
  reconciler::Replay replay(kBefore, kAfter);
  reconciler::read_requests(log, [&replay](const auto& request) { replay.add(request); });
  const std::string text =
      to_text(replay.report()) +
      to_json(replay.report()).dump(-1, ' ', false, reconciler::Json::error_handler_t::replace);
  if (text.find('\x1b') != std::string::npos) __builtin_trap();
  return 0;
}
