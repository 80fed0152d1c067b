// SPDX-License-Identifier: MIT
// What a stored response is made of, in one piece. Internal to response*.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "appliance/cache/response.h"

namespace headgate::cache {

/// What a response is made of. Views are valid for the call that gets them.
struct StoredResponse::Parts {
  Key key;                       ///< but for host and behavior
  std::vector<char> key_octets;  ///< of its text, where no other has them in one piece
  std::uint64_t host_label = 0;
  std::uint64_t behavior_label = 0;
  int status = 0;
  http::Fields fields;
  http::CacheDirectives directives;
  base::Ref<Body> body;
  std::vector<EncodedBody> encodings;
  std::optional<Sliced> sliced;  ///< what it stands for, or is a slice of
  Stamp stamp;
  base::MonoTime received_at;
  base::WallTime received_wall;
  Duration initial_age = Duration::zero();
  std::uint8_t flags = 0;  ///< kFromDisk, kSlice
  std::uint8_t notes = 0;
  std::uint32_t counted_epochs = 0;
  std::uint64_t validated_epoch = 0;
  bool body_in_block = false;
  base::Ref<Commons> commons;  ///< null: nothing is shared

  void set_fields(http::Fields all) {
    fields = all;
    directives = http::parse_directives(status, all, received_wall);
  }
  /// As one that was just fetched.
  void forget_notes() {
    notes = 0;
    counted_epochs = 0;
    validated_epoch = stamp.epoch;
  }
};

}  // namespace headgate::cache
