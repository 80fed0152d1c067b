// SPDX-License-Identifier: MIT
// Reads targets.
#include "appliance/guard/waf/seclang/targets.h"

#include "appliance/guard/waf/seclang/words.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {

Result<Target> parse_target(std::string_view text) {
  Target target;
  text = trimmed(text);
  if (text.starts_with('!')) {
    target.exclude = true;
    text.remove_prefix(1);
  } else if (text.starts_with('&')) {
    target.count = true;
    text.remove_prefix(1);
  }
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  std::string_view selector =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (selector.size() >= 2 && selector.front() == '\'' && selector.back() == '\'')
    selector = selector.substr(1, selector.size() - 2);
  if (http::equals_ignoring_case(name, "XML")) {
    if (selector != "/*" && selector != "//@*")
      return fail(Blame::Config,
                  "XML:{} is not supported; use XML:/* (text) or XML://@* (attributes)", selector);
    target.collection = selector == "/*" ? Collection::Xml : Collection::XmlAttributes;
    return target;
  }
  const auto collection = find_collection(name);
  if (!collection || *collection == Collection::Rule)
    return fail(Blame::Config, "the variable '{}' is not supported; take it out of the rule", name);
  target.collection = *collection;
  if (colon == std::string_view::npos) return target;
  if (!by_name(*collection))
    return fail(Blame::Config, "{} is one value and takes no ':{}'", name, selector);
  if (selector.size() >= 2 && selector.front() == '/' && selector.back() == '/') {
    target.select = Target::Select::Regex;
    target.selector = selector.substr(1, selector.size() - 2);
  } else {
    target.select = Target::Select::Name;
    for (const char c : selector) target.selector += http::to_lower(c);
  }
  return target;
}

Result<std::vector<Target>> parse_targets(std::string_view text) {
  std::vector<Target> targets;
  // A regex selector may hold a '|': it ends at "/|" or at the end.
  while (!text.empty()) {
    std::size_t end = text.find('|');
    const std::size_t regex = text.find(":/");
    if (regex != std::string_view::npos && regex < end && !text.starts_with("XML:")) {
      end = text.find("/|", regex + 2);
      if (end != std::string_view::npos) ++end;
    }
    HG_TRY(Target target, parse_target(text.substr(0, end)), "targets");
    targets.push_back(std::move(target));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (targets.empty()) return fail(Blame::Config, "a rule needs a variable to look at");
  return targets;
}

}  // namespace headgate::guard::waf
