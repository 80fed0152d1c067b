// SPDX-License-Identifier: MIT
// gzip (RFC 1952) by zlib.
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "appliance/compress/encoder.h"

namespace headgate::compress {
namespace {

constexpr std::size_t kRoom = 16 * 1024;
constexpr int kGzipWrapper = 16;  // added to the window's bits: zlib's way to ask for gzip

class GzipEncoder final : public Encoder {
 public:
  explicit GzipEncoder(int level)
      : good_(deflateInit2(&stream_, level, Z_DEFLATED, MAX_WBITS + kGzipWrapper, MAX_MEM_LEVEL - 1,
                           Z_DEFAULT_STRATEGY) == Z_OK) {}
  ~GzipEncoder() override {
    if (good_) deflateEnd(&stream_);
  }
  bool good() const { return good_; }

  bool encode(std::string_view octets, bool last, std::string& out) override {
    // zlib counts in 32 bits; a piece is never near that.
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max() / 2;
    do {
      const std::string_view part = octets.substr(0, kMost);
      octets.remove_prefix(part.size());
      if (!run(part, last && octets.empty(), out)) return false;
    } while (!octets.empty());
    return true;
  }

 private:
  bool run(std::string_view octets, bool last, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream_.avail_in = static_cast<uInt>(octets.size());
    int result = Z_OK;
    do {
      const std::size_t before = out.size();
      out.resize(before + kRoom);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kRoom;
      result = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out.resize(before + kRoom - stream_.avail_out);
      if (result == Z_STREAM_ERROR) return false;
    } while (stream_.avail_out == 0);
    return !last || result == Z_STREAM_END;
  }

  z_stream stream_{};
  const bool good_;
};

}  // namespace

std::unique_ptr<Encoder> make_gzip_encoder(int level) {
  auto encoder = std::make_unique<GzipEncoder>(level);
  if (!encoder->good()) return nullptr;
  return encoder;
}

}  // namespace headgate::compress
