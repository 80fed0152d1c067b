// SPDX-License-Identifier: MIT
// What kind of device a User-Agent speaks of: CloudFront's CloudFront-Is-…-Viewer facts.
#pragma once

#include <cstdint>
#include <string_view>

namespace headgate::snapshot {

enum class DeviceClass : std::uint8_t { Desktop, Mobile, Tablet, SmartTv };

struct Device {
  DeviceClass kind = DeviceClass::Desktop;
  bool android = false;
  bool ios = false;
};

/// By the words that browsers are known to put into their User-Agent; what says nothing is a
/// desktop. Reads at most 512 octets. Errors: none.
Device classify_device(std::string_view user_agent);

/// "desktop", "mobile", "tablet", "smarttv".
std::string_view name_of(DeviceClass kind);

}  // namespace headgate::snapshot
