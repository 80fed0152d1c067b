// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>

#include "reconciler/notify/commit_status.h"
#include "schema/text.h"

using namespace headgate;
using reconciler::CommitStatus;
using reconciler::Json;
using schema::Notification;

namespace {

const std::string kCommit(40, 'a');
const std::string kOther(40, 'b');
const schema::Redacted kToken("t0ken");

Notification forge(Notification::Type type, const std::string& url = "") {
  Notification notification;
  notification.type = type;
  notification.url = url;
  notification.repository = "team/site";
  return notification;
}

const CommitStatus kBad = {kCommit, CommitStatus::State::Failure, "refused: a.yaml:1:2: error"};

}  // namespace

TEST_CASE("what goes live is a success") {
  const auto statuses = reconciler::commit_statuses(
      Json{{"type", "activated"}, {"commit", kCommit}, {"generation", 12}});
  REQUIRE(statuses.size() == 1);
  CHECK(statuses[0] ==
        CommitStatus{kCommit, CommitStatus::State::Success, "live as generation 12"});
}

TEST_CASE("what is refused is a failure with its first diagnostic") {
  const auto statuses = reconciler::commit_statuses(
      Json{{"type", "refused"},
           {"commit", kCommit},
           {"reason", "ValidationFailed"},
           {"diagnostics", {"a.yaml:1:2: error: [HG1201] unknown field\n  hint: x", "b"}}});
  REQUIRE(statuses.size() == 1);
  CHECK(statuses[0].state == CommitStatus::State::Failure);
  CHECK(statuses[0].description == "refused: a.yaml:1:2: error: [HG1201] unknown field");
  CHECK(reconciler::commit_statuses(
            Json{{"type", "refused"}, {"commit", kCommit}, {"reason", "Replayed"}})[0]
            .description == "refused: Replayed");
}

TEST_CASE("a rollback is a failure of the one and a success of the other") {
  const auto statuses = reconciler::commit_statuses(Json{{"type", "activated"},
                                                         {"commit", kCommit},
                                                         {"generation", 13},
                                                         {"rolledBackFrom", kOther},
                                                         {"by", "guard"},
                                                         {"reason", "shop: 50.0 % ended as 5xx"}});
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[0].commit == kCommit);
  CHECK(statuses[1] == CommitStatus{kOther, CommitStatus::State::Failure,
                                    "rolled back by the guard: shop: 50.0 % ended as 5xx"});
}

TEST_CASE("other events, and odd ones, say nothing about a commit") {
  for (const char* type : {"started", "invalidated", "suspended", "sourceFailed"})
    CHECK(reconciler::commit_statuses(Json{{"type", type}, {"commit", kCommit}}).empty());
  CHECK(reconciler::commit_statuses(Json{{"type", "activated"}}).empty());
  CHECK(reconciler::commit_statuses(Json{{"type", 7}, {"commit", kCommit}}).empty());
}

TEST_CASE("a description is short, whole characters, and moves no cursor") {
  std::string reason;
  for (int i = 0; i < 100; ++i) reason += "ü";
  const auto statuses = reconciler::commit_statuses(
      Json{{"type", "refused"}, {"commit", kCommit}, {"reason", reason + "\x1b[2J"}});
  const std::string& text = statuses[0].description;
  CHECK(text.size() <= 140);
  CHECK(text.size() > 130);
  CHECK(text.ends_with("ü…"));
  CHECK(Json(text).dump().find("\xef\xbf\xbd") == std::string::npos);
}

TEST_CASE("GitHub's statuses") {
  const auto call = reconciler::status_call(forge(Notification::Type::GitHub), kToken, kBad);
  CHECK(call.url == "https://api.github.com/repos/team/site/statuses/" + kCommit);
  CHECK(call.secret_header.first == "Authorization");
  CHECK(call.secret_header.second.reveal() == "Bearer t0ken");
  CHECK(Json::parse(call.body) == Json{{"state", "failure"},
                                       {"context", "headgate"},
                                       {"description", "refused: a.yaml:1:2: error"}});
}

TEST_CASE("GitLab's statuses") {
  auto notification = forge(Notification::Type::GitLab, "https://gitlab.example/");
  notification.context = "edge-1";
  const auto call = reconciler::status_call(notification, kToken, kBad);
  CHECK(call.url == "https://gitlab.example/api/v4/projects/team%2Fsite/statuses/" + kCommit);
  CHECK(call.secret_header.first == "PRIVATE-TOKEN");
  CHECK(Json::parse(call.body) == Json{{"state", "failed"},
                                       {"name", "edge-1"},
                                       {"description", "refused: a.yaml:1:2: error"}});
}

TEST_CASE("Gitea's statuses") {
  const auto call =
      reconciler::status_call(forge(Notification::Type::Gitea, "https://gitea.example"), kToken,
                              {kCommit, CommitStatus::State::Success, "live as generation 1"});
  CHECK(call.url == "https://gitea.example/api/v1/repos/team/site/statuses/" + kCommit);
  CHECK(call.secret_header.second.reveal() == "token t0ken");
  CHECK(Json::parse(call.body)["state"] == "success");
}

TEST_CASE("a webhook gets the event, signed") {
  Notification notification;
  notification.url = "https://hooks.example/x";
  const Json event{{"type", "activated"}, {"commit", kCommit}};
  const auto call = reconciler::webhook_call(notification, kToken, "edge-1", event);
  CHECK(call.url == "https://hooks.example/x");
  CHECK(Json::parse(call.body) == Json{{"edge", "edge-1"}, {"event", event}});
  REQUIRE(call.headers.size() == 2);
  CHECK(call.headers[0] == std::pair<std::string, std::string>("X-Headgate-Event", "activated"));
  CHECK(call.headers[1].second == "sha256=" + schema::hmac_sha256_hex("t0ken", call.body));
  CHECK(reconciler::webhook_call(notification, schema::Redacted(), "", event).headers.size() == 1);
}
