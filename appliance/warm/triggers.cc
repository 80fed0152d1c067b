// SPDX-License-Identifier: MIT
// Which warm lists are to run because of what has changed.
#include "appliance/warm/triggers.h"

#include <algorithm>

#include "schema/encode.h"

namespace headgate::warm {
namespace {

template <class T>
bool is_same_resource(const std::shared_ptr<const T>& before, const std::shared_ptr<const T>& now) {
  if (before == now) return true;
  return before != nullptr && now != nullptr && schema::to_json(*before) == schema::to_json(*now);
}

bool has_same_policies(const schema::Model& before, const schema::Model& now,
                       const schema::CacheBehavior& behavior) {
  return is_same_resource(before.find_cache_policy(behavior.cache_policy),
                          now.find_cache_policy(behavior.cache_policy)) &&
         is_same_resource(before.find_origin_request_policy(behavior.origin_request_policy),
                          now.find_origin_request_policy(behavior.origin_request_policy));
}

std::shared_ptr<const schema::Distribution> find(const schema::Model& model,
                                                 const std::string& name) {
  const auto found = model.distributions.find(name);
  return found == model.distributions.end() ? nullptr : found->second;
}

}  // namespace

bool is_same(const schema::WarmList& before, const schema::WarmList& now) {
  return &before == &now ||
         (before.entries == now.entries && schema::to_json(before) == schema::to_json(now));
}

bool caches_differently(const schema::Model& before, const schema::Model& now,
                        const std::string& distribution) {
  const auto old = find(before, distribution);
  const auto current = find(now, distribution);
  if (!is_same_resource(old, current)) return true;
  if (current == nullptr) return false;
  const auto& behaviors = current->cache_behaviors;
  return !has_same_policies(before, now, current->default_cache_behavior) ||
         !std::all_of(behaviors.begin(), behaviors.end(), [&](const auto& behavior) {
           return has_same_policies(before, now, behavior);
         });
}

bool runs_on(const schema::WarmList& list, schema::WarmList::Trigger trigger) {
  return std::find(list.on.begin(), list.on.end(), trigger) != list.on.end();
}

}  // namespace headgate::warm
