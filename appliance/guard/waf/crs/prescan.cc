// SPDX-License-Identifier: MIT
// Builds and uses the databases of a rule set.
#include "appliance/guard/waf/crs/prescan.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <utility>

#include "appliance/guard/waf/text/functions.h"

namespace headgate::guard::waf {
namespace {

// Part of the digest: to be raised when the same patterns compile to something else.
constexpr std::string_view kFormat = "headgate-patterns-2";

std::string digest_of(const std::vector<Pattern>& patterns) {
  std::string all(kFormat);
  for (const Pattern& pattern : patterns) {
    all += fmt::format("\n{} {} {} ", static_cast<int>(pattern.kind), pattern.id,
                       pattern.expression.size());
    all += pattern.expression;
  }
  std::string octets;
  text::sha1(all, octets);
  std::string digest;
  text::hex_encode(octets, digest);
  return digest;
}

}  // namespace

FieldGroup field_group(Collection collection) {
  switch (collection) {
    case Collection::Args:
    case Collection::ArgsNames:
    case Collection::ArgsGet:
    case Collection::ArgsGetNames:
    case Collection::ArgsPost:
    case Collection::ArgsPostNames:
    case Collection::RequestCookies:
    case Collection::RequestCookiesNames:
    case Collection::Files:
    case Collection::FilesNames:
    case Collection::Xml:
    case Collection::XmlAttributes:
      return FieldGroup::Input;
    case Collection::RequestHeaders:
    case Collection::RequestHeadersNames:
      return FieldGroup::Headers;
    case Collection::RequestUri:
    case Collection::RequestUriRaw:
    case Collection::RequestFilename:
    case Collection::RequestBasename:
    case Collection::RequestLine:
    case Collection::QueryString:
      return FieldGroup::Target;
    case Collection::RequestBody:
      return FieldGroup::Body;
    case Collection::ResponseBody:
      return FieldGroup::Response;
    default:
      return FieldGroup::None;
  }
}

std::uint32_t Prescan::add(Entry entry) {
  entries_.push_back(std::move(entry));
  return static_cast<std::uint32_t>(entries_.size() - 1);
}

Status Prescan::finish(Cache* cache) {
  static std::atomic<std::uint64_t> serial = 0;
  serial_ = (serial += 16);  // room for the groups' numbers
  covered_.assign(entries_.size(), true);
  for (std::size_t g = 0; g < std::size(groups_); ++g) {
    Group& group = groups_[g];
    std::vector<Pattern> patterns;
    std::map<std::pair<int, std::string>, std::uint32_t> ids;
    for (std::uint32_t e = 0; e < entries_.size(); ++e) {
      const Entry& entry = entries_[e];
      if (std::find(entry.groups.begin(), entry.groups.end(), static_cast<FieldGroup>(g)) ==
          entry.groups.end())
        continue;
      for (const ChainId chain : entry.chains) {
        if (std::find(group.chains.begin(), group.chains.end(), chain) == group.chains.end())
          group.chains.push_back(chain);
      }
      if (entry.detector != nullptr) group.detectors.push_back(e);
      for (Pattern pattern : entry.patterns) {
        const auto next = static_cast<std::uint32_t>(ids.size());
        const auto [at, added] =
            ids.try_emplace({static_cast<int>(pattern.kind), pattern.expression}, next);
        if (added) {
          pattern.id = next;
          patterns.push_back(std::move(pattern));
          group.users.emplace_back();
        }
        group.users[at->second].push_back(e);
      }
    }
    HG_CHECK(compile_group(group, patterns, cache), "compiling the patterns of rules");
  }
  for (Entry& entry : entries_) entry.patterns.clear();
  return {};
}

Status Prescan::compile_group(Group& group, const std::vector<Pattern>& patterns, Cache* cache) {
  if (patterns.empty()) return {};
  const std::string digest = digest_of(patterns);
  std::vector<std::uint32_t> refused;
  if (!load(group, digest, refused, cache)) {
    HG_TRY(group.patterns, PatternSet::compile(patterns, refused), "Hyperscan");
    if (cache != nullptr) {
      if (const auto octets = group.patterns.serialize())
        cache->store(digest, fmt::format("{}\n", fmt::join(refused, " ")) + *octets);
    }
  }
  for (const std::uint32_t id : refused) {
    for (const std::uint32_t entry : group.users[id]) covered_[entry] = false;
  }
  return {};
}

// A cached database is a line with the ids that were refused, then Hyperscan's octets.
bool Prescan::load(Group& group, const std::string& digest, std::vector<std::uint32_t>& refused,
                   Cache* cache) {
  const auto octets = cache == nullptr ? std::nullopt : cache->load(digest);
  if (!octets) return false;
  std::string_view rest = *octets;
  while (!rest.empty() && rest.front() != '\n') {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), id);
    if (error != std::errc() || id >= group.users.size()) return false;
    refused.push_back(id);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.starts_with(' ')) rest.remove_prefix(1);
  }
  if (rest.empty()) return false;
  auto loaded = PatternSet::deserialize(rest.substr(1));
  if (!loaded) {
    refused.clear();
    return false;
  }
  group.patterns = std::move(*loaded);
  return true;
}

