// SPDX-License-Identifier: MIT
// What systemd is told (sd_notify(3)): that the appliance serves, which process it is, that it
// stops.
#pragma once

#include <string>

namespace headgate::cli {

/// Sends `state`, "READY=1" say, to the socket that NOTIFY_SOCKET names; without one nobody wants
/// to know.
void tell_service_manager(const std::string& state);

}  // namespace headgate::cli
