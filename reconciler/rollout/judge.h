// SPDX-License-Identifier: MIT
// Whether a commit made requests worse: numbers in, a finding out.
//
//   suspect   the commit's requests against those under the configuration before it. Enough for a
//             suspicion only: an origin may have failed meanwhile.
//   compare   requests of the same moments, half of them under each: what befalls both alike is not
//             the commit's fault.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "appliance/observe/tally.h"
#include "schema/model/rollout.h"

namespace headgate::reconciler {

/// So many of so many requests.
struct Share {
  std::uint64_t part = 0;
  std::uint64_t of = 0;
  double ratio() const;  ///< 0 of none
  /// The ends of the Wilson score interval for the true share, three standard errors wide on each
  /// side (E. B. Wilson, 1927): 0 and 1 of none.
  double at_least() const;
  double at_most() const;
};

enum class Signal { Errors, OriginErrors, Blocks, FirstOctet };

/// What seems to have become worse.
struct Suspicion {
  std::string distribution;
  Signal signal = Signal::Errors;
  std::size_t bucket = 0;  ///< of FirstOctet: requests beyond this one are slow
  double allowance = 0;    ///< how much higher the share may be
  double limit = 0;        ///< the highest share that is none of the commit's fault
  Share share;
};

/// Of the tally of `suspicion`'s distribution, or of one of its behaviors.
Share share_of(const Suspicion& suspicion, const observe::Tally& tally);

/// Nothing before `minRequests` came, and nothing that is within chance. `before`: of the same
/// distribution under the configuration before; where that had fewer requests than `minRequests`,
/// none of them failed, as far as is known. Threads: pure.
std::optional<Suspicion> suspect(const std::string& distribution, const schema::RolloutGuard& guard,
                                 const observe::Tally& before, const observe::Tally& now);

enum class Finding {
  Open,   ///< too few requests to tell
  Worse,  ///< than the configuration before does at the same time
  Alike,  ///< it is as bad under both
  Over,   ///< it is good again under the commit
};

/// `live` and `other`: under the commit, and under the configuration before, at the same time.
/// Threads: pure.
Finding compare(const Suspicion& suspicion, const schema::RolloutGuard& guard,
                const observe::Tally& live, const observe::Tally& other);

/// "shop: 98.1 % of 106 requests ended as 5xx".
std::string describe(const Suspicion& suspicion, const Share& share);

}  // namespace headgate::reconciler
