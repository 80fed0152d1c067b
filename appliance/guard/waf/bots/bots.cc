// SPDX-License-Identifier: MIT
// Who is named in User-Agent, and what is said of them.
#include "appliance/guard/waf/bots/bots.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

/// Of all User-Agent fields together; what crawlers send has a tenth of it.
constexpr std::size_t kMaxUserAgentOctets = 2048;

constexpr std::array<std::string_view, 3> kLabels = {"bot:verified", "bot:unverified",
                                                     "bot:pending"};

std::size_t index_of(Verdict verdict) { return static_cast<std::size_t>(verdict); }

/// In lower case. A second field is looked at as well: an origin may take that one for the name.
void read_user_agent(http::Fields fields, std::string& out) {
  out.clear();
  for (const http::Field& field : fields) {
    if (field.name != "user-agent") continue;
    if (!out.empty()) out += '\n';
    out += field.value.substr(0, kMaxUserAgentOctets - std::min(out.size(), kMaxUserAgentOctets));
  }
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
}

}  // namespace

Result<Bots> Bots::compile(const std::vector<schema::WafBot>& source) {
  Bots bots;
  for (const schema::WafBot& each : source) {
    Bot bot;
    bot.name = each.name;
    for (const std::string& text : each.user_agent)
      bot.user_agent.push_back(schema::to_lower(text));
    for (const schema::WafNetworks& part : each.ranges)
      for (const std::string& network : part.networks)
        HG_CHECK(bot.ranges.add(network), "bot {}", each.name);
    bot.ranges.finish();
    if (!each.domains.empty()) {
      auto domains = each.domains;
      std::sort(domains.begin(), domains.end());
      bot.identity = base::hash128(schema::join(domains));
      bot.domains = std::make_shared<const std::vector<std::string>>(std::move(domains));
    }
    for (std::size_t i = 0; i < kLabels.size(); ++i)
      bot.labels[i] = fmt::format("{}:{}", kLabels[i], each.name);
    bots.bots_.push_back(std::move(bot));
  }
  return bots;
}

void Bots::label(const View& view, Verdicts* verdicts, std::string& buffer,
                 std::pmr::vector<std::string_view>& labels, const Trace* trace) const {
  read_user_agent(view.fields, buffer);
  std::array<bool, kLabels.size()> has_label{};
  for (const Bot& bot : bots_) {
    if (!is_claimed(bot, buffer)) continue;
    const Verdict verdict = judge(bot, view.client, verdicts);
    if (trace != nullptr) (*trace)(explain(bot, view, verdict, verdicts != nullptr));
    bool& known = has_label[index_of(verdict)];
    if (!known) labels.push_back(kLabels[index_of(verdict)]);
    known = true;
    labels.push_back(bot.labels[index_of(verdict)]);
  }
}

bool Bots::is_claimed(const Bot& bot, std::string_view user_agent) {
  return std::any_of(bot.user_agent.begin(), bot.user_agent.end(), [&](const std::string& text) {
    return user_agent.find(text) != std::string_view::npos;
  });
}

Verdict Bots::judge(const Bot& bot, const base::IpAddress& address, Verdicts* verdicts) {
  if (bot.ranges.contains(address)) return Verdict::Verified;
  // A client without an address has no name either.
  if (bot.domains == nullptr || (!address.is_v4() && !address.is_v6())) return Verdict::Unverified;
  if (verdicts == nullptr) return Verdict::Pending;
  return verdicts->of(address, bot.domains, bot.identity);
}

std::string Bots::explain(const Bot& bot, const View& view, Verdict verdict, bool asks) {
  const std::string address = view.client.text();
  std::string why;
  if (bot.ranges.contains(view.client))
    why = fmt::format("{} is in its ranges", address);
  else if (bot.domains == nullptr)
    why = fmt::format("{} is not in its ranges", address);
  else if (!asks)
    why = fmt::format("a running edge asks DNS whether {} has a name in {}", address,
                      schema::join(*bot.domains, " or "));
  else if (verdict == Verdict::Pending)
    why = fmt::format("DNS has not said whether {} has a name in {}", address,
                      schema::join(*bot.domains, " or "));
  else
    why = fmt::format("{} has {} name in {}", address, verdict == Verdict::Verified ? "a" : "no",
                      schema::join(*bot.domains, " or "));
  return fmt::format("User-Agent says bot {}: {} -> label {}", bot.name, why,
                     bot.labels[index_of(verdict)]);
}

}  // namespace headgate::guard::waf
