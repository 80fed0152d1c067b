// SPDX-License-Identifier: MIT
// PatternSet by Hyperscan.
#include "appliance/guard/waf/match/pattern_set.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <limits>
#include <utility>

#include "appliance/guard/waf/match/relax.h"

namespace headgate::guard::waf {
namespace {

// Sets come and go with rule sets. To ask for the scratch of one that was forgotten is only slow.
constexpr std::size_t kServedMost = 64;

// A set's number, never used again: an address would be.
std::size_t next_serial() {
  static std::atomic<std::size_t> serial = 0;
  return ++serial;
}

std::string expression_of(const Pattern& pattern) {
  if (pattern.kind == Pattern::Kind::Regex) return pattern.expression;
  std::string escaped;
  for (const char c : pattern.expression)
    escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return escaped;
}

unsigned flags_of(const Pattern& pattern) {
  const unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL;
  return pattern.kind == Pattern::Kind::Phrase ? flags | HS_FLAG_CASELESS : flags;
}

// Whether Hyperscan knows the syntax.
bool accepts(const std::string& expression, unsigned flags) {
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  const bool accepted = hs_expression_info(expression.c_str(), flags, &info, &error) == HS_SUCCESS;
  free(info);  // allocated by malloc, unless an allocator was set
  hs_free_compile_error(error);
  return accepted;
}

// Whether it can be compiled: one may be too large even so.
bool compiles(const std::string& expression, unsigned flags) {
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const bool compiled = hs_compile(expression.c_str(), flags, HS_MODE_BLOCK, nullptr, &database,
                                   &error) == HS_SUCCESS;
  hs_free_database(database);
  hs_free_compile_error(error);
  return compiled;
}

// Shorter ones are never too large.
constexpr std::size_t kPerhapsTooLarge = 1000;

// Makes of an expression one that Hyperscan can do and that matches at least what it matches, if
// need be only its beginning; empty when there is none.
std::string fit(const std::string& expression, unsigned& flags) {
  if (!accepts(expression, flags)) flags |= HS_FLAG_PREFILTER;
  const bool small = expression.size() < kPerhapsTooLarge;
  if (accepts(expression, flags) && (small || compiles(expression, flags))) return expression;
  // A beginning that can be empty would be found everywhere; Hyperscan says of it that its least
  // width is none.
  const std::vector<std::size_t> ends = sequence_ends(expression);
  for (std::size_t keep = ends.size(); keep > 0; keep /= 2) {
    const std::string beginning = expression.substr(0, ends[keep - 1]);
    if (accepts(beginning, flags) && compiles(beginning, flags & ~unsigned{HS_FLAG_ALLOWEMPTY}))
      return beginning;
  }
  return "";
}

}  // namespace

PatternSet::PatternSet(hs_database* database) : database_(database), serial_(next_serial()) {}
PatternSet::PatternSet(PatternSet&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)),
      serial_(other.serial_),
      approximate_(std::move(other.approximate_)) {}
PatternSet& PatternSet::operator=(PatternSet&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(serial_, other.serial_);
  std::swap(approximate_, other.approximate_);
  return *this;
}
PatternSet::~PatternSet() { hs_free_database(database_); }

