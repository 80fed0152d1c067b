// SPDX-License-Identifier: MIT
// How subcommands find and ask a running appliance.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "appliance/admin/server.h"
#include "appliance/cli/command.h"
#include "schema/base/units.h"

namespace headgate::cli {

using Json = nlohmann::ordered_json;

/// `--admin`, as every client has it.
void add_admin_flag(CLI::App& command, std::string& admin);

/// The bearer token that HEADGATE_ADMIN_TOKEN holds: a variable, because everybody can read a
/// command line.
std::optional<schema::Redacted> admin_token();

/// GET `target`; JSON. Errors: Blame::Config or Blame::Self with one line that says what to do.
Result<Json> ask(const std::string& admin, const std::string& target);

/// GET `target`; as it comes. Errors: the same.
Result<std::string> fetch(const std::string& admin, const std::string& target);

/// POST; JSON. What is wrong with the body is in the error, with its diagnostics. Errors: the same.
Result<Json> tell(const std::string& admin, const std::string& target, const std::string& body);

/// Members of a reply that may be missing or null: then empty.
std::string text(const Json& json, const char* name);
const Json& list(const Json& json, const char* name);

/// As a terminal may show it: control characters escaped.
std::string clean(const std::string& text);

/// Returns when `commit` (a hash, or its beginning) has been live (`or_staged`: or serves a share
/// of the viewers), is refused, or `timeout` is over; says so. The exit code.
int wait_until_live(const std::string& admin, const std::string& commit, Duration timeout,
                    bool or_staged = false);

/// One line of a run of /warm: "Running, 120 of 300, 2 failed, 9.8/s".
std::string warm_progress(const Json& run);
/// `headgate get warm`.
int print_warm(const std::string& admin, bool json);

inline constexpr const char* kDefaultAdmin = "127.0.0.1:9900";

}  // namespace headgate::cli
