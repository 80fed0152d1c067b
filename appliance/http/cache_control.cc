// SPDX-License-Identifier: MIT
// Reads Cache-Control, its targeted form CDN-Cache-Control (RFC 9213) and Expires into
// CacheDirectives.
#include <algorithm>
#include <array>

#include "appliance/http/caching.h"
#include "appliance/http/structured.h"

namespace headgate::http {
namespace {

using Argument = std::optional<std::string_view>;

/// delta-seconds, RFC 9111 section 1.2.2: what does not fit counts as 2^31.
std::optional<Duration> parse_seconds(std::string_view text) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = std::min(kMost, value * 10 + (c - '0'));
  }
  return std::chrono::seconds(value);
}

void keep_shorter(std::optional<Duration>& kept, Duration value) {
  kept = kept ? std::min(*kept, value) : value;
}

/// Splits "name=argument"; a quoted argument loses its quotes, an unterminated one is left as it is
/// and so is no number.
std::string_view split_directive(std::string_view member, Argument& argument) {
  argument.reset();
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return member;
  std::string_view value = member.substr(equals + 1);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  argument = value;
  return member.substr(0, equals);
}

/// Whether no-cache or private is limited to some fields. An argument without any counts as none:
/// the stricter reading.
bool names_fields(const Argument& argument) {
  if (!argument) return false;
  std::string_view rest = *argument;
  std::string_view name;
  bool any = false;
  while (next_list_member(rest, name)) {
    if (!is_token(name)) return false;
    any = true;
  }
  return any;
}

/// Gathers directives in whatever form they come.
struct Collector {
  CacheDirectives& out;
  std::optional<Duration> s_maxage;
  std::optional<Duration> max_age;

  void add(std::string_view name, const Argument& argument) {
    const auto is = [name](std::string_view known) { return equals_ignoring_case(name, known); };
    // RFC 9111 section 4.2.1 encourages to take a lifetime that cannot be read as stale.
    const auto lifetime = [&] { return parse_seconds(argument.value_or("")).value_or(Duration()); };
    if (is("max-age")) {
      keep_shorter(max_age, lifetime());
    } else if (is("s-maxage")) {
      keep_shorter(s_maxage, lifetime());
      out.must_revalidate = out.allows_authorization = true;
    } else if (is("no-store")) {
      out.no_store = true;
    } else if (is("no-cache")) {
      out.no_cache = out.no_cache || !names_fields(argument);
    } else if (is("private")) {
      out.is_private = out.is_private || !names_fields(argument);
    } else if (is("public")) {
      out.is_public = out.allows_authorization = true;
    } else if (is("must-revalidate")) {
      out.must_revalidate = out.allows_authorization = true;
    } else if (is("proxy-revalidate")) {
      out.must_revalidate = true;
    } else if (is("must-understand")) {
      out.must_understand = true;
    } else if (is("stale-while-revalidate")) {
      add_window(out.stale_while_revalidate, argument);
    } else if (is("stale-if-error")) {
      add_window(out.stale_if_error, argument);
    }
  }

 private:
  static void add_window(std::optional<Duration>& window, const Argument& argument) {
    if (const auto seconds = parse_seconds(argument.value_or(""))) keep_shorter(window, *seconds);
  }
};

enum class DirectiveType { Integer, Flag, FlagOrFields, Unknown };

DirectiveType type_of(std::string_view name) {
  constexpr std::array<std::string_view, 4> kIntegers = {"max-age", "s-maxage", "stale-if-error",
                                                         "stale-while-revalidate"};
  constexpr std::array<std::string_view, 5> kFlags = {"must-revalidate", "must-understand",
                                                      "no-store", "proxy-revalidate", "public"};
  const auto in = [name](const auto& list) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  if (in(kIntegers)) return DirectiveType::Integer;
  if (in(kFlags)) return DirectiveType::Flag;
  return name == "no-cache" || name == "private" ? DirectiveType::FlagOrFields
                                                 : DirectiveType::Unknown;
}

/// RFC 9213 section 2.1: how the value of a known directive has to be typed.
bool well_typed(const SfMember& member) {
  switch (type_of(member.key)) {
    case DirectiveType::Integer:
      return std::holds_alternative<std::int64_t>(member.value);
    case DirectiveType::Flag:
      return std::holds_alternative<bool>(member.value);
    case DirectiveType::FlagOrFields:
      return std::holds_alternative<bool>(member.value) ||
             std::holds_alternative<std::string>(member.value) ||
             std::holds_alternative<SfToken>(member.value);
    case DirectiveType::Unknown:
      break;
  }
  return true;
}

