// SPDX-License-Identifier: MIT
// What `headgate run` was told: the Edge file, overridden by flags and their variables.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/result.h"
#include "schema/diagnostic.h"
#include "schema/model/resources.h"

namespace headgate::cli {

inline constexpr const char* kDefaultConfig = "/etc/headgate/edge.yaml";

/// As given; what is absent leaves the file's word, or the default.
struct RunFlags {
  std::string config = kDefaultConfig;
  CLI::Option* config_option = nullptr;
  std::optional<std::string> source, ref, poll, ssh_key_file, known_hosts, state, admin, health,
      cache_memory, cache_eviction, cache_disk, cache_disk_key_file, geoip, access_log, user,
      waf_debug_header, allowed_signers, openpgp_keyring, trusted_commit, receive, age_identity,
      semver, token_file, path, overlay, proxy;
  std::optional<int> threads;
  std::vector<std::string> http, https, trusted_proxies, mirrors;
};

void add_run_flags(CLI::App& command, RunFlags& flags);

struct Settings {
  schema::Edge edge;
  std::string receive;  ///< the bare repository that is pushed to, and the source; empty: none
  std::vector<schema::Diagnostic>
      diagnostics;  ///< of the Edge file; no settings when one is an error
};

/// Reads the file and lays the flags over it; checks everything that can be checked without
/// touching the machine. Errors: Blame::Config, one line that names the flag.
Result<Settings> read_settings(const RunFlags& flags);

}  // namespace headgate::cli
