// SPDX-License-Identifier: MIT
// `bots` of a web ACL: which labels a request has that says it is one.
#pragma once

#include <array>
#include <functional>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/hash.h"
#include "appliance/guard/waf/bots/verdicts.h"
#include "appliance/guard/waf/match/ip_set.h"
#include "appliance/guard/waf/rules/view.h"
#include "schema/base/result.h"
#include "schema/model/web_acl.h"

namespace headgate::guard::waf {

/// Threads: const members are safe everywhere.
class Bots {
 public:
  using Trace = std::function<void(std::string)>;

  /// Errors: Blame::Config; a network that is none.
  static Result<Bots> compile(const std::vector<schema::WafBot>& source);

  bool empty() const { return bots_.empty(); }
  /// Adds `bot:verified` and `bot:verified:NAME`, or the same of `unverified` or `pending`, for
  /// each bot that User-Agent names. They live as long as this object. `verdicts` is null where DNS
  /// is not asked. `buffer` is overwritten. `trace`, which may be null, is told why.
  void label(const View& view, Verdicts* verdicts, std::string& buffer,
             std::pmr::vector<std::string_view>& labels, const Trace* trace) const;

 private:
  struct Bot {
    std::string name;
    std::vector<std::string> user_agent;  ///< in lower case
    IpSet ranges;
    Domains domains;                    ///< null: DNS is not asked
    base::Hash128 identity;             ///< of the domains
    std::array<std::string, 3> labels;  ///< by Verdict
  };

  static bool is_claimed(const Bot& bot, std::string_view user_agent);
  static Verdict judge(const Bot& bot, const base::IpAddress& address, Verdicts* verdicts);
  static std::string explain(const Bot& bot, const View& view, Verdict verdict, bool asks);

  std::vector<Bot> bots_;
};

}  // namespace headgate::guard::waf
