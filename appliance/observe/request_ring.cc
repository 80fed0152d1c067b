// SPDX-License-Identifier: MIT
#include "appliance/observe/request_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "appliance/base/hash.h"
#include "appliance/http/field.h"
#include "appliance/http/query.h"
#include "appliance/observe/line.h"

namespace headgate::observe {
namespace {

/// What a replay can make use of.
constexpr std::array<std::string_view RequestRecord::*, 11> kTexts = {
    &RequestRecord::country,    &RequestRecord::method,       &RequestRecord::scheme,
    &RequestRecord::host,       &RequestRecord::target,       &RequestRecord::protocol,
    &RequestRecord::user_agent, &RequestRecord::referer,      &RequestRecord::distribution,
    &RequestRecord::behavior,   &RequestRecord::content_type,
};
constexpr std::size_t kLongestText = 0xffff;

/// Parts of names of parameters whose values open something.
constexpr std::string_view kSecretNames[] = {
    "token",  "signature", "sig",     "password", "passwd", "secret", "credential", "session",
    "apikey", "api_key",   "api-key", "key-pair", "policy", "auth",   "code",       "jwt"};

bool is_secret(std::string_view name) {
  return std::any_of(std::begin(kSecretNames), std::end(kSecretNames), [&](std::string_view part) {
    return std::search(name.begin(), name.end(), part.begin(), part.end(), [](char a, char b) {
             return http::equals_ignoring_case({&a, 1}, {&b, 1});
           }) != name.end();
  });
}

std::string without_secrets(std::string_view target) {
  std::string_view path;
  std::string_view query;
  http::split_target(target, path, query);
  std::string out(path);
  char separator = '?';
  http::QueryPair pair;
  for (http::QueryReader reader(query); reader.next(pair); separator = '&') {
    out += separator;
    if (pair.value.empty() || !is_secret(pair.name)) {
      out += pair.raw;
    } else {
      out += fmt::format("{}=redacted-{:016x}", pair.name, base::hash128(pair.value).low);
    }
  }
  return out;
}

}  // namespace

/// Before the octets of the texts.
struct RequestRing::Entry {
  std::uint32_t size =
      0;  ///< with them; 0: the rest of the ring is empty, the next is at its start
  std::array<std::uint16_t, kTexts.size()> lengths{};
  base::WallTime time{};
  base::IpAddress client;
  int status = 0;
  guard::Reason reason = guard::Reason::None;
  CacheOutcome outcome = CacheOutcome::Bypass;
  std::uint64_t bytes_sent = 0;
};

RequestRing::RequestRing(std::size_t octets) : octets_(octets) {}

void RequestRing::add(const RequestRecord& record) {
  Entry entry;
  std::size_t size = sizeof entry;
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const std::size_t length = (record.*kTexts[i]).size();
    if (length > kLongestText) return;
    entry.lengths[i] = static_cast<std::uint16_t>(length);
    size += length;
  }
  size = (size + alignof(Entry) - 1) / alignof(Entry) * alignof(Entry);
  if (size > octets_.size() / 16) return;
  entry.size = static_cast<std::uint32_t>(size);
  entry.time = record.time;
  entry.client = record.client;
  entry.status = record.status;
  entry.reason = record.reason;
  entry.outcome = record.outcome;
  entry.bytes_sent = record.bytes_sent;

  if (octets_.size() - end_ < size) {
    // The oldest are at the end of the ring then, or nowhere.
    while (count_ > 0 && begin_ >= end_) forget_oldest();
    if (octets_.size() - end_ >= sizeof entry.size)
      std::memset(octets_.data() + end_, 0, sizeof entry.size);
    end_ = 0;
    if (count_ == 0) begin_ = 0;
  }
  while (count_ > 0 && begin_ >= end_ && begin_ < end_ + size) forget_oldest();
  if (count_ == 0) begin_ = end_;
  char* out = octets_.data() + end_;
  std::memcpy(out, &entry, sizeof entry);
  out += sizeof entry;
  for (const auto text : kTexts)  // not memcpy: an empty one may be null
    out = std::copy((record.*text).begin(), (record.*text).end(), out);
  end_ += size;
  ++count_;
}

void RequestRing::forget_oldest() {
  std::uint32_t size = 0;
  std::memcpy(&size, octets_.data() + begin_, sizeof size);
  begin_ += size;
  if (--count_ == 0) return;
  if (octets_.size() - begin_ >= sizeof size)
    std::memcpy(&size, octets_.data() + begin_, sizeof size);
  else
    size = 0;
  if (size == 0) begin_ = 0;
}

std::string RequestRing::lines() const {
  std::string out;
  LineFormatter formatter;
  std::string line;
  std::size_t at = begin_;
  for (std::size_t i = 0; i < count_; ++i) {
    Entry entry;
    if (octets_.size() - at >= sizeof entry.size)
      std::memcpy(&entry.size, octets_.data() + at, sizeof entry.size);
    if (entry.size == 0) at = 0;
    std::memcpy(&entry, octets_.data() + at, sizeof entry);
    RequestRecord record;
    const char* text = octets_.data() + at + sizeof entry;
    for (std::size_t n = 0; n < kTexts.size(); ++n) {
      record.*kTexts[n] = {text, entry.lengths[n]};
      text += entry.lengths[n];
    }
    record.time = entry.time;
    record.client = entry.client;
    record.status = entry.status;
    record.reason = entry.reason;
    record.outcome = entry.outcome;
    record.bytes_sent = entry.bytes_sent;
    const std::string target = without_secrets(record.target);
    const std::string referer = without_secrets(record.referer);
    record.target = target;
    record.referer = referer;
    line.resize(LineFormatter::bound(record));
    out.append(line.data(), formatter.format(record, line.data()));
    at += entry.size;
  }
  return out;
}

}  // namespace headgate::observe
