// SPDX-License-Identifier: MIT
#include "appliance/guard/limit.h"

#include <array>

namespace headgate::guard {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Limit::kCount)> kNames = {
    "maxConnections",
    "maxConnectionsPerAddress",
    "acceptRate",
    "acceptRatePerAddress",
    "handshakeRate",
    "handshakeRatePerAddress",
    "handshakeTimeout",
    "requestHeaderTimeout",
    "maxUrl",
    "maxHeaderSize",
    "maxRequestBody",
    "maxHeldBodies",
    "bodyTimeout",
    "minUploadRate",
    "sendTimeout",
    "http2.maxConcurrentStreams",
    "http2.maxContinuations",
    "http2.maxResets",
    "http2.maxPings",
    "http2.maxSettings",
    "http2.maxPriorities",
    "http2.maxWindowUpdates",
    "http2.maxEmptyData",
    "http2.maxUseless",
};

}  // namespace

std::string_view name(Limit limit) { return kNames[static_cast<std::size_t>(limit)]; }

}  // namespace headgate::guard
