// SPDX-License-Identifier: MIT
#include "reconciler/notify/commit_status.h"

#include <fmt/format.h>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Type = schema::Notification::Type;

/// What GitHub takes; the others take more.
constexpr std::size_t kLongestDescription = 140;

std::string text(const Json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// One line, cut between characters.
std::string one_line(std::string_view whole) {
  std::string text = schema::escape_control(whole.substr(0, whole.find('\n')));
  if (text.size() <= kLongestDescription) return text;
  constexpr std::string_view kMore = "…";
  std::size_t cut = kLongestDescription - kMore.size();
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return text.substr(0, cut) + std::string(kMore);
}

CommitStatus status_of(const std::string& commit, CommitStatus::State state,
                       std::string_view description) {
  return {commit, state, one_line(description)};
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool is_plain = (octet >= '0' && octet <= '9') || (octet >= 'A' && octet <= 'Z') ||
                          (octet >= 'a' && octet <= 'z') || c == '-' || c == '_' || c == '.';
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", octet);
  }
  return out;
}

/// Of the notification, or the forge's own; without a slash at the end.
std::string base_of(const schema::Notification& notification) {
  std::string base = notification.url;
  if (base.empty())
    base = notification.type == Type::GitHub ? "https://api.github.com" : "https://gitlab.com";
  while (base.ends_with('/')) base.pop_back();
  return base;
}

}  // namespace

std::vector<CommitStatus> commit_statuses(const Json& event) {
  using State = CommitStatus::State;
  const std::string type = text(event, "type");
  const std::string commit = text(event, "commit");
  std::vector<CommitStatus> statuses;
  if (type == "activated") {
    const auto generation = event.value("generation", std::uint64_t{0});
    statuses.push_back(
        status_of(commit, State::Success, fmt::format("live as generation {}", generation)));
    if (const std::string bad = text(event, "rolledBackFrom"); !bad.empty())
      statuses.push_back(status_of(
          bad, State::Failure,
          fmt::format("rolled back by the {}: {}", text(event, "by"), text(event, "reason"))));
  } else if (type == "refused") {
    std::string why = text(event, "reason");
    const auto diagnostics = event.find("diagnostics");
    if (diagnostics != event.end() && diagnostics->is_array() && !diagnostics->empty() &&
        diagnostics->front().is_string())
      why = diagnostics->front().get<std::string>();
    statuses.push_back(status_of(commit, State::Failure, "refused: " + why));
  }
  std::erase_if(statuses, [](const CommitStatus& status) { return status.commit.empty(); });
  return statuses;
}

HttpCall status_call(const schema::Notification& notification, const schema::Redacted& token,
                     const CommitStatus& status) {
  const bool success = status.state == CommitStatus::State::Success;
  const std::string base = base_of(notification);
  HttpCall call;
  Json body;
  switch (notification.type) {
    case Type::GitLab:
      call.url = fmt::format("{}/api/v4/projects/{}/statuses/{}", base,
                             percent_encode(notification.repository), status.commit);
      body["state"] = success ? "success" : "failed";
      body["name"] = notification.context;
      call.secret_header = {"PRIVATE-TOKEN", token};
      break;
    case Type::Gitea:
      call.url = fmt::format("{}/api/v1/repos/{}/statuses/{}", base, notification.repository,
                             status.commit);
      body["state"] = success ? "success" : "failure";
      body["context"] = notification.context;
      call.secret_header = {"Authorization", schema::Redacted("token " + token.reveal())};
      break;
    case Type::GitHub:
    case Type::Webhook:
      call.url =
          fmt::format("{}/repos/{}/statuses/{}", base, notification.repository, status.commit);
      body["state"] = success ? "success" : "failure";
      body["context"] = notification.context;
      call.secret_header = {"Authorization", schema::Redacted("Bearer " + token.reveal())};
      call.headers.emplace_back("Accept", "application/vnd.github+json");
      break;
  }
  body["description"] = status.description;
  call.body = dump(body);
  return call;
}

HttpCall webhook_call(const schema::Notification& notification, const schema::Redacted& key,
                      const std::string& edge, const Json& event) {
  HttpCall call;
  call.url = notification.url;
  call.headers.emplace_back("X-Headgate-Event", text(event, "type"));
  call.body = dump(Json{{"edge", edge}, {"event", event}});
  if (!key.empty())
    call.headers.emplace_back("X-Hub-Signature-256",
                              "sha256=" + schema::hmac_sha256_hex(key.reveal(), call.body));
  return call;
}

}  // namespace headgate::reconciler
