// SPDX-License-Identifier: MIT
// A QuicClient that takes its commands from stdin and tells on stdout: see h3_raw.py.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/support/quic_client.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: h3_raw ADDRESS PORT NAME\n";
    return 2;
  }
  headgate::test::QuicClient client(
      argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])), argv[3],
      [](const std::string& line) { std::cout << line << std::endl; });
  std::string input;
  while (true) {
    if (!client.turn(STDIN_FILENO)) continue;
    std::array<char, 65536> octets;
    const ssize_t size = read(STDIN_FILENO, octets.data(), octets.size());
    if (size <= 0) {  // the edge need not wait for us
      if (!client.ended()) client.command("close 256");
      return 0;
    }
    input.append(octets.data(), static_cast<std::size_t>(size));
    for (std::size_t eol = 0; (eol = input.find('\n')) != std::string::npos;) {
      const std::string line = input.substr(0, eol);
      input.erase(0, eol + 1);
      if (!client.ended()) client.command(line);
    }
  }
}
