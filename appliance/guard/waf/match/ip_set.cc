// SPDX-License-Identifier: MIT
// IpSet as sorted, disjoint ranges.
#include "appliance/guard/waf/match/ip_set.h"

#include <algorithm>
#include <charconv>

namespace headgate::guard::waf {

Status IpSet::add(std::string_view network) {
  const std::size_t slash = network.find('/');
  const auto address = base::IpAddress::parse(network.substr(0, slash));
  if (!address || !base::IpNetwork::parse(network))
    return fail(Blame::Config,
                "'{}' is not an IP address or network; write 192.0.2.0/24 or 2001:db8::/32",
                network);
  int bits = address->is_v4() ? 32 : 128;
  if (slash != std::string_view::npos)
    std::from_chars(network.data() + slash + 1, network.data() + network.size(), bits);
  Range range{address->octets(), address->octets()};
  for (int bit = bits; bit < (address->is_v4() ? 32 : 128); ++bit) {
    const auto at = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    range.first[at] = static_cast<std::uint8_t>(range.first[at] & ~mask);
    range.last[at] = static_cast<std::uint8_t>(range.last[at] | mask);
  }
  (address->is_v4() ? v4_ : v6_).push_back(range);
  return {};
}

void IpSet::finish() {
  for (std::vector<Range>* ranges : {&v4_, &v6_}) {
    std::sort(ranges->begin(), ranges->end(),
              [](const Range& a, const Range& b) { return a.first < b.first; });
    std::size_t kept = 0;
    for (const Range& range : *ranges) {
      if (kept > 0 && range.first <= (*ranges)[kept - 1].last) {
        (*ranges)[kept - 1].last = std::max((*ranges)[kept - 1].last, range.last);
      } else {
        (*ranges)[kept++] = range;
      }
    }
    ranges->resize(kept);
    ranges->shrink_to_fit();
  }
}

bool IpSet::contains(const base::IpAddress& address) const {
  if (!address.is_v4() && !address.is_v6()) return false;
  const std::vector<Range>& ranges = address.is_v4() ? v4_ : v6_;
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), address.octets(),
      [](const Octets& octets, const Range& range) { return octets < range.first; });
  return after != ranges.begin() && address.octets() <= std::prev(after)->last;
}

}  // namespace headgate::guard::waf
