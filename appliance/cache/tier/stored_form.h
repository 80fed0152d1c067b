// SPDX-License-Identifier: MIT
// How a stored response lies in a record of the disk.
//
//   value    := version kind (response | variants)
//   response := status flags stamp times distribution path behavior field* coding* body
//   variants := name*                      the fields that a key's responses vary by
//
// Integers are little-endian; a text is its length in four octets and then its octets. Hashes are
// not written: their seed is the process's. The key is the record's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/time.h"
#include "appliance/cache/response.h"

namespace headgate::cache {

/// The clocks of one run of the process. Ages go on across runs by the wall clock; within one they
/// do not depend on its being set.
struct RunClock {
  std::uint32_t run = 0;
  base::MonoTime mono;
  base::WallTime wall;
};

/// `behavior`: the text of which `response` has the hash. Content that still grows is left out.
std::string encode_response(const StoredResponse& response, std::string_view behavior,
                            std::uint32_t run);
/// As it was, `now`. `key`: whose text is the record's and whose host is the request's. Null: of no
/// use, as when the wall clock now shows a time before that of its arrival.
base::Ref<StoredResponse> decode_response(std::string_view value, const Key& key,
                                          const RunClock& now);

/// What of a response names what unsafe methods change.
struct StoredUri {
  std::string_view distribution;
  std::string_view path;
};
std::optional<StoredUri> decode_uri(std::string_view value);

std::string encode_variants(const std::vector<std::string>& names);
/// Nothing when it is a response.
std::optional<std::vector<std::string>> decode_variants(std::string_view value);

}  // namespace headgate::cache
