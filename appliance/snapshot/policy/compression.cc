// SPDX-License-Identifier: MIT
#include "appliance/snapshot/policy/compression.h"

namespace headgate::snapshot {

Compression::Compression(const schema::Compression& source)
    : types_(source.compressible_types.empty() ? compress::TypeSet::cloudfront()
                                               : compress::TypeSet(source.compressible_types)) {
  for (const auto& rule : source.rules)
    rules_.push_back(
        {compress::TypeSet(rule.types), {rule.gzip_level, rule.brotli_quality, rule.zstd_level}});
}

compress::Levels Compression::levels(std::string_view content_type) const {
  for (const Rule& rule : rules_)
    if (rule.types.contains(content_type)) return rule.levels;
  return {};
}

}  // namespace headgate::snapshot
