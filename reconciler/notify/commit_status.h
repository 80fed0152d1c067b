// SPDX-License-Identifier: MIT
// What an event of the journal says about commits, and how forges take it.
#pragma once

#include <string>
#include <vector>

#include "reconciler/notify/http_call.h"
#include "reconciler/state/journal.h"
#include "schema/model/notification.h"

namespace headgate::reconciler {

/// What became of a commit on this edge.
struct CommitStatus {
  enum class State { Success, Failure };
  std::string commit;  ///< full id
  State state = State::Success;
  std::string description;  ///< one line, at most 140 octets
  friend bool operator==(const CommitStatus&, const CommitStatus&) = default;
};

/// `activated`: success; a rollback is a failure of the commit that was live, too. `refused`:
/// failure, with the first diagnostic. Other events say nothing about a commit. Threads: pure.
std::vector<CommitStatus> commit_statuses(const Json& event);

/// The call that sets `status`: GitHub's REST API ("Commit statuses"), GitLab's ("Set commit
/// pipeline status"), Gitea's ("Create a commit status").
HttpCall status_call(const schema::Notification& notification, const schema::Redacted& token,
                     const CommitStatus& status);

/// The call that posts an event to a webhook: `{"edge", "event"}`, with `X-Headgate-Event` and,
/// with a key, GitHub's `X-Hub-Signature-256` over the body.
HttpCall webhook_call(const schema::Notification& notification, const schema::Redacted& key,
                      const std::string& edge, const Json& event);

}  // namespace headgate::reconciler
