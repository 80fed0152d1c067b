// SPDX-License-Identifier: MIT
#include "appliance/snapshot/request/device.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "appliance/http/field.h"

namespace headgate::snapshot {
namespace {

constexpr std::size_t kMostOctets = 512;

/// A User-Agent in lower case.
class Agent {
 public:
  explicit Agent(std::string_view text) : size_(std::min(text.size(), kMostOctets)) {
    std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size_), text_.begin(),
                   http::to_lower);
  }
  bool has(std::string_view word) const {
    return std::string_view(text_.data(), size_).find(word) != std::string_view::npos;
  }
  bool has_any(std::initializer_list<std::string_view> words) const {
    return std::any_of(words.begin(), words.end(), [this](auto word) { return has(word); });
  }

 private:
  std::array<char, kMostOctets> text_;
  std::size_t size_;
};

}  // namespace

Device classify_device(std::string_view user_agent) {
  const Agent agent(user_agent);
  Device device;
  device.android = agent.has("android");
  device.ios = agent.has_any({"iphone", "ipad", "ipod"});
  // Televisions first: many run Android. Then tablets: what is no "Mobile" on Android is one.
  if (agent.has_any({"smart-tv", "smarttv", "smart tv", "googletv", "android tv", "appletv",
                     "apple tv", "hbbtv", "netcast", "web0s", "roku", "bravia", "crkey", "aftb",
                     "aftt", "aftm", "afts"})) {
    device.kind = DeviceClass::SmartTv;
  } else if (agent.has_any({"ipad", "tablet", "kindle", "playbook", "silk/"}) ||
             (device.android && !agent.has("mobile"))) {
    device.kind = DeviceClass::Tablet;
  } else if (device.ios || agent.has_any({"mobile", "windows phone", "blackberry", "opera mini"})) {
    device.kind = DeviceClass::Mobile;
  }
  return device;
}

std::string_view name_of(DeviceClass kind) {
  constexpr std::array<std::string_view, 4> kNames = {"desktop", "mobile", "tablet", "smarttv"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace headgate::snapshot
