// SPDX-License-Identifier: MIT
// Whom an edge tells what becomes of commits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/model/secret.h"

namespace headgate::schema {

/// One of `notifications` of `kind: Edge`.
struct Notification {
  enum class Type { Webhook, GitHub, GitLab, Gitea };
  /// Types of events, as in `/events`.
  enum class Event {
    Activated,
    Refused,
    SourceFailed,
    SourceRecovered,
    SourceSwitched,
    Suspended,
    Resumed,
    Suspected,
    Cleared,
    Overridden,
    Staged,
    Widened,
    Confirmed,
    Invalidated,
    Warmed,
    Upgraded,
    UpgradeFailed,
    Started,
    Stopped
  };
  std::string name;
  Type type = Type::Webhook;
  std::string url;              ///< of a webhook; of a forge's API; empty: the forge's public one
  std::string repository;       ///< of a forge: "owner/name"
  std::optional<Secret> token;  ///< of a forge; of a webhook: the key that signs
  std::string context = "headgate";  ///< of a forge: the name of the status
  std::vector<Event> events = {Event::Activated,       Event::Refused,   Event::SourceFailed,
                               Event::SourceRecovered, Event::Suspended, Event::Resumed,
                               Event::Suspected,       Event::Cleared};  ///< of a webhook
};

}  // namespace headgate::schema
