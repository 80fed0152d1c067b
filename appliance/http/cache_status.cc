// SPDX-License-Identifier: MIT
#include "appliance/http/cache_status.h"

#include <array>
#include <charconv>
#include <cstring>

#include "appliance/http/structured.h"

namespace headgate::http {
namespace {

constexpr std::array<std::string_view, 9> kForwardNames = {
    "", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"};

/// The longest texts together stay under kCacheStatusSize: 8 + 5 + 15 + 30 + 8 + 11 + 27 + 10 + 2
/// × 64.
struct Writer {
  char* at;

  void put(std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
  void put(std::int64_t number) { at = std::to_chars(at, at + 20, number).ptr; }
  void put_detail(std::string_view text) {
    if (is_sf_token(text)) return put(text);
    *at++ = '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') *at++ = '\\';
      *at++ = c >= 0x20 && c < 0x7f ? c : '?';
    }
    *at++ = '"';
  }
};

}  // namespace

std::string_view write_cache_status(const CacheStatus& status,
                                    std::span<char, kCacheStatusSize> out) {
  Writer writer{.at = out.data()};
  writer.put("headgate");
  if (status.hit) writer.put("; hit");
  if (status.forward != Forward::None) {
    writer.put("; fwd=");
    writer.put(kForwardNames[static_cast<std::size_t>(status.forward)]);
  }
  if (status.forward_status) {
    writer.put("; fwd-status=");
    writer.put(std::int64_t{*status.forward_status});
  }
  if (status.stored) writer.put("; stored");
  if (status.collapsed) writer.put("; collapsed");
  if (status.ttl_seconds) {
    writer.put("; ttl=");
    writer.put(*status.ttl_seconds);
  }
  if (!status.detail.empty()) {
    writer.put("; detail=");
    writer.put_detail(status.detail.substr(0, 64));
  }
  return {out.data(), static_cast<std::size_t>(writer.at - out.data())};
}

}  // namespace headgate::http
