// SPDX-License-Identifier: MIT
// What the edge asks of the updater of the appliance image, as the file that lies between the two.
#pragma once

#include <optional>
#include <string>

namespace headgate::reconciler {

/// Lines `name=value`, which a shell reads:
///
///   id=fleet-0.2.0-1       another one is another wish; the updater does each once
///   do=upgrade             or `factory-reset`
///   version=0.2.0          that the file must have; missing: any
///   from=https://…         or `received`: STATE/upgrade/received.upgrade
///   restart=now            or `wait`
///   urgent=yes             it need not wait for a change window; else missing
///   by=fleet               or `operator`
struct Wish {
  std::string id;
  bool factory_reset = false;
  std::string version;  ///< empty: what the file has
  std::string from;
  bool may_restart = false;
  bool urgent = false;
  bool by_operator = false;
  std::string text() const;
};

/// What `text` was made of; none when it is no wish.
std::optional<Wish> parse_wish(const std::string& text);

}  // namespace headgate::reconciler
