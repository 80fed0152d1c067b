// SPDX-License-Identifier: MIT
// Crawlers whose documentation says how to tell them from those who only say that they are them.
#pragma once

#include <string>
#include <vector>

namespace headgate::schema {

struct KnownBot {
  std::string name;                     ///< as in `bots` and labels: "googlebot"
  std::string title;                    ///< for people
  std::vector<std::string> user_agent;  ///< what User-Agent contains
  std::vector<std::string> domains;  ///< of its addresses' names; empty: it documents ranges only
  std::string ranges;                ///< where its ranges are published; empty: not needed
};

/// In the order of their names. Source: the operators' own pages on verifying their crawlers.
const std::vector<KnownBot>& known_bots();

/// Null: there is none of that name.
const KnownBot* find_known_bot(const std::string& name);

std::vector<std::string> known_bot_names();

/// The table of README.md.
std::string known_bots_markdown();

}  // namespace headgate::schema
