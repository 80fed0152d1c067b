// SPDX-License-Identifier: MIT
// `headgate hook …`: what git runs, on the side of who commits and of who is pushed to.
#pragma once

#include <CLI/CLI.hpp>

namespace headgate::cli {

/// Each adds subcommands of `hook`.
void add_receive_hooks(CLI::App& hooks, int* exit_code);
void add_pre_commit(CLI::App& hooks, int* exit_code);

}  // namespace headgate::cli
