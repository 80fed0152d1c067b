// SPDX-License-Identifier: MIT
// The limits of the machine that a client can exceed: `limits` of `kind: Edge`.
#pragma once

#include <cstdint>
#include <string_view>

namespace headgate::guard {

enum class Limit : std::uint8_t {
  MaxConnections,
  MaxConnectionsPerAddress,
  AcceptRate,
  AcceptRatePerAddress,
  HandshakeRate,
  HandshakeRatePerAddress,
  HandshakeTimeout,
  RequestHeaderTimeout,
  MaxUrl,
  MaxHeaderSize,  ///< and maxHeaders
  MaxRequestBody,
  MaxHeldBodies,
  BodyTimeout,
  MinUploadRate,
  SendTimeout,
  MaxConcurrentStreams,
  MaxContinuations,
  MaxResets,
  MaxPings,
  MaxSettings,
  MaxPriorities,
  MaxWindowUpdates,
  MaxEmptyData,
  MaxUseless,
  kCount,
};

/// The field of the configuration that sets it: "maxConnections", "http2.maxResets".
std::string_view name(Limit limit);

}  // namespace headgate::guard
