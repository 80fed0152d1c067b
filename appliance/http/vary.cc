// SPDX-License-Identifier: MIT
// Vary is compared on text that has lost only what a list's syntax makes meaningless.
#include "appliance/http/vary.h"

#include <algorithm>
#include <array>

#include "appliance/http/weight.h"

namespace headgate::http {
namespace {

template <class Use>
void for_each_member(Fields fields, std::string_view name, Use use) {
  for (const Field& field : fields) {
    if (field.name != name) continue;
    std::string_view rest = field.value;
    std::string_view member;
    while (next_list_member(rest, member)) use(member);
  }
}

bool means_everything(std::string_view member) { return member == "*" || !is_token(member); }

/// Beyond this no two requests select the same variant anyway, and every look-up would have to read
/// them all.
constexpr std::size_t kMaxMembers = 64;

/// Fields whose syntax makes order, case and the writing of weights meaningless: RFC 9110 sections
/// 12.5.2 to 12.5.4.
bool is_weighted_list(std::string_view name) {
  return name == "accept-language" || name == "accept-encoding" || name == "accept-charset";
}

/// "En ; q=0.50" as "en;500", a weight of one left out; what cannot be read as it is.
std::string canonical_member(std::string_view member) {
  const std::size_t semicolon = member.find(';');
  std::string value(trim(member.substr(0, semicolon)));
  std::transform(value.begin(), value.end(), value.begin(), to_lower);
  if (semicolon == std::string_view::npos) return value;
  const std::string_view parameter = trim(member.substr(semicolon + 1));
  const bool weighs = parameter.starts_with("q=") || parameter.starts_with("Q=");
  const auto weight = weighs ? parse_weight(parameter.substr(2)) : std::nullopt;
  if (!weight) return std::string(member);
  if (*weight != 1000) value.append(";").append(std::to_string(*weight));
  return value;
}

/// In one order. Of longer lists than anybody sends the writing counts.
void append_weighted_list(std::string& out, std::string_view name, Fields request) {
  constexpr std::size_t kMost = 32;
  std::array<std::string, kMost> members;
  std::size_t count = 0;
  for_each_member(request, name, [&](std::string_view member) {
    if (count < kMost) {
      members[count] = canonical_member(member);
    } else {
      out.append(member).push_back(',');
    }
    ++count;
  });
  const auto end = members.begin() + static_cast<std::ptrdiff_t>(std::min(count, kMost));
  std::sort(members.begin(), end);
  std::for_each(members.begin(), end,
                [&out](const std::string& member) { out.append(member).push_back(','); });
}

}  // namespace

Vary parse_vary(Fields response) {
  Vary vary;
  vary.everything = varies_on_everything(response);
  if (vary.everything) return vary;
  for_each_member(response, "vary", [&vary](std::string_view member) {
    std::string name(member);
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    vary.names.push_back(std::move(name));
  });
  std::sort(vary.names.begin(), vary.names.end());
  vary.names.erase(std::unique(vary.names.begin(), vary.names.end()), vary.names.end());
  return vary;
}

bool varies_on_everything(Fields response) {
  bool everything = false;
  std::size_t members = 0;
  for_each_member(response, "vary", [&](std::string_view member) {
    everything = everything || means_everything(member);
    ++members;
  });
  return everything || members > kMaxMembers;
}

void append_vary_key(std::string& out, const std::vector<std::string>& names, Fields request) {
  for (const std::string& name : names) {
    const bool present = find(request, name).has_value();
    // Neither octet occurs in a field value, so no value can imitate a border.
    out.push_back(present ? '\1' : '\0');
    if (is_weighted_list(name)) {
      append_weighted_list(out, name, request);
    } else {
      for_each_member(request, name,
                      [&out](std::string_view member) { out.append(member).push_back(','); });
    }
    out.push_back('\n');
  }
}

std::string vary_key(const std::vector<std::string>& names, Fields request) {
  std::string key;
  append_vary_key(key, names, request);
  return key;
}

}  // namespace headgate::http
