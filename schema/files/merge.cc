// SPDX-License-Identifier: MIT
// A strategic merge: a resource and what an overlay says otherwise.
#include "schema/files/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "schema/text.h"

namespace headgate::schema {
namespace {

/// What names the items of a list; `headgate diff` matches them so, too.
constexpr std::array<std::string_view, 5> kNames = {"id", "name", "pathPattern", "errorCode",
                                                    "header"};

bool is_nothing(const Node& node) { return node.kind == Node::Kind::Null; }

const Node* scalar(const Node& item, std::string_view member) {
  const Node* found = item.find(member);
  return found != nullptr && found->kind == Node::Kind::Scalar ? found : nullptr;
}

/// The member that names every item of the list, each only once; empty when there is none.
std::string_view naming_member(const Node& list) {
  for (const std::string_view member : kNames) {
    std::set<std::string> seen;
    const bool names_all =
        std::all_of(list.children.begin(), list.children.end(), [&](const Node& item) {
          const Node* name = item.is_map() ? scalar(item, member) : nullptr;
          return name != nullptr && seen.insert(name->text).second;
        });
    if (names_all && !list.children.empty()) return member;
  }
  return {};
}

/// Where nothing is beneath: without directives, and without fields that are taken away.
Node alone(Node node) {
  if (node.is_map()) {
    remove_directive(node);
    std::erase_if(node.children, [](const Node& child) {
      return is_nothing(child) || directive_of(child) == "delete";
    });
  }
  if (node.is_sequence())
    std::erase_if(node.children, [](const Node& item) {
      return directive_of(item) == "delete" ||
             (directive_of(item) == "replace" && item.children.size() == 1);
    });
  for (Node& child : node.children) child = alone(std::move(child));
  return node;
}

void nothing_to_remove(const Node& patch, Decoder& decoder) {
  decoder.warning(Code::NoEffect, patch.mark,
                  fmt::format("takes {} away, which is not there",
                              patch.key.empty() ? "an item" : in_quotes(patch.key)),
                  "remove it from the overlay, or correct the name");
}

void merge_list(Node& base, const Node& patch, Decoder& decoder) {
  const auto replaces = [](const Node& item) {
    return directive_of(item) == "replace" && item.children.size() == 1;
  };
  const std::string_view member = naming_member(base);
  const bool all_maps = std::all_of(patch.children.begin(), patch.children.end(),
                                    [](const Node& item) { return item.is_map(); });
  if (member.empty() || !all_maps || patch.children.empty() ||
      std::any_of(patch.children.begin(), patch.children.end(), replaces)) {
    base = alone(patch);
    return;
  }
  for (const Node& item : patch.children) {
    const Node* name = scalar(item, member);
    if (name == nullptr) {
      decoder.error(Code::FieldMissing, item.mark,
                    fmt::format("the item has no `{}`: which one of the list is meant?", member),
                    "give it, or begin the list with `- $patch: replace`");
      continue;
    }
    const auto found = std::find_if(
        base.children.begin(), base.children.end(),
        [&](const Node& candidate) { return scalar(candidate, member)->text == name->text; });
    const bool removes = directive_of(item) == "delete";
    if (found != base.children.end() && removes)
      base.children.erase(found);
    else if (found != base.children.end())
      merge(*found, item, decoder);
    else if (removes)
      nothing_to_remove(item, decoder);
    else
      base.children.push_back(alone(item));
  }
}

void merge_map(Node& base, const Node& patch, Decoder& decoder) {
  for (const Node& child : patch.children) {
    if (child.key == kDirective) continue;
    const auto found =
        std::find_if(base.children.begin(), base.children.end(),
                     [&](const Node& candidate) { return candidate.key == child.key; });
    const bool removes = is_nothing(child) || directive_of(child) == "delete";
    if (found != base.children.end() && removes)
      base.children.erase(found);
    else if (found != base.children.end())
      merge(*found, child, decoder);
    else if (removes)
      nothing_to_remove(child, decoder);
    else
      base.children.push_back(alone(child));
  }
}

}  // namespace

std::string_view directive_of(const Node& node) {
  const Node* directive = node.is_map() ? node.find(kDirective) : nullptr;
  return directive != nullptr ? std::string_view(directive->text) : std::string_view();
}

void remove_directive(Node& node) {
  std::erase_if(node.children, [](const Node& child) { return child.key == kDirective; });
}

void merge(Node& base, const Node& patch, Decoder& decoder) {
  const bool both_maps = base.is_map() && patch.is_map();
  if (both_maps && directive_of(patch) != "replace")
    merge_map(base, patch, decoder);
  else if (base.is_sequence() && patch.is_sequence())
    merge_list(base, patch, decoder);
  else
    base = alone(patch);
}

}  // namespace headgate::schema
