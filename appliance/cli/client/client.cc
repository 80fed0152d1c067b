// SPDX-License-Identifier: MIT
// How subcommands find and ask a running appliance.
#include "appliance/cli/client/client.h"

#include <cstdlib>

#include "schema/text.h"

namespace headgate::cli {

void add_admin_flag(CLI::App& command, std::string& admin) {
  admin = kDefaultAdmin;
  add_flag_with_value(command, "--admin", admin, "Where the appliance's admin endpoints listen.",
                      "ADDR:PORT or unix:PATH")
      ->capture_default_str();
}

std::optional<schema::Redacted> admin_token() {
  const char* token = std::getenv("HEADGATE_ADMIN_TOKEN");
  if (token == nullptr || *token == '\0') return std::nullopt;
  return schema::Redacted(token);
}

Result<std::string> fetch(const std::string& admin, const std::string& target) {
  HG_TRY(admin::Reply reply, admin::get(admin, target, admin_token()), "asking");
  if (reply.status == 401)
    return fail(Blame::Config, "{} wants a token: set HEADGATE_ADMIN_TOKEN", admin);
  if (reply.status != 200)
    return fail(Blame::Config, "{} answers {} to {}; is that the admin listener of headgate?",
                admin, reply.status, target);
  return std::move(reply.body);
}

Result<Json> ask(const std::string& admin, const std::string& target) {
  HG_TRY(const std::string body, fetch(admin, target), "asking");
  Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded())
    return fail(Blame::Config,
                "{} does not answer {} in JSON; is that the admin listener of headgate?", admin,
                target);
  return json;
}

Result<Json> tell(const std::string& admin, const std::string& target, const std::string& body) {
  HG_TRY(const admin::Reply reply, admin::post(admin, target, body, admin_token()), "asking");
  Json json = Json::parse(reply.body, nullptr, false);
  if (reply.status >= 200 && reply.status < 300 && json.is_object()) return json;
  if (reply.status == 401)
    return fail(Blame::Config, "{} wants a token: set HEADGATE_ADMIN_TOKEN", admin);
  std::string problem = json.is_object() ? clean(text(json, "error")) : "";
  if (json.is_object())
    for (const Json& line : list(json, "diagnostics"))
      if (line.is_string()) problem += "\n" + line.get<std::string>();
  if (problem.empty())
    problem = fmt::format("{} answers {} to {}; is that the admin listener of headgate?", admin,
                          reply.status, target);
  return fail(Blame::Config, "{}", problem);
}

std::string text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& list(const Json& json, const char* name) {
  static const Json kEmpty = Json::array();
  const auto found = json.find(name);
  return found != json.end() && found->is_array() ? *found : kEmpty;
}

std::string clean(const std::string& text) { return schema::escape_control(text); }

}  // namespace headgate::cli
