// SPDX-License-Identifier: MIT
// What an operator may put above the repository for a while: going back, and waiting.
#include "appliance/admin/override.h"

#include <nlohmann/json.hpp>

#include "appliance/admin/endpoints.h"

namespace headgate::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxReasonOctets = 1000;
constexpr Duration kLongest = std::chrono::hours(24 * 30);

Result<std::string> suspend(const Json& body, const std::string& reason,
                            const Overriding& overriding) {
  const auto text = body.find("for");
  if (text == body.end() || !text->is_string())
    return fail(Blame::Client, "`for` is missing: how long, as \"2h\"");
  const auto how_long = parse_duration(text->get<std::string>());
  if (!how_long) return fail(Blame::Client, "for: {}", how_long.error().context);
  if (*how_long <= Duration::zero() || *how_long > kLongest)
    return fail(Blame::Client, "for: from 1s to {}", format_duration(kLongest));
  if (reason.empty()) return fail(Blame::Client, "`reason` is missing: others will ask");
  return overriding.suspend(*how_long, reason);
}

Result<std::string> roll_back(const Json& body, const std::string& reason,
                              const Overriding& overriding) {
  const auto generation = body.find("generation");
  if (generation == body.end()) return overriding.roll_back(0, reason);
  if (!generation->is_number_unsigned() || generation->get<std::uint64_t>() == 0)
    return fail(Blame::Client, "generation: a number from 1");
  return overriding.roll_back(generation->get<std::uint64_t>(), reason);
}

Result<std::string> carry_out(const Call& call, const Overriding& overriding) {
  const Json body =
      call.body.empty() ? Json::object() : Json::parse(call.body, nullptr, /*exceptions=*/false);
  if (!body.is_object()) return fail(Blame::Client, "the body is not a JSON object");
  std::string reason;
  if (const auto given = body.find("reason"); given != body.end()) {
    if (!given->is_string() || given->get_ref<const std::string&>().size() > kMaxReasonOctets)
      return fail(Blame::Client, "reason: a text of at most {} octets", kMaxReasonOctets);
    reason = given->get<std::string>();
  }
  if (call.path == "/rollback") return roll_back(body, reason, overriding);
  if (call.path == "/suspend") return suspend(body, reason, overriding);
  return overriding.resume();
}

}  // namespace

Answer answer_override(const Call& call, const Overriding& overriding) {
  const auto done = carry_out(call, overriding);
  if (!done)
    return refuse(done.error().blame == Blame::Client   ? 400
                  : done.error().blame == Blame::Config ? 409
                                                        : 503,
                  done.error().context);
  Answer answer;
  answer.body = Json{{"done", *done}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return answer;
}

}  // namespace headgate::admin
