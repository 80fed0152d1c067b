// SPDX-License-Identifier: MIT
// Brotli (RFC 7932) by libbrotlienc.
#include <brotli/encode.h>

#include <algorithm>
#include <bit>

#include "appliance/compress/encoder.h"

namespace headgate::compress {
namespace {

/// 4 MiB: what browsers are ready to hold, and as far as distant matches pay.
constexpr std::uint32_t kLargestWindowBits = 22;

std::uint32_t window_bits(std::uint64_t length) {
  const auto wanted = static_cast<std::uint32_t>(std::bit_width(length));
  return std::clamp<std::uint32_t>(wanted, BROTLI_MIN_WINDOW_BITS, kLargestWindowBits);
}

class BrotliEncoder final : public Encoder {
 public:
  BrotliEncoder(int quality, std::uint64_t length)
      : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) return;
    set(BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(quality));
    set(BROTLI_PARAM_LGWIN, window_bits(length));
    set(BROTLI_PARAM_SIZE_HINT,
        static_cast<std::uint32_t>(std::min<std::uint64_t>(length, UINT32_MAX)));
  }
  ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }
  bool good() const { return state_ != nullptr; }

  bool encode(std::string_view octets, bool last, std::string& out) override {
    std::size_t in_left = octets.size();
    const auto* in = reinterpret_cast<const std::uint8_t*>(octets.data());
    const auto operation = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    do {
      std::size_t no_room = 0;
      if (BrotliEncoderCompressStream(state_, operation, &in_left, &in, &no_room, nullptr,
                                      nullptr) == BROTLI_FALSE)
        return false;
      take(out);
    } while (in_left != 0 || BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE);
    return !last || BrotliEncoderIsFinished(state_) == BROTLI_TRUE;
  }

 private:
  void set(BrotliEncoderParameter parameter, std::uint32_t value) {
    BrotliEncoderSetParameter(state_, parameter, value);
  }
  void take(std::string& out) {
    for (;;) {
      std::size_t size = 0;
      const std::uint8_t* made = BrotliEncoderTakeOutput(state_, &size);
      if (size == 0) return;
      out.append(reinterpret_cast<const char*>(made), size);
    }
  }

  BrotliEncoderState* const state_;
};

}  // namespace

std::unique_ptr<Encoder> make_brotli_encoder(int quality, std::uint64_t length) {
  auto encoder = std::make_unique<BrotliEncoder>(quality, length);
  if (!encoder->good()) return nullptr;
  return encoder;
}

}  // namespace headgate::compress
