// SPDX-License-Identifier: MIT
// Looks at each text once for the patterns of all rules, and notes which rules have to look closer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "appliance/guard/waf/match/pattern_set.h"
#include "appliance/guard/waf/seclang/names.h"
#include "appliance/guard/waf/text/memo.h"

namespace headgate::guard::waf {

/// Collections whose texts are looked for the same patterns.
enum class FieldGroup : std::uint8_t { Input, Headers, Target, Body, Response, kCount, None };
FieldGroup field_group(Collection collection);

/// Where a rule may match.
struct PrescanHit {
  TextId text = 0;
  std::uint16_t output = 0;  ///< of the text
  bool exact = false;        ///< it does match
  std::size_t end = 0;       ///< where the match ends, in that output
};

/// Lists of the texts where each rule may match; filled during a request.
/// Threads: one.
class PrescanHits {
 public:
  explicit PrescanHits(std::size_t rules) : heads_(rules, kEnd) {}
  /// Texts come one after the other: all of one before the next. Of several hits of a rule in a
  /// text the first stays.
  void add(std::uint32_t rule, const PrescanHit& hit) {
    if (heads_[rule] != kEnd && nodes_[heads_[rule]].hit.text == hit.text) return;
    nodes_.push_back({hit, heads_[rule]});
    heads_[rule] = static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  bool any(std::uint32_t rule) const { return heads_[rule] != kEnd; }
  /// Marks the texts of a rule, and no others.
  void mark(std::uint32_t rule) {
    ++stamp_;
    for (std::uint32_t at = heads_[rule]; at != kEnd; at = nodes_[at].next) {
      const TextId text = nodes_[at].hit.text;
      if (text >= stamps_.size()) stamps_.resize(text + 64);
      stamps_[text] = {stamp_, at};
    }
  }
  /// The hit of the rule that was marked, or null.
  const PrescanHit* marked(TextId text) const {
    if (text >= stamps_.size() || stamps_[text].stamp != stamp_) return nullptr;
    return &nodes_[stamps_[text].node].hit;
  }

 private:
  static constexpr std::uint32_t kEnd = 0xffffffff;
  struct Node {
    PrescanHit hit;
    std::uint32_t next;
  };
  struct Stamp {
    std::uint32_t stamp = 0;
    std::uint32_t node = 0;
  };
  std::vector<std::uint32_t> heads_;
  std::vector<Node> nodes_;
  std::vector<Stamp> stamps_;  ///< by text
  std::uint32_t stamp_ = 0;
};

/// One Hyperscan database for each group of fields.
/// Threads: const members are safe everywhere, each thread with its own Workspace.
class Prescan {
 public:
  /// A rule to be told about: its patterns are looked for in the groups of its collections, after
  /// any of its chains.
  struct Entry {
    std::vector<FieldGroup> groups;
    std::vector<Pattern> patterns;                 ///< ids are not read
    bool (*detector)(std::string_view) = nullptr;  ///< asked in place of patterns
    std::vector<ChainId> chains;
  };

  /// Numbers the entry, from 0. Before finish().
  std::uint32_t add(Entry entry);

  /// Compiled databases by digest.
  class Cache {
   public:
    virtual ~Cache() = default;
    virtual std::optional<std::string> load(const std::string& digest) = 0;
    virtual void store(const std::string& digest, const std::string& octets) = 0;
  };
  /// Compiles, or takes from `cache`, which may be null.
  Status finish(Cache* cache);

  std::size_t size() const { return entries_.size(); }
  /// False for entries that Hyperscan cannot do: those have to look at everything.
  bool covers(std::uint32_t entry) const { return covered_[entry]; }

  /// Notes the entries that may match `text`, a text of a collection of `group`. Returns the octets
  /// looked at, or none when Hyperscan failed.
  std::optional<std::size_t> scan(FieldGroup group, TextId text, Memo& memo, Workspace& workspace,
                                  PrescanHits& hits) const;

 private:
  struct Group {
    PatternSet patterns;
    std::vector<ChainId> chains;                    ///< of all its entries
    std::vector<std::vector<std::uint32_t>> users;  ///< by pattern id: entries
    std::vector<std::uint32_t> detectors;           ///< entries that have one
  };
  static bool load(Group& group, const std::string& digest, std::vector<std::uint32_t>& refused,
                   Cache* cache);
  Status compile_group(Group& group, const std::vector<Pattern>& patterns, Cache* cache);

  std::vector<Entry> entries_;
  std::vector<bool> covered_;
  void find(const Group& group, TextId text, Memo& memo, std::uint16_t output,
            const std::vector<PatternHit>& found, PrescanHits& hits,
            std::vector<std::uint32_t>& entries) const;

  std::uint64_t serial_ = 0;  ///< for what a Workspace remembers
  Group groups_[static_cast<std::size_t>(FieldGroup::kCount)];
};

}  // namespace headgate::guard::waf
