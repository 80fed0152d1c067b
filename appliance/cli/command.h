// SPDX-License-Identifier: MIT
// Subcommands: one function each adds it to the program; what they share about flags and output.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "schema/diagnostic.h"

namespace headgate::cli {

/// The exit codes of every subcommand.
enum Exit : int {
  kOk = 0,
  kFailure = 1,      ///< or: there are differences, or: not ready
  kInvalid = 2,      ///< flags, the Edge file or the configuration
  kTestsFailed = 3,  ///< expectations
};

/// Each adds one subcommand; running it leaves its exit code in `*exit_code`.
void add_run(CLI::App& program, int* exit_code);
void add_validate(CLI::App& program, int* exit_code);
void add_test(CLI::App& program, int* exit_code);
void add_explain(CLI::App& program, int* exit_code);
void add_verify(CLI::App& program, int* exit_code);
void add_audit(CLI::App& program, int* exit_code);
void add_diff(CLI::App& program, int* exit_code);
void add_status(CLI::App& program, int* exit_code);
void add_wait(CLI::App& program, int* exit_code);
void add_events(CLI::App& program, int* exit_code);
void add_get(CLI::App& program, int* exit_code);
void add_purge(CLI::App& program, int* exit_code);
void add_rollback(CLI::App& program, int* exit_code);
void add_suspend(CLI::App& program, int* exit_code);
void add_resume(CLI::App& program, int* exit_code);
void add_upgrade(CLI::App& program, int* exit_code);
void add_factory_reset(CLI::App& program, int* exit_code);
void add_warm(CLI::App& program, int* exit_code);
void add_hook(CLI::App& program, int* exit_code);
void add_init(CLI::App& program, int* exit_code);
void add_schema(CLI::App& program, int* exit_code);
void add_demo_origin(CLI::App& program, int* exit_code);
void add_replay_cache(CLI::App& program, int* exit_code);
void add_generate_trace(CLI::App& program, int* exit_code);

/// A flag with a value: the last one given wins, and HEADGATE_<FLAG> stands for it. `flag` is
/// "--cache-memory".
template <class T>
CLI::Option* add_flag_with_value(CLI::App& command, const std::string& flag, T& value,
                                 const std::string& help, const std::string& type) {
  std::string variable = "HEADGATE_";
  for (const char c : flag.substr(2))
    variable += c == '-' ? '_' : static_cast<char>(c - ('a' <= c && c <= 'z' ? 32 : 0));
  return command.add_option(flag, value, help)->envname(variable)->type_name(type)->take_last();
}

/// --allowed-signers and --openpgp-keyring, into texts that may be optional.
template <class T>
void add_verify_flags(CLI::App& command, T& allowed_signers, T& openpgp_keyring) {
  add_flag_with_value(command, "--allowed-signers", allowed_signers,
                      "Whose SSH signatures are trusted before there is a signers.yaml.", "FILE");
  add_flag_with_value(command, "--openpgp-keyring", openpgp_keyring,
                      "The same for OpenPGP: a file of public keys.", "FILE");
}

/// One line on standard error: "headgate: …".
void complain(std::string_view message);

/// Whether `stream` is a terminal that wants colours: NO_COLOR is respected.
bool wants_colour(std::FILE* stream);

/// Every diagnostic, as `file:line:col: error: …` with its hint, on standard output.
void print(const std::vector<schema::Diagnostic>& diagnostics);

/// "2 errors, 1 warning".
std::string count(const std::vector<schema::Diagnostic>& diagnostics);

}  // namespace headgate::cli
