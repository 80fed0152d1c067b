// SPDX-License-Identifier: MIT
// Zstandard (RFC 8878) by libzstd.
#include <zstd.h>

#include "appliance/compress/encoder.h"

namespace headgate::compress {
namespace {

constexpr std::size_t kRoom = 16 * 1024;

class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder(int level, std::uint64_t length) : context_(ZSTD_createCCtx()) {
    if (context_ == nullptr) return;
    // The length makes the window no larger than the content, and is checked by the library.
    good_ = !failed(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level)) &&
            !failed(ZSTD_CCtx_setPledgedSrcSize(context_, length));
  }
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }
  bool good() const { return good_; }

  bool encode(std::string_view octets, bool last, std::string& out) override {
    ZSTD_inBuffer in{octets.data(), octets.size(), 0};
    const ZSTD_EndDirective directive = last ? ZSTD_e_end : ZSTD_e_continue;
    bool more = true;
    while (more) {
      const std::size_t before = out.size();
      out.resize(before + kRoom);
      ZSTD_outBuffer made{out.data() + before, kRoom, 0};
      const std::size_t left = ZSTD_compressStream2(context_, &made, &in, directive);
      out.resize(before + made.pos);
      if (failed(left)) return false;
      more = last ? left != 0 : in.pos < in.size || made.pos == made.size;
    }
    return true;
  }

 private:
  static bool failed(std::size_t result) { return ZSTD_isError(result) != 0; }

  ZSTD_CCtx* const context_;
  bool good_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_zstd_encoder(int level, std::uint64_t length) {
  auto encoder = std::make_unique<ZstdEncoder>(level, length);
  if (!encoder->good()) return nullptr;
  return encoder;
}

}  // namespace headgate::compress