Result<PatternSet> PatternSet::compile(std::span<const Pattern> patterns,
                                       std::vector<std::uint32_t>& refused) {
  std::vector<std::string> expressions;
  std::vector<std::uint32_t> approximate;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (const Pattern& pattern : patterns) {
    unsigned flag = flags_of(pattern);
    std::string expression = expression_of(pattern);
    // A phrase is always fit, an empty regex matches everything.
    if (pattern.kind == Pattern::Kind::Regex && !expression.empty()) {
      std::string fitting = fit(expression, flag);
      if (fitting.empty()) {
        refused.push_back(pattern.id);
        continue;
      }
      // To Hyperscan, '$' is before a newline at the end, too.
      if (fitting != expression || (flag & HS_FLAG_PREFILTER) != 0 ||
          expression.find('$') != std::string::npos)
        approximate.push_back(pattern.id);
      expression = std::move(fitting);
    }
    expressions.push_back(std::move(expression));
    flags.push_back(flag);
    ids.push_back(pattern.id);
  }
  if (expressions.empty()) return PatternSet();
  std::vector<const char*> texts;
  for (const std::string& expression : expressions) texts.push_back(expression.c_str());
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const hs_error_t outcome =
      hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()),
                       HS_MODE_BLOCK, nullptr, &database, &error);
  if (outcome != HS_SUCCESS) {
    const std::string message = error == nullptr ? "no reason given" : error->message;
    const int at = error == nullptr ? -1 : error->expression;
    hs_free_compile_error(error);
    return fail(
        Blame::Config, "Hyperscan cannot compile {} patterns{}: {}", texts.size(),
        at < 0 ? std::string() : ", because of " + expressions[static_cast<std::size_t>(at)],
        message);
  }
  PatternSet set(database);
  std::sort(approximate.begin(), approximate.end());
  set.approximate_ = std::move(approximate);
  return set;
}

// The ids that are approximate on a line, then Hyperscan's octets.
Result<std::string> PatternSet::serialize() const {
  if (database_ == nullptr) return std::string();
  char* octets = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database_, &octets, &size) != HS_SUCCESS)
    return fail(Blame::Self, "Hyperscan could not serialize a database");
  std::string all = fmt::format("{}\n", fmt::join(approximate_, " "));
  all.append(octets, size);
  free(octets);
  return all;
}

Result<PatternSet> PatternSet::deserialize(std::string_view octets) {
  if (octets.empty()) return PatternSet();
  std::vector<std::uint32_t> approximate;
  while (!octets.empty() && octets.front() != '\n') {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(octets.data(), octets.data() + octets.size(), id);
    if (error != std::errc()) break;
    approximate.push_back(id);
    octets.remove_prefix(static_cast<std::size_t>(end - octets.data()));
    if (octets.starts_with(' ')) octets.remove_prefix(1);
  }
  hs_database_t* database = nullptr;
  if (!octets.starts_with('\n') ||
      hs_deserialize_database(octets.data() + 1, octets.size() - 1, &database) != HS_SUCCESS)
    return fail(Blame::Self, "not a database of this Hyperscan for this processor");
  PatternSet set(database);
  set.approximate_ = std::move(approximate);
  return set;
}

// Makes the scratch memory large enough.
bool PatternSet::prepare(Workspace& workspace) const {
  std::vector<std::size_t>& serves = workspace.scratch_serves_;
  if (std::find(serves.begin(), serves.end(), serial_) != serves.end()) return true;
  if (hs_alloc_scratch(database_, &workspace.scratch_) != HS_SUCCESS) return false;
  if (serves.size() >= kServedMost) serves.erase(serves.begin());
  serves.push_back(serial_);
  return true;
}

bool PatternSet::scan(std::string_view text, Workspace& workspace,
                      std::vector<PatternHit>& hits) const {
  if (database_ == nullptr) return true;
  if (!prepare(workspace)) return false;
  const auto on_match = [](unsigned id, unsigned long long, unsigned long long end, unsigned,
                           void* context) {
    static_cast<std::vector<PatternHit>*>(context)->push_back({id, end});
    return 0;
  };
  const std::size_t size = std::min<std::size_t>(text.size(), std::numeric_limits<unsigned>::max());
  return hs_scan(database_, text.empty() ? "" : text.data(), static_cast<unsigned>(size), 0,
                 workspace.scratch_, on_match, &hits) == HS_SUCCESS;
}

bool PatternSet::scan(std::string_view text, Workspace& workspace,
                      std::vector<std::uint32_t>& ids) const {
  std::vector<PatternHit>& hits = workspace.hits_;
  hits.clear();
  if (!scan(text, workspace, hits)) return false;
  for (const PatternHit& hit : hits) ids.push_back(hit.id);
  return true;
}

std::size_t PatternSet::size_bytes() const {
  std::size_t size = 0;
  if (database_ != nullptr) hs_database_size(database_, &size);
  return size;
}

}  // namespace headgate::guard::waf
