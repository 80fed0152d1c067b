// SPDX-License-Identifier: MIT
// What an operator may ask of the machine itself.
#include "appliance/admin/upgrade.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "appliance/admin/endpoints.h"

namespace headgate::admin {
namespace {

using Json = nlohmann::ordered_json;

Result<std::string> receive(const Call& call, const Upgrading& upgrading) {
  const auto found = call.parameters.find("offset");
  std::uint64_t offset = 0;
  const std::string text = found == call.parameters.end() ? "" : found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (error != std::errc() || end != text.data() + text.size())
    return fail(Blame::Client, "offset: how many octets of the file came before");
  if (call.body.empty()) return fail(Blame::Client, "the body is empty");
  HG_CHECK(upgrading.receive(offset, call.body), "not taken");
  return fmt::format("{} octets are here", offset + call.body.size());
}

Result<bool> flag(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end()) return false;
  if (!found->is_boolean()) return fail(Blame::Client, "{}: true or false", name);
  return found->get<bool>();
}

Result<std::string> upgrade(const Json& body, const Upgrading& upgrading) {
  HG_TRY(const bool urgent, flag(body, "urgent"), "not asked");
  HG_TRY(const bool received, flag(body, "received"), "not asked");
  const auto from = body.find("from");
  if (received == (from != body.end()))
    return fail(Blame::Client, "one of `from`, a URL, and `received: true`");
  if (received) return upgrading.received(urgent);
  if (!from->is_string()) return fail(Blame::Client, "from: a URL");
  return upgrading.from(from->get<std::string>(), urgent);
}

Result<std::string> carry_out(const Call& call, const Upgrading& upgrading) {
  if (call.path == "/upgrade/file") return receive(call, upgrading);
  const Json body = Json::parse(call.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) return fail(Blame::Client, "the body is not a JSON object");
  if (call.path == "/upgrade") return upgrade(body, upgrading);
  const auto forget = body.find("forget");
  if (forget == body.end() || *forget != "everything")
    return fail(Blame::Client, "say what is meant: {{\"forget\": \"everything\"}}");
  return upgrading.reset();
}

}  // namespace

Answer answer_upgrade(const Call& call, const Upgrading& upgrading) {
  if (!upgrading.from)
    return refuse(404,
                  "this is not the appliance image: upgrade the package by apt, a container by "
                  "another image");
  const auto done = carry_out(call, upgrading);
  if (!done)
    return refuse(done.error().blame == Blame::Client   ? 400
                  : done.error().blame == Blame::Config ? 409
                                                        : 503,
                  done.error().context);
  Answer answer;
  answer.status = call.path == "/upgrade/file" ? 200 : 202;
  answer.body = Json{{"done", *done}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return answer;
}

}  // namespace headgate::admin
