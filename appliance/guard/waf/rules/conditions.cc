// SPDX-License-Identifier: MIT
// Conditions on texts: each is asked once, each output of a text is scanned once.
#include <algorithm>
#include <optional>
#include <utility>

#include "appliance/guard/waf/match/injection.h"
#include "appliance/guard/waf/rules/evaluation.h"
#include "schema/text.h"

namespace headgate::guard::waf {
namespace {

using schema::WafMatcher;
using schema::WafOversize;
using schema::WafPart;

constexpr std::uint32_t kNone = 0xffff'ffff;

/// What a look at a text costs, however short it is, in octets that are scanned.
constexpr std::size_t kTest = 8;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_word_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_char(text[at - 1])) &&
        (end == text.size() || !is_word_char(text[end])))
      return true;
  }
  return false;
}

bool FieldTarget::takes(std::string_view entry) const {
  if (!name.empty()) return entry == name;
  if (!only.empty() && !contains(only, entry)) return false;
  return !contains(except, entry);
}

Truth Evaluation::evaluate(std::uint32_t number) {
  using Known = Scratch::Known;
  Known& known = scratch_.known_[number];
  if (known == Known::NotYet) {
    const bool gave_up_before = std::exchange(exhausted_, false);
    const Truth truth = ask(number);
    known = exhausted_                ? Known::GaveUp
            : truth == Truth::Yes     ? Known::Yes
            : truth == Truth::Unknown ? Known::Unknown
                                      : Known::No;
    exhausted_ = exhausted_ || gave_up_before;
  } else if (known == Known::GaveUp) {
    exhausted_ = true;
  }
  return known == Known::Yes ? Truth::Yes : known == Known::Unknown ? Truth::Unknown : Truth::No;
}

Truth Evaluation::ask(std::uint32_t number) {
  const Condition& condition = acl_.conditions_[number];
  const FieldTarget& target = condition.target;
  const auto truth = [](bool yes) { return yes ? Truth::Yes : Truth::No; };
  if (is_of_body(target.family)) {
    if (view_.body_state == View::Body::Pending) return Truth::Unknown;
    const bool is_size_of_body =
        target.family == Family::Body && condition.matcher == WafMatcher::Size;
    if (is_size_of_body && view_.body_length) return truth(compares(condition, *view_.body_length));
    if (view_.body_state == View::Body::Beginning && condition.oversize != WafOversize::Continue)
      return truth(condition.oversize == WafOversize::Match);
  }
  const std::vector<Entry>& entries = scratch_.texts_.of(target.family);
  if (scratch_.texts_.is_cut(target.family) && condition.oversize != WafOversize::Continue)
    return truth(condition.oversize == WafOversize::Match);
  const bool may_be_missing = target.family == Family::Ja3 || target.family == Family::Ja4 ||
                              target.family == Family::Fragment;
  if (may_be_missing && entries.front().value.empty())
    return truth(target.fallback == schema::WafFallback::Match);
  if (target.family == Family::Json && !scratch_.texts_.is_json()) {
    if (view_.body.empty()) return Truth::No;
    if (target.invalid != schema::WafInvalidJson::EvaluateAsString)
      return truth(target.invalid == schema::WafInvalidJson::Match);
  }
  return truth(any_text(target, [&](TextId text) { return test(number, text); }));
}

TextId Evaluation::text_of(TextId& slot, std::string_view octets) {
  if (slot == Entry::kNoText) {
    slot = scratch_.memo_->add(octets);
    scratch_.scans_of_text_.push_back(kNone);
  }
  return slot;
}

/// Whether `test` holds for a text of `target`; the first one ends it.
template <class F>
bool Evaluation::any_text(const FieldTarget& target, F test) {
  const bool is_json = target.family == Family::Json;
  Texts& texts = scratch_.texts_;
  if (is_json && !target.pointers.empty()) texts.places().select(target.pointers);
  for (Entry& entry : texts.of(target.family)) {
    if (is_json) {
      if (!target.pointers.empty() && !texts.places().is_selected(entry.place)) continue;
    } else if (entry.has_name && !target.takes(entry.name)) {
      continue;
    }
    if (entry.has_name && target.part != WafPart::Values &&
        test(text_of(entry.name_text, entry.name)))
      return true;
    if (entry.has_value && (target.part != WafPart::Names || (!entry.has_name && !is_json)) &&
        test(text_of(entry.value_text, entry.value)))
      return true;
  }
  if (!is_json || texts.is_json()) return false;
  Entry& body = texts.of(Family::Body).front();
  return test(text_of(body.value_text, body.value));
}

