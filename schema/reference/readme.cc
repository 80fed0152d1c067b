// SPDX-License-Identifier: MIT
// Puts tables into README.md.
#include "schema/reference/readme.h"

#include "schema/codes.h"
#include "schema/reference/reference.h"

namespace headgate::schema {
namespace {

void replace_part(std::string& readme, const std::string& name, const std::string& content) {
  const std::string begin = "<!-- generated: " + name + " -->\n";
  std::size_t start = readme.find(begin);
  std::size_t end = readme.find("<!-- end -->", start);
  if (start == std::string::npos || end == std::string::npos) return;
  start += begin.size();
  readme.replace(start, end - start, "\n" + content + "\n");
}

}  // namespace

std::string regenerate_readme(const std::string& readme) {
  std::string out = readme;
  replace_part(out, "codes", codes_markdown());
  replace_part(out, "reference", reference_markdown());
  return out;
}

}  // namespace headgate::schema
