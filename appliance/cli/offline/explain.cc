// SPDX-License-Identifier: MIT
// `headgate explain`: the decision about one request, step by step.
#include "appliance/snapshot/offline/explain.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "appliance/cli/command.h"
#include "appliance/cli/offline/configuration.h"

namespace headgate::cli {
namespace {

struct Flags {
  snapshot::ExplainRequest request;
  std::vector<std::string> headers;
  std::string repository = ".";
  std::string revision;
  std::string geoip;
  std::string at;
  schema::Layout layout;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// "Name: value" → the two.
Status add_header(const std::string& line, snapshot::ExplainRequest& request) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string::npos)
    return fail(Blame::Config, "-H {}: expected 'Name: value'", line);
  request.headers.emplace_back(trim(std::string_view(line).substr(0, colon)),
                               trim(std::string_view(line).substr(colon + 1)));
  return {};
}

Result<std::string> explain(Flags& flags, bool* invalid) {
  for (const std::string& line : flags.headers)
    if (Status added = add_header(line, flags.request); !added)
      return tl::unexpected<Error>(std::move(added.error()));
  if (!flags.at.empty()) {
    HG_TRY(flags.request.at, parse_timestamp(flags.at), "--at");
  }
  HG_TRY(const auto tree, open_revision(flags.repository, flags.revision, flags.layout), "explain");
  schema::Loader loader;
  HG_TRY(const auto loaded, load_configuration(loader, *tree, flags.geoip), "explain");
  if (!loaded) {
    print(loaded.error().diagnostics);
    *invalid = true;
    return std::string();
  }
  return snapshot::explain(*loaded->configuration, flags.request);
}

int run(Flags& flags) {
  bool invalid = false;
  const auto text = explain(flags, &invalid);
  if (!text) {
    complain(text.error().context);
    return kInvalid;
  }
  if (invalid) return kInvalid;
  fmt::print("{}{}", *text, text->ends_with('\n') ? "" : "\n");
  return kOk;
}

}  // namespace

void add_explain(CLI::App& program, int* exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = program.add_subcommand("explain", "Show what becomes of a request, and why.");
  command->add_option("method", flags->request.method, "GET, HEAD, POST, …")
      ->required()
      ->type_name("METHOD");
  command->add_option("url", flags->request.url, "Absolute: https://shop.example.com/api?page=2")
      ->required()
      ->type_name("URL");
  command
      ->add_option("-H,--header", flags->headers, "A header field of the request; may be repeated.")
      ->type_name("'Name: value'")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("-d,--data", flags->request.body, "The request's body, for web ACLs.")
      ->type_name("TEXT");
  add_flag_with_value(*command, "--country", flags->request.country,
                      "The client's country, instead of a look-up.", "CC");
  add_flag_with_value(*command, "--ip", flags->request.ip, "The client's address.", "ADDR");
  add_flag_with_value(*command, "--at", flags->at,
                      "When it comes, instead of now: 2026-12-24T10:00:00Z.", "TIME");
  add_flag_with_value(*command, "--repo", flags->repository, "The configuration repository.",
                      "PATH")
      ->capture_default_str();
  add_flag_with_value(*command, "--rev", flags->revision,
                      "A revision of it, instead of the files as they are on disk.", "REV");
  add_layout_flags(*command, flags->layout);
  add_flag_with_value(*command, "--geoip", flags->geoip, "Country database (MMDB), for --ip.",
                      "FILE");
  command->footer(
      "The whole decision, one step a line: host, distribution, behavior, geo, web ACL, protocol, "
      "methods, "
      "cache key,\n"
      "TTL, origin, response headers. Nothing is fetched and no daemon is asked.\n\n"
      "Examples:\n"
      "  headgate explain GET 'https://shop.example.com/api/products?page=2' --country DE\n"
      "  headgate explain GET https://shop.example.com/ -H 'Cookie: a=b' --repo ../site --rev "
      "origin/main\n\n"
      "Exit codes: 0, or 2 when the configuration is invalid or the URL is none.");
  command->callback([flags, exit_code] { *exit_code = run(*flags); });
}

}  // namespace headgate::cli
