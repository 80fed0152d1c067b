// SPDX-License-Identifier: MIT
// Fuzzes the access log's formatter: every line of every record is one line of JSON, within its
// bound.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "appliance/observe/line.h"

namespace {

using headgate::observe::RequestRecord;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Deals octets out to the members of a record.
class Dealer {
 public:
  explicit Dealer(std::string_view octets) : rest_(octets) {}
  template <class Number>
  Number number() {
    Number value{};
    const auto size = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  std::string_view text() {
    const auto size = std::min<std::size_t>(number<std::uint16_t>() % 6000, rest_.size());
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view rest_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headgate;
  Dealer dealer({reinterpret_cast<const char*>(data), size});
  RequestRecord record;
  record.time = base::WallTime(Duration(dealer.number<std::int64_t>()));
  std::array<std::uint8_t, 16> address;
  for (auto& octet : address) octet = dealer.number<std::uint8_t>();
  record.client = base::IpAddress::from_v6(address);
  record.client_port = dealer.number<std::uint16_t>();
  record.status = dealer.number<int>();
  record.origin_status = dealer.number<int>();
  record.reason = static_cast<guard::Reason>(dealer.number<std::uint8_t>() %
                                             static_cast<int>(guard::Reason::kCount));
  record.outcome = static_cast<observe::CacheOutcome>(
      dealer.number<std::uint8_t>() % static_cast<int>(observe::CacheOutcome::kCount));
  record.bytes_sent = dealer.number<std::uint64_t>();
  record.duration_us = dealer.number<std::uint64_t>();
  record.aborted = dealer.number<std::uint8_t>() % 2 == 0;
  for (auto* text :
       {&record.target, &record.user_agent, &record.host, &record.referer, &record.method,
        &record.country, &record.scheme, &record.protocol, &record.tls_version, &record.request_id,
        &record.distribution, &record.behavior, &record.origin, &record.generation,
        &record.proxy_error, &record.details, &record.content_type}) {
    *text = dealer.text();
  }

  static observe::LineFormatter formatter;
  const auto bound = observe::LineFormatter::bound(record);
  require(bound <= observe::LineFormatter::kMaxLine);
  const auto line =
      std::make_unique<char[]>(bound);  // exactly: the sanitizer sees an octet too many
  const std::string_view text(line.get(), formatter.format(record, line.get()));
  require(text.back() == '\n' && text.find('\n') == text.size() - 1);
  require(nlohmann::json::accept(text));
  return 0;
}
