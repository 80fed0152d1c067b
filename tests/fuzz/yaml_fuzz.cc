// SPDX-License-Identifier: MIT
// Feeds octets to the YAML reader and every table of fields: nothing may crash, hang, or leave a
// diagnostic that breaks its line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "schema/encode.h"
#include "schema/files/document.h"
#include "schema/load.h"
#include "tests/support/memory_tree.h"

using namespace headgate::schema;

namespace {

void check(const Diagnostic& diagnostic) {
  std::string text = diagnostic.text();
  std::size_t lines = 0;
  for (char c : text) {
    if (c == '\n') ++lines;
    bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n';
    if (control) std::abort();
  }
  if (lines > 1 || diagnostic.code == 0 || diagnostic.message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  MemoryTree tree;
  tree.put("fuzz.yaml", text);
  tree.put("page.html", "page");
  tree.put("shop.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
  Loader loader;
  Loaded loaded = loader.load(tree);
  for (const Diagnostic& diagnostic : loaded.diagnostics) check(diagnostic);
  if (loaded.model) static_cast<void>(to_json(*loaded.model).dump());
  LoadedEdge edge = load_edge("edge.yaml", text);
  for (const Diagnostic& diagnostic : edge.diagnostics) check(diagnostic);
  if (edge.edge) static_cast<void>(to_json(*edge.edge).dump());
  return 0;
}
