// SPDX-License-Identifier: MIT
// `profile: hls` and `profile: dash`: what they make of a behavior, and the cache policies of that.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/model/distribution.h"
#include "schema/model/policy.h"

namespace headgate::schema {

/// How the paths of playlists end: ".m3u8" with HLS, manifests with ".mpd" with DASH.
std::string_view manifest_ending(StreamingProfile profile);

/// Puts, in the place of each behavior with a profile, one for playlists and one for segments; of
/// one whose pattern ends as playlists do, the former alone. Those for playlists that a behavior
/// before them has the pattern of are left out. None has a profile then.
void expand_profiles(Distribution& distribution);

/// By name, `Headgate-…`; null when there is none. The same pointer each time.
std::shared_ptr<const CachePolicy> find_streaming_cache_policy(const std::string& name);

/// What these policies say, as a table.
std::string streaming_policies_markdown();

}  // namespace headgate::schema