bool Evaluation::test(std::uint32_t number, TextId text) {
  if (!spend(kTest)) return false;
  const Condition& condition = acl_.conditions_[number];
  const std::string_view octets = scratch_.memo_->get(text, condition.chain);
  const auto any = [&](auto holds) {
    return std::any_of(condition.texts.begin(), condition.texts.end(), holds);
  };
  switch (condition.matcher) {
    case WafMatcher::Exact:
      return std::binary_search(condition.texts.begin(), condition.texts.end(), octets);
    case WafMatcher::Prefix:
      return any([&](const std::string& prefix) { return octets.starts_with(prefix); });
    case WafMatcher::Suffix:
      return any([&](const std::string& suffix) { return octets.ends_with(suffix); });
    case WafMatcher::Size: {
      // Of a body that goes on at least one octet more is known.
      const bool goes_on =
          condition.target.family == Family::Body && view_.body_state == View::Body::Beginning;
      return compares(condition, octets.size() + (goes_on ? 1 : 0));
    }
    case WafMatcher::Sqli:
      return spend(octets.size()) && is_sql_injection(octets);
    case WafMatcher::Xss:
      return spend(octets.size()) && is_cross_site_scripting(octets);
    case WafMatcher::Contains:
    case WafMatcher::Word:
    case WafMatcher::Regex:
      return test_patterns(number, text);
  }
  return false;
}

bool Evaluation::compares(const Condition& condition, std::uint64_t octets) const {
  using Comparison = schema::WafSize::Comparison;
  switch (condition.size.comparison) {
    case Comparison::Eq:
      return octets == condition.size.octets;
    case Comparison::Ne:
      return octets != condition.size.octets;
    case Comparison::Lt:
      return octets < condition.size.octets;
    case Comparison::Le:
      return octets <= condition.size.octets;
    case Comparison::Gt:
      return octets > condition.size.octets;
    case Comparison::Ge:
      return octets >= condition.size.octets;
  }
  return false;
}

/// Whether the budget allows to look at so many more octets.
bool Evaluation::spend(std::size_t octets) {
  spent_ += octets;
  if (spent_ + scratch_.memo_->written() <= acl_.budget_octets_) return true;
  exhausted_ = true;
  return false;
}

/// What a managed group, or the request before this one, was allowed does not count here.
void Evaluation::watch_the_clock() {
  constexpr std::int64_t kAllowed = 20'000'000;
  if (clock_runs_) return;
  scratch_.workspace_.allow(kAllowed);
  clock_runs_ = true;
}

/// None when the budget does not allow to look.
std::optional<Scratch::Scan> Evaluation::scan(Family family, TextId text, std::uint16_t output) {
  for (std::uint32_t at = scratch_.scans_of_text_[text]; at != kNone; at = scratch_.scans_[at].next)
    if (scratch_.scans_[at].output == output) return scratch_.scans_[at];
  if (!spend(scratch_.memo_->output_text(text, output).size())) return std::nullopt;
  const FamilyPatterns& patterns = acl_.patterns_[static_cast<std::size_t>(family)];
  const auto first = static_cast<std::uint32_t>(scratch_.hits_.size());
  scratch_.ids_.clear();
  const bool scanned = patterns.set.scan(scratch_.memo_->output_text(text, output),
                                         scratch_.workspace_, scratch_.ids_);
  if (scanned) {
    scratch_.hits_.insert(scratch_.hits_.end(), scratch_.ids_.begin(), scratch_.ids_.end());
  } else {
    // Nothing is known then: each pattern is asked by itself.
    for (std::uint32_t id = 0; id < patterns.uses.size(); ++id) scratch_.hits_.push_back(id);
  }
  scratch_.scans_.push_back({output, first, static_cast<std::uint32_t>(scratch_.hits_.size()),
                             scratch_.scans_of_text_[text]});
  scratch_.scans_of_text_[text] = static_cast<std::uint32_t>(scratch_.scans_.size() - 1);
  return scratch_.scans_.back();
}

bool Evaluation::test_patterns(std::uint32_t number, TextId text) {
  const Condition& condition = acl_.conditions_[number];
  const std::uint16_t output = scratch_.memo_->output(text, condition.chain);
  const std::string_view octets = scratch_.memo_->output_text(text, output);
  const Family family = condition.target.family;
  const auto& uses = acl_.patterns_[static_cast<std::size_t>(family)].uses;
  const auto found = scan(family, text, output);
  if (!found) return false;
  for (std::uint32_t hit = found->first_hit; hit < found->end_hit; ++hit) {
    const PatternUse& use = uses[scratch_.hits_[hit]];
    if (use.condition == number && confirm(condition, use.text, octets)) return true;
  }
  for (std::uint32_t i = 0; i < condition.texts.size(); ++i)
    if (condition.refused[i] && confirm(condition, i, octets)) return true;
  return false;
}

/// A pattern set may report more than there is.
bool Evaluation::confirm(const Condition& condition, std::uint32_t text, std::string_view octets) {
  if (!spend(octets.size())) return false;
  if (condition.matcher == WafMatcher::Contains)
    return octets.find(condition.texts[text]) != std::string_view::npos;
  if (condition.matcher == WafMatcher::Word) return has_word(octets, condition.texts[text]);
  watch_the_clock();
  switch (condition.regexes[text].search(octets, scratch_.workspace_)) {
    case Found::Yes:
      return true;
    case Found::No:
      return false;
    case Found::Exhausted:
      exhausted_ = true;
      return false;
  }
  return false;
}

}  // namespace headgate::guard::waf
