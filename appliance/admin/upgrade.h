// SPDX-License-Identifier: MIT
// What an operator may ask of the machine itself, where it is the appliance image.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "schema/base/result.h"

namespace headgate::admin {

/// Empty functions: this machine has no updater. Each returns what will happen, in one line for
/// people. Errors: Blame::Client for a bad request, Blame::Config when it cannot be done now,
/// Blame::Self when the disk fails. Threads: any of the listener's.
struct Upgrading {
  std::function<Result<std::string>(const std::string& url, bool urgent)> from;
  /// A piece of a file that is sent, at `offset`.
  std::function<Status(std::uint64_t offset, std::string_view octets)> receive;
  /// The file is whole.
  std::function<Result<std::string>(bool urgent)> received;
  std::function<Result<std::string>()> reset;
};

struct Answer;
struct Call;

/// POST /upgrade/file?offset=N, the body a piece of a file; then POST /upgrade `{"received":
/// true}`, or `{"from": "https://…"}`, with `"urgent": true` outside of change windows, too; POST
/// /factory-reset `{"forget": "everything"}`: 200 or 202 `{"done": "…"}`, 400, 404, 409, 503.
Answer answer_upgrade(const Call& call, const Upgrading& upgrading);

}  // namespace headgate::admin
