// SPDX-License-Identifier: MIT
// Vary is compared on text that has lost only what a list's syntax makes meaningless.
#include "appliance/http/vary.h"

#include <algorithm>

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
    for_each_member(request, name, [&out](std::string_view member) {
      out.append(member);
      out.push_back(',');
    });
    out.push_back('\n');
  }
}

std::string vary_key(const std::vector<std::string>& names, Fields request) {
  std::string key;
  append_vary_key(key, names, request);
  return key;
}

}  // namespace headgate::http
