// SPDX-License-Identifier: MIT
// gzip and deflate (RFC 1952, 1950) by zlib, Brotli (RFC 7932) by libbrotlidec, Zstandard (RFC
// 8878) by libzstd.
#include "appliance/compress/decoder.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace headgate::compress {
namespace {

constexpr std::size_t kRoom = 16 * 1024;
constexpr int kEitherWrapper = 32;  // added to the window's bits: gzip's or zlib's, as it comes
constexpr int kWidestZstdWindow = 23;

/// Makes room behind `out`, for `decode_into(first, room)` to say how much of it has been used.
template <class F>
void append(std::string& out, std::size_t most, F decode_into) {
  const std::size_t before = out.size();
  const std::size_t room = std::min(kRoom, most - before);
  out.resize(before + room);
  out.resize(before + decode_into(out.data() + before, room));
}

class ZlibDecoder final : public Decoder {
 public:
  ZlibDecoder() : good_(inflateInit2(&stream_, MAX_WBITS + kEitherWrapper) == Z_OK) {}
  ~ZlibDecoder() override {
    if (good_) inflateEnd(&stream_);
  }
  bool good() const { return good_; }

  bool decode(std::string_view octets, std::size_t most, std::string& out) override {
    // zlib counts in 32 bits; a piece is never near that.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream_.avail_in =
        static_cast<uInt>(std::min<std::size_t>(octets.size(), std::numeric_limits<uInt>::max()));
    bool full = true;  // there may be more than there was room for
    while (!over_ && out.size() < most && (stream_.avail_in != 0 || full)) {
      int result = Z_OK;
      append(out, most, [&](char* first, std::size_t room) {
        stream_.next_out = reinterpret_cast<Bytef*>(first);
        stream_.avail_out = static_cast<uInt>(room);
        result = inflate(&stream_, Z_NO_FLUSH);
        full = stream_.avail_out == 0;
        return room - stream_.avail_out;
      });
      if (result == Z_STREAM_END) {
        // RFC 1952 section 2.2: another member may follow.
        ended_once_ = true;
        over_ = inflateReset(&stream_) != Z_OK;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        over_ = true;
        return ended_once_;
      } else if (result == Z_BUF_ERROR && !full) {
        break;
      }
    }
    return true;
  }

 private:
  z_stream stream_{};
  const bool good_;
  bool ended_once_ = false;
  bool over_ = false;
};

class BrotliDecoder final : public Decoder {
 public:
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(native_); }
  bool good() const { return native_ != nullptr; }

  bool decode(std::string_view octets, std::size_t most, std::string& out) override {
    const auto* next = reinterpret_cast<const std::uint8_t*>(octets.data());
    std::size_t left = octets.size();
    auto result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out.size() < most) {
      append(out, most, [&](char* first, std::size_t room) {
        auto* to = reinterpret_cast<std::uint8_t*>(first);
        std::size_t unused = room;
        result = BrotliDecoderDecompressStream(native_, &left, &next, &unused, &to, nullptr);
        return room - unused;
      });
    }
    return result != BROTLI_DECODER_RESULT_ERROR;
  }

 private:
  BrotliDecoderState* native_ = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
};

class ZstdDecoder final : public Decoder {
 public:
  ~ZstdDecoder() override { ZSTD_freeDCtx(native_); }
  bool good() const {
    return native_ != nullptr && ZSTD_isError(ZSTD_DCtx_setParameter(native_, ZSTD_d_windowLogMax,
                                                                     kWidestZstdWindow)) == 0;
  }

  bool decode(std::string_view octets, std::size_t most, std::string& out) override {
    ZSTD_inBuffer in{octets.data(), octets.size(), 0};
    bool full = true;
    std::size_t result = 0;
    while (ZSTD_isError(result) == 0 && out.size() < most && (in.pos < in.size || full)) {
      append(out, most, [&](char* first, std::size_t room) {
        ZSTD_outBuffer to{first, room, 0};
        result = ZSTD_decompressStream(native_, &to, &in);
        full = to.pos == room;
        return to.pos;
      });
    }
    return ZSTD_isError(result) == 0;
  }

 private:
  ZSTD_DCtx* native_ = ZSTD_createDCtx();
};

template <class T>
std::unique_ptr<Decoder> make() {
  auto decoder = std::make_unique<T>();
  if (!decoder->good()) return nullptr;
  return decoder;
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(http::Fields response) {
  std::string_view coding;
  for (const http::Field& field : response) {
    if (field.name != "content-encoding" || http::equals_ignoring_case(field.value, "identity"))
      continue;
    if (!coding.empty()) return nullptr;
    coding = http::trim(field.value);
  }
  for (const char* name : {"gzip", "x-gzip", "deflate"})
    if (http::equals_ignoring_case(coding, name)) return make<ZlibDecoder>();
  if (http::equals_ignoring_case(coding, "br")) return make<BrotliDecoder>();
  if (http::equals_ignoring_case(coding, "zstd")) return make<ZstdDecoder>();
  return nullptr;
}

}  // namespace headgate::compress
