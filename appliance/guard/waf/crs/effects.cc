// SPDX-License-Identifier: MIT
// What rules do when they match: variables, collections, controls; and the texts for that.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "appliance/guard/waf/crs/number.h"
#include "appliance/guard/waf/crs/transaction.h"
#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
void Transaction::run_effects(const Link& link) {
  for (const CompiledEffect& effect : link.effects) {
    if (const auto* const set = std::get_if<CompiledSet>(&effect)) {
      run_set(*set);
    } else if (const auto* const init = std::get_if<CompiledInit>(&effect)) {
      store_key(init->collection) = fmt::format(
          "{}:{}", init->collection == Collection::Ip ? "ip" : "global", expand(init->key));
    } else if (environment_.store != nullptr) {
      const auto& expire = std::get<CompiledExpire>(effect);
      const auto seconds = std::chrono::seconds(number(expand(expire.seconds)));
      environment_.store->expire(store_key(expire.collection), expire.name,
                                 environment_.now + seconds, environment_.now);
    }
  }
}

void Transaction::run_set(const CompiledSet& set) {
  const bool tx = set.collection == Collection::Tx;
  std::string name;
  if (!set.slot) {
    name = expand(set.name);
    if (!tx) {
      for (char& c : name) c = text::to_lower(c);
    }
  }
  if (set.how == SetVariable::How::Unset) {
    if (set.slot) return tx_.unset(*set.slot);
    if (tx) return tx_.unset(name);
    if (environment_.store == nullptr) {
      local_.erase(fmt::format("{}\n{}", store_key(set.collection), name));
    } else {
      environment_.store->unset(store_key(set.collection), name, environment_.now);
    }
    return;
  }
  std::string buffer;
  std::string_view value = expand_view(set.value, buffer);
  if (set.how != SetVariable::How::Set) {
    std::int64_t old = 0;
    if (!tx) {
      old = number(stored(set.collection, name).value_or("0"));
    } else if (const std::string_view* const found =
                   set.slot ? tx_.get(*set.slot) : tx_.get(name)) {
      old = number(*found);
    }
    const std::int64_t change = number(value);
    const bool subtract = set.how == SetVariable::How::Subtract;
    buffer = std::to_string(
        add(old, subtract ? -std::max(change, -std::numeric_limits<std::int64_t>::max()) : change));
    value = buffer;
  }
  if (!tx) return store(set.collection, name, value);
  // A text of the rule set lives long enough as it is.
  const bool lasting = set.how == SetVariable::How::Set && set.value.constant();
  if (!lasting) value = arena_.persist(value);
  if (set.slot) return tx_.set(*set.slot, value);
  tx_.set(arena_.persist(name), value);
}

void Transaction::run_controls(const Link& link) {
  for (const CompiledControl& control : link.controls) {
    switch (control.kind) {
      case Control::Kind::RemoveById:
      case Control::Kind::RemoveByTag:
        removed_.resize(rules_.size(), false);
        for (const RuleIndex rule : control.rules) removed_[rule] = true;
        break;
      case Control::Kind::RemoveTargetById:
      case Control::Kind::RemoveTargetByTag:
        removed_targets_.push_back({&control.target, &control.rules});
        break;
      case Control::Kind::RuleEngineOff:
        engine_ = Engine::Off;
        break;
      case Control::Kind::RuleEngineDetectionOnly:
        engine_ = Engine::DetectionOnly;
        break;
      case Control::Kind::RuleEngineOn:
        if (!rules_.options().detection_only) engine_ = Engine::On;
        break;
      case Control::Kind::RequestBodyProcessor:
        processor_ = control.processor;
        values_.set(Collection::ReqbodyProcessor, processor_);
        break;
      case Control::Kind::ForceRequestBodyVariable:
        force_body_ = control.on;
        break;
    }
  }
}

std::string_view Transaction::expand_view(const Template& text, std::string& buffer) {
  if (text.pieces.empty()) return {};
  if (text.constant()) return text.pieces.front().text;
  buffer.clear();
  for (const Template::Piece& piece : text.pieces) append(piece, buffer);
  return buffer;
}

std::string Transaction::expand(const Template& text) {
  std::string buffer;
  return std::string(expand_view(text, buffer));
}

void Transaction::append(const Template::Piece& piece, std::string& out) {
  if (out.size() > kLongestMacro) return;
  if (piece.literal) {
    out += piece.text;
    return;
  }
  const auto add_octets = [&out](std::string_view octets) {
    out += octets.substr(0, kLongestMacro);
  };
  switch (piece.collection) {
    case Collection::Tx:
      if (const std::string_view* const value = tx_.get(piece.slot)) add_octets(*value);
      return;
    case Collection::MatchedVar:
      return add_octets(matched_value_);
    case Collection::MatchedVarName:
      return add_octets(matched_name_);
    case Collection::Ip:
    case Collection::Global:
      if (const auto value = stored(piece.collection, piece.text)) add_octets(*value);
      return;
    case Collection::Geo:
      return add_octets(country_);
    case Collection::Rule: {
      const Link& first = rules_.links_[head_->link];
      if (piece.text == "id") return add_octets(std::to_string(first.rule.id));
      if (piece.text == "severity") return add_octets(std::to_string(first.rule.severity));
      if (piece.text != "msg") return;
      for (const Template::Piece& part : first.message.pieces) {
        // A message cannot hold itself.
        if (part.literal || part.collection != Collection::Rule) append(part, out);
      }
      return;
    }
    default:
      break;
  }
  for (const Value& value : values_.of(piece.collection)) {
    if (!piece.text.empty() && !http::equals_ignoring_case(piece.text, value.name)) continue;
    return add_octets(values_.octets(value));
  }
}

std::string& Transaction::store_key(Collection collection) {
  return collection == Collection::Ip ? ip_key_ : global_key_;
}

std::optional<std::string> Transaction::stored(Collection collection, std::string_view name) {
  const std::string& key = store_key(collection);
  if (key.empty()) return std::nullopt;
  if (environment_.store != nullptr) return environment_.store->get(key, name, environment_.now);
  if (local_.empty()) return std::nullopt;
  const auto found = local_.find(fmt::format("{}\n{}", key, name));
  if (found == local_.end()) return std::nullopt;
  return found->second;
}

void Transaction::store(Collection collection, std::string_view name, std::string_view value) {
  const std::string& key = store_key(collection);
  if (key.empty()) return;  // no initcol yet
  if (environment_.store != nullptr) {
    environment_.store->set(key, name, value, environment_.now);
  } else {
    local_[fmt::format("{}\n{}", key, name)] = value;
  }
}

}  // namespace headgate::guard::waf
