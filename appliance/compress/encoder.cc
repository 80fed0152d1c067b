// SPDX-License-Identifier: MIT
#include "appliance/compress/encoder.h"

#include "appliance/base/assert.h"

namespace headgate::compress {

std::unique_ptr<Encoder> make_encoder(http::Coding coding, int level, std::uint64_t length) {
  switch (coding) {
    case http::Coding::Brotli:
      return make_brotli_encoder(level, length);
    case http::Coding::Zstd:
      return make_zstd_encoder(level, length);
    case http::Coding::Gzip:
      return make_gzip_encoder(level);
    case http::Coding::Identity:
      break;
  }
  HG_ASSERT(coding != http::Coding::Identity);
  return nullptr;
}

}  // namespace headgate::compress
