// SPDX-License-Identifier: MIT
// What differs between two resources in canonical JSON, by field, with the items of lists matched
// by what names them.
#include "reconciler/plan/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace headgate::reconciler {
namespace {

bool is_secret(const Json& value) {
  return value.is_string() && value.get_ref<const std::string&>().starts_with("secret (");
}

bool is_list_of_maps(const Json& list) {
  return std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_object(); });
}

std::string name_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The member that names every item of both lists, each only once; empty when there is none.
std::string naming_member(const Json& before, const Json& after) {
  for (const char* member : {"id", "name", "pathPattern", "errorCode", "header"}) {
    const auto names_all = [&](const Json& list) {
      std::set<std::string> seen;
      return std::all_of(list.begin(), list.end(), [&](const Json& item) {
        const auto found = item.find(member);
        return found != item.end() && !found->is_structured() &&
               seen.insert(name_of(*found)).second;
      });
    };
    if (names_all(before) && names_all(after)) return member;
  }
  return {};
}

class Comparison {
 public:
  std::vector<FieldChange> changes;

  void values(const std::string& path, const Json& before, const Json& after) {
    if (before == after) return;
    if (before.is_object() && after.is_object()) return maps(path, before, after);
    if (before.is_array() && after.is_array() && is_list_of_maps(before) && is_list_of_maps(after))
      return lists(path, before, after);
    add(FieldChange::Kind::Changed, path, before, after);
  }

 private:
  void add(FieldChange::Kind kind, const std::string& path, Json before, Json after) {
    const bool secret = is_secret(before) || is_secret(after);
    changes.push_back({kind, path, std::move(before), std::move(after), secret});
  }

  void maps(const std::string& path, const Json& before, const Json& after) {
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [key, value] : before.items()) {
      const auto now = after.find(key);
      if (now == after.end())
        add(FieldChange::Kind::Removed, prefix + key, value, nullptr);
      else
        values(prefix + key, value, *now);
    }
    for (const auto& [key, value] : after.items())
      if (!before.contains(key)) add(FieldChange::Kind::Added, prefix + key, nullptr, value);
  }

  void lists(const std::string& path, const Json& before, const Json& after) {
    const std::string member = naming_member(before, after);
    if (member.empty()) return positions(path, before, after);
    std::map<std::string, const Json*> old_items;
    std::map<std::string, const Json*> new_items;
    for (const Json& item : before) old_items[name_of(item[member])] = &item;
    for (const Json& item : after) new_items[name_of(item[member])] = &item;

    Json old_order = Json::array();
    Json new_order = Json::array();
    for (const Json& item : before) {
      const std::string name = name_of(item[member]);
      const std::string item_path = fmt::format("{}[{}]", path, name);
      const auto now = new_items.find(name);
      if (now == new_items.end()) {
        add(FieldChange::Kind::Removed, item_path, item, nullptr);
        continue;
      }
      old_order.push_back(name);
      values(item_path, item, *now->second);
    }
    for (const Json& item : after) {
      const std::string name = name_of(item[member]);
      if (old_items.count(name) != 0)
        new_order.push_back(name);
      else
        add(FieldChange::Kind::Added, fmt::format("{}[{}]", path, name), nullptr, item);
    }
    if (old_order != new_order) add(FieldChange::Kind::Reordered, path, old_order, new_order);
  }

  void positions(const std::string& path, const Json& before, const Json& after) {
    const std::size_t common = std::min(before.size(), after.size());
    for (std::size_t i = 0; i < common; ++i)
      values(fmt::format("{}[{}]", path, i), before[i], after[i]);
    for (std::size_t i = common; i < before.size(); ++i)
      add(FieldChange::Kind::Removed, fmt::format("{}[{}]", path, i), before[i], nullptr);
    for (std::size_t i = common; i < after.size(); ++i)
      add(FieldChange::Kind::Added, fmt::format("{}[{}]", path, i), nullptr, after[i]);
  }
};

}  // namespace

std::vector<FieldChange> compare(const Json& before, const Json& after) {
  Comparison comparison;
  comparison.values("", before, after);
  return std::move(comparison.changes);
}

}  // namespace headgate::reconciler