// Notes the entries that what was found in an output of `text` is about.
void Prescan::find(const Group& group, TextId text, Memo& memo, std::uint16_t output,
                   const std::vector<PatternHit>& found, PrescanHits& hits,
                   std::vector<std::uint32_t>& entries) const {
  for (const PatternHit& one : found) {
    for (const std::uint32_t entry : group.users[one.id]) {
      for (const ChainId chain : entries_[entry].chains) {
        if (memo.output(text, chain) != output) continue;
        hits.add(entry, {text, output, group.patterns.exact(one.id), one.end});
        entries.push_back(entry);
        break;
      }
    }
  }
}

std::optional<std::size_t> Prescan::scan(FieldGroup field_group, TextId text, Memo& memo,
                                         Workspace& workspace, PrescanHits& hits) const {
  const Group& group = groups_[static_cast<std::size_t>(field_group)];
  if (group.patterns.empty() && group.detectors.empty()) return 0;
  const std::string_view raw = memo.output_text(text, 0);
  ScanMemory& memory = workspace.scan_memory();
  const std::uint64_t owner = serial_ + static_cast<std::uint64_t>(field_group);
  if (const auto* const known = memory.find(owner, raw)) {
    // Short texts: where in them is not worth knowing.
    for (const std::uint32_t entry : *known) hits.add(entry, {text, 0, false, 0});
    return raw.size();
  }
  std::size_t looked_at = 0;
  std::vector<PatternHit>& found = workspace.hits();
  std::vector<std::uint32_t> entries;
  for (const ChainId chain : group.chains) memo.output(text, chain);
  // Every output is of some chain of the rule set; those of no chain of this group are few.
  const std::size_t outputs = memo.output_count(text);
  for (std::size_t output = 0; output < outputs; ++output) {
    const std::string_view octets = memo.output_text(text, static_cast<std::uint16_t>(output));
    found.clear();
    if (!group.patterns.scan(octets, workspace, found)) return std::nullopt;
    looked_at += octets.size();
    find(group, text, memo, static_cast<std::uint16_t>(output), found, hits, entries);
  }
  for (const std::uint32_t entry : group.detectors) {
    for (const ChainId chain : entries_[entry].chains) {
      const std::string_view octets = memo.get(text, chain);
      looked_at += octets.size();
      if (!entries_[entry].detector(octets)) continue;
      hits.add(entry, {text, memo.output(text, chain), true, octets.size()});
      entries.push_back(entry);
      break;
    }
  }
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  memory.remember(owner, raw, entries);
  return looked_at;
}

}  // namespace headgate::guard::waf
