// SPDX-License-Identifier: MIT
#include "schema/fields/edge_notifications.h"

#include "schema/fields/choices.h"
#include "schema/model/resources.h"
#include "schema/table/object.h"
#include "schema/table/scalar.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

/// What the type of a notification asks for.
void check_type(Notification& notification, const Node& node, Decoder& decoder) {
  const bool is_webhook = notification.type == Notification::Type::Webhook;
  const auto require = [&](const char* field, bool there, const char* hint) {
    if (!there)
      decoder.error(Code::FieldMissing, node.mark,
                    fmt::format("a notification of this type needs `{}`", field), hint);
  };
  const auto refuse = [&](const char* field, const char* hint) {
    if (const Node* found = node.find(field); found != nullptr)
      decoder.error(Code::Combination, found->key_mark,
                    fmt::format("`{}` is not for this type", field), hint);
  };
  if (is_webhook) {
    require("url", !notification.url.empty(), "where the events are posted to");
    refuse("repository", "it is for type: github, gitlab or gitea");
    refuse("context", "it is for type: github, gitlab or gitea");
  } else {
    require("repository", !notification.repository.empty(), "write repository: owner/name");
    require("token", notification.token.has_value(),
            "write token: {valueFrom: {file: /run/credentials/…}}; it must be allowed to set "
            "statuses of commits");
    if (notification.type == Notification::Type::Gitea)
      require("url", !notification.url.empty(), "write url: https://gitea.example.com");
    refuse("events", "a status is set for every commit that goes live or is refused");
  }
  if (notification.token && notification.token->source == Secret::Source::Sops)
    decoder.error(Code::NotSupportedValue, node.locate("token").mark,
                  "secrets of the repository are not for the machine's own file",
                  "write valueFrom: {file: /etc/headgate/token}");
}

void fields(Object<Notification>& o) {
  static const SecretType secret(false);
  static const OptionalOf<Secret> optional_secret(secret);
  o.field("name", &Notification::name, "What logs and metrics call it.")
      .required()
      .format(kResourceName);
  o.field("type", &Notification::type,
          "`webhook` posts events as JSON; the others set the status of commits.");
  o.field("url", &Notification::url,
          "Where a webhook is posted to; else the forge, which is the public one for `github` and "
          "`gitlab`.")
      .format(kUrl);
  o.field("repository", &Notification::repository, "Of the commits: `owner/name`.")
      .format(kNotEmpty);
  o.field("token", &Notification::token, optional_secret,
          "For a forge the token that may set statuses; for a webhook the key with which "
          "`X-Hub-Signature-256` is made.");
  o.field("context", &Notification::context,
          "The status's name; edges that share a repository have one each.")
      .format(kNotEmpty);
  o.field("events", &Notification::events, "Which events a webhook gets.").items(1, 19).unique();
  o.check(check_type);
}

}  // namespace

const Type& notifications_type() {
  static const Object<Notification> type("EdgeNotification", "Who is told what becomes of commits.",
                                         fields);
  static const ListOf<Notification> list(type);
  return list;
}

}  // namespace headgate::schema
