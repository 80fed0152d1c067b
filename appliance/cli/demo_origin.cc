// SPDX-License-Identifier: MIT
// `headgate demo-origin`: an origin to try the edge with.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "appliance/cli/command.h"
#include "appliance/demo/origin.h"
#include "schema/validate/syntax.h"

namespace headgate::cli {
namespace {

struct Flags {
  std::string listen = "127.0.0.1:0";
  std::string name = "demo";
};

int run(const Flags& flags) {
  std::string listen = flags.listen;
  if (const std::string expected = schema::kListen.check(listen); !expected.empty()) {
    complain(fmt::format("--listen {}: expected {}", flags.listen, expected));
    return kInvalid;
  }
  demo::OriginOptions options;
  const std::size_t colon = listen.rfind(':');
  options.address = listen.substr(0, colon);
  if (options.address.size() > 2 && options.address.front() == '[')
    options.address = options.address.substr(1, options.address.size() - 2);
  std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), options.port);
  options.name = flags.name;
  return demo::run_origin(options);
}

}  // namespace

void add_demo_origin(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command =
      program.add_subcommand("demo-origin", "Serve a small shop for the edge to cache.");
  add_flag_with_value(*command, "--listen", flags->listen,
                      "Where to listen; port 0 takes a free one.", "ADDR:PORT")
      ->capture_default_str();
  add_flag_with_value(*command, "--name", flags->name,
                      "In X-Demo-Origin and on the page, so that a failover shows.", "NAME")
      ->capture_default_str();
  command->footer(
      "It prints its URL and serves until SIGTERM or SIGINT:\n\n"
      "  /                 a page with a style sheet, a script and an image\n"
      "  /assets/… /images/…   cacheable for a year and a day\n"
      "  /api/products     JSON whose prices change every five seconds, with an ETag\n"
      "  /slow?ms=500      answers late            /fail?status=503   answers with an error\n"
      "  /flaky            503 every other time    /large?mb=64       a large body, with ranges\n"
      "  /headers          the request as it came  /down?seconds=30   503 for everything, for a "
      "while\n\n"
      "Example: headgate demo-origin --listen 127.0.0.1:9001 --name primary\n"
      "Exit codes: 0 after a signal, 1 when it cannot listen, 2 for bad flags.");
  command->callback([flags, exit_code] { *exit_code = run(*flags); });
}

}  // namespace headgate::cli