std::optional<std::vector<SfMember>> targeted(Fields response) {
  auto members = parse_sf_dictionary(response, "cdn-cache-control");
  if (members && !std::all_of(members->begin(), members->end(), well_typed)) members.reset();
  return members;
}

/// Calls `use(name, argument)` for every directive of the valid CDN-Cache-Control, else of all
/// Cache-Control lines. Returns false when there is neither.
template <class Use>
bool for_each_directive(Fields response, bool& is_targeted, Use use) {
  bool any = false;
  is_targeted = false;
  if (const auto members = targeted(response)) {
    is_targeted = true;
    for (const SfMember& member : *members) {
      std::string digits;
      if (const auto* flag = std::get_if<bool>(&member.value)) {
        if (*flag) use(std::string_view(member.key), Argument());
      } else if (const auto* number = std::get_if<std::int64_t>(&member.value)) {
        digits = std::to_string(*number);
        use(std::string_view(member.key), Argument(digits));
      } else if (const auto* text = std::get_if<std::string>(&member.value)) {
        use(std::string_view(member.key), Argument(*text));
      } else if (const auto* token = std::get_if<SfToken>(&member.value)) {
        use(std::string_view(member.key), Argument(token->text));
      }
    }
    return true;
  }
  for (const Field& field : response) {
    if (field.name != "cache-control") continue;
    any = true;
    std::string_view rest = field.value;
    std::string_view member;
    Argument argument;
    while (next_list_member(rest, member)) {
      const std::string_view name = split_directive(member, argument);
      use(name, argument);
    }
  }
  return any;
}

/// Expires as a lifetime; null when there is none. Several lines contradict each other: already
/// expired.
std::optional<Duration> expires_lifetime(Fields response, base::WallTime date,
                                         base::WallTime received_at) {
  std::optional<Duration> lifetime;
  for (const Field& field : response) {
    if (field.name != "expires") continue;
    if (lifetime) return Duration::zero();
    const auto expires = parse_http_date(field.value, received_at);
    lifetime = expires ? std::max(Duration::zero(), *expires - date) : Duration::zero();
  }
  return lifetime;
}

/// RFC 9110 section 15.1.
bool is_heuristically_cacheable(int status) {
  constexpr std::array<int, 12> kCodes = {200, 203, 204, 206, 300, 301,
                                          308, 404, 405, 410, 414, 501};
  return std::find(kCodes.begin(), kCodes.end(), status) != kCodes.end();
}

/// Codes whose caching rules this cache knows and follows: those of RFC 9110 that it stores at all.
bool is_understood(int status) {
  const auto within = [status](int first, int last) { return status >= first && status <= last; };
  return within(200, 205) || within(300, 303) || status == 305 || within(307, 308) ||
         within(400, 415) || status == 417 || status == 421 || status == 422 || status == 426 ||
         within(500, 505);
}

}  // namespace

CacheDirectives parse_directives(int status, Fields response, base::WallTime received_at) {
  CacheDirectives out;
  Collector collector{.out = out, .s_maxage = {}, .max_age = {}};
  bool is_targeted = false;
  out.has_cache_control_or_expires = for_each_directive(
      response, is_targeted,
      [&](std::string_view name, const Argument& value) { collector.add(name, value); });
  if (out.must_understand && is_understood(status)) {
    out.must_understand = out.no_store = false;
  }

  const auto parse_date = [&](std::string_view name) {
    return parse_http_date(find(response, name).value_or(""), received_at);
  };
  const base::WallTime date = parse_date("date").value_or(received_at);
  std::optional<Duration> expires;
  if (!is_targeted) expires = expires_lifetime(response, date, received_at);
  if (expires) out.has_cache_control_or_expires = true;
  out.explicit_lifetime = collector.s_maxage  ? collector.s_maxage
                          : collector.max_age ? collector.max_age
                                              : expires;

  out.heuristics_allowed = is_heuristically_cacheable(status) || out.is_public;
  const auto last_modified = parse_date("last-modified");
  if (out.heuristics_allowed && last_modified && *last_modified < date)
    out.heuristic_lifetime = (date - *last_modified) / 10;
  return out;
}

std::vector<std::string> restricted_fields(Fields response) {
  std::vector<std::string> names;
  bool is_targeted = false;
  for_each_directive(response, is_targeted, [&](std::string_view directive, const Argument& value) {
    if (!equals_ignoring_case(directive, "no-cache") && !equals_ignoring_case(directive, "private"))
      return;
    if (!names_fields(value)) return;
    std::string_view rest = *value;
    std::string_view name;
    while (next_list_member(rest, name)) {
      std::string lower(name);
      std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
      names.push_back(std::move(lower));
    }
  });
  return names;
}

}  // namespace headgate::http
