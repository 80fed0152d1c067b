// SPDX-License-Identifier: MIT
// The phases of a transaction.
#include "appliance/guard/waf/crs/transaction.h"

#include <fmt/format.h>

#include <algorithm>

#include "appliance/guard/waf/body/parsers.h"
#include "appliance/guard/waf/crs/number.h"
#include "appliance/guard/waf/text/octets.h"
#include "appliance/http/field.h"

namespace headgate::guard::waf {
namespace {

// Between two looks at the clock, which cost a system call.
constexpr std::size_t kWorkUnchecked = 64 * 1024;

// Fit for a log: printable ASCII, the rest as \xhh.
std::string excerpt(std::string_view octets, std::size_t longest) {
  std::string text;
  for (const char c : octets.substr(0, longest)) {
    if (c >= ' ' && c <= '~' && c != '\\' && c != '"') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (octets.size() > longest) text += "...";
  return text;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() &&
         http::equals_ignoring_case(text.substr(0, start.size()), start);
}

}  // namespace

Transaction::Transaction(const RuleSet& rules, const Environment& environment,
                         const Request& request)
    : rules_(rules),
      environment_(environment),
      request_(request),
      memo_(rules.chains_, arena_),
      values_(memo_, arena_),
      tx_(rules.tx_names_),
      hits_(rules.prescan_.size()) {
  if (rules.options().detection_only) engine_ = Engine::DetectionOnly;
  for (const auto& [slot, value] : rules.tx_initial_) tx_.set(slot, value);
}

Decision Transaction::request_headers() {
  values_.add_request(request_, rules_.options().body);
  values_.set(Collection::UniqueId, environment_.unique_id);
  BodyContent query;
  parse_urlencoded(request_.query, rules_.options().body, arena_, query);
  values_.add_arguments(query, true);
  choose_processor();
  apply_exclusions();
  return run(1);
}

// As ModSecurity's recommended configuration does.
void Transaction::choose_processor() {
  for (const Header& header : request_.headers) {
    if (!http::equals_ignoring_case(header.name, "content-type")) continue;
    content_type_ = header.value;
    if (starts_with_ignoring_case(content_type_, "application/x-www-form-urlencoded")) {
      processor_ = "URLENCODED";
    } else if (starts_with_ignoring_case(content_type_, "multipart/form-data")) {
      processor_ = "MULTIPART";
    } else if (starts_with_ignoring_case(content_type_, "application/json")) {
      processor_ = "JSON";
    } else if (starts_with_ignoring_case(content_type_, "text/xml") ||
               starts_with_ignoring_case(content_type_, "application/xml") ||
               starts_with_ignoring_case(content_type_, "application/soap+xml")) {
      processor_ = "XML";
    }
    break;
  }
  values_.set(Collection::ReqbodyProcessor, processor_);
}

void Transaction::apply_exclusions() {
  for (const auto& exclusion : rules_.exclusions_) {
    const std::string_view path = environment_.canonical_path;
    if (exclusion.match == Exclusion::Path::Exact && path != exclusion.path) continue;
    if (exclusion.match == Exclusion::Path::Prefix && !path.starts_with(exclusion.path)) continue;
    if (!exclusion.whole_rule) {
      removed_targets_.push_back({&exclusion.target, &exclusion.rules});
      continue;
    }
    removed_.resize(rules_.size(), false);
    for (const RuleIndex rule : exclusion.rules) removed_[rule] = true;
  }
}

Decision Transaction::request_body(std::string_view body, bool whole) {
  if (engine_ == Engine::Off) return {};
  body_octets_ = body.size();
  parse_body(body, whole);
  return run(2);
}

void Transaction::parse_body(std::string_view body, bool whole) {
  values_.set(Collection::ReqbodyProcessor, processor_);
  values_.set(Collection::RequestBodyLength, arena_.persist(std::to_string(body.size())));
  if (body.empty()) return;
  const BodyLimits& limits = rules_.options().body;
  BodyContent content;
  if (processor_ == "URLENCODED") {
    parse_urlencoded(body, limits, arena_, content);
  } else if (processor_ == "MULTIPART") {
    parse_multipart(body, content_type_, whole, limits, arena_, content);
  } else if (processor_ == "JSON") {
    parse_json(body, whole, limits, arena_, content);
  } else if (processor_ == "XML") {
    parse_xml(body, whole, limits, arena_, content);
  }
  values_.add_body(content);
  // What a parser could not make sense of is looked at as it is.
  if (processor_ == "URLENCODED" || force_body_ || !content.error.empty())
    values_.set(Collection::RequestBody, body);
}

Decision Transaction::response_headers(const Response& response) {
  if (engine_ == Engine::Off) return {};
  values_.add_response_head(response);
  return run(3);
}

Decision Transaction::response_body(std::string_view body) {
  if (engine_ == Engine::Off) return {};
  values_.set(Collection::ResponseBody, body);
  body_octets_ = body.size();
  return run(4);
}

void Transaction::log() {
  // What was decided stays.
  const Decision decision = decision_;
  run(5);
  decision_ = decision;
}

Decision Transaction::run(int phase) {
  if (engine_ == Engine::Off) return {};
  decision_ = Decision();
  const CrsOptions& options = rules_.options();
  environment_.workspace.allow(options.cpu_nanoseconds +
                               options.cpu_nanoseconds_per_octet *
                                   static_cast<std::int64_t>(body_octets_));
  scan(phase);
  const std::vector<RuleIndex>& order = rules_.phases_[phase];
  for (std::size_t i = 0; i < order.size();) {
    const RuleIndex index = order[i];
    const Head& head = rules_.heads_[index];
    ++i;
    if (!removed_.empty() && removed_[index]) continue;
    if (evaluate_rule(index, head)) {
      if (head.skip_to != 0) i = head.skip_to;
      if (decision_.what != Decision::What::Continue || engine_ == Engine::Off) break;
    }
    if (!within_budget()) {
      exhausted_ = true;
      break;
    }
  }
  if (exhausted_ && decision_.what == Decision::What::Continue)
    decision_.what = Decision::What::Exhausted;
  return decision_;
}

// Looks for the patterns of all rules of the phase at once.
void Transaction::scan(int phase) {
  for (const Collection collection : rules_.scanned_by_[phase]) {
    std::size_t& done = scanned_[static_cast<std::size_t>(collection)];
    const std::vector<Value>& values = values_.of(collection);
    for (; done < values.size(); ++done) {
      const auto looked_at = rules_.prescan_.scan(field_group(collection), values[done].text, memo_,
                                                  environment_.workspace, hits_);
      if (!looked_at) exhausted_ = true;
      work_ += looked_at.value_or(0);
    }
  }
}

bool Transaction::within_budget() {
  const std::size_t done = work();
  if (done > rules_.options().work_octets) return false;
  if (done - work_checked_ < kWorkUnchecked) return true;
  work_checked_ = done;
  return !environment_.workspace.is_late();
}

void Transaction::remember(const Head& head, const Link& first) {
  if (matches_.size() >= kMostMatches) return;
  Match match;
  match.rule = &first.rule;
  match.logged = head.log;
  match.counted_only = head.count_only;
  if (head.log) {
    match.variable = excerpt(matched_name_, kLongestExcerpt);
    match.value = excerpt(matched_value_, kLongestExcerpt);
    match.message = excerpt(expand(first.message), kLongestExcerpt * 4);
    match.logdata = excerpt(expand(first.logdata), kLongestExcerpt * 2);
  }
  matches_.push_back(std::move(match));
}

std::int64_t Transaction::score(std::string_view name) const {
  const std::string_view* const value = tx_.get(name);
  return value == nullptr ? 0 : number(*value);
}

}  // namespace headgate::guard::waf
