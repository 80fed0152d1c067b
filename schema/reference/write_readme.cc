// SPDX-License-Identifier: MIT
// The target `schema_reference`: writes the generated parts of README.md anew.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "schema/reference/readme.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_readme README.md\n";
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  std::string readme((std::istreambuf_iterator<char>(in)), {});
  if (!in) {
    std::cerr << argv[1] << " cannot be read\n";
    return 1;
  }
  std::ofstream out(argv[1], std::ios::binary | std::ios::trunc);
  out << headgate::schema::regenerate_readme(readme);
  out.close();
  return out ? 0 : 1;
}
