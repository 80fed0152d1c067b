// SPDX-License-Identifier: MIT
// Every coding against its own library's decoder.
#include <brotli/decode.h>
#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>
#include <string>
#include <vector>

#include "appliance/compress/encoder.h"

using headgate::compress::Levels;
using headgate::compress::make_encoder;
using headgate::http::Coding;
using headgate::http::kEveryCoding;

namespace {

/// Of a whole stream with nothing behind it; "broken" for anything else.
std::string gunzip(const std::string& coded, std::size_t length) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
  std::string out(length + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<uInt>(coded.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole ? out : "broken";
}

std::string unbrotli(const std::string& coded, std::size_t length) {
  std::string out(length + 1, '\0');
  std::size_t size = out.size();
  if (BrotliDecoderDecompress(coded.size(), reinterpret_cast<const std::uint8_t*>(coded.data()),
                              &size, reinterpret_cast<std::uint8_t*>(out.data())) !=
      BROTLI_DECODER_RESULT_SUCCESS)
    return "broken";
  out.resize(size);
  return out;
}

std::string unzstd(const std::string& coded, std::size_t length) {
  std::string out(length + 1, '\0');
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), coded.data(), coded.size());
  if (ZSTD_isError(size) != 0) return "broken";
  out.resize(size);
  return out;
}

std::string decode(Coding coding, const std::string& coded, std::size_t length) {
  return coding == Coding::Gzip     ? gunzip(coded, length)
         : coding == Coding::Brotli ? unbrotli(coded, length)
                                    : unzstd(coded, length);
}

std::string encode(Coding coding, const std::string& text, std::size_t piece,
                   const Levels& levels = {}) {
  const auto encoder = make_encoder(coding, levels.of(coding), text.size());
  REQUIRE(encoder != nullptr);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece)
    REQUIRE(encoder->encode(std::string_view(text).substr(at, piece), false, out));
  REQUIRE(encoder->encode({}, true, out));
  return out;
}

std::string words(std::size_t length) {
  std::mt19937 random(42);
  const std::vector<std::string> kWords = {"head", "gate", "cache", "edge", "octet", "\n", " "};
  std::string text;
  while (text.size() < length) text += kWords[random() % kWords.size()];
  text.resize(length);
  return text;
}

std::string noise(std::size_t length) {
  std::mt19937 random(7);
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace

TEST_CASE("what is encoded decodes to itself, wherever pieces begin") {
  for (const Coding coding : kEveryCoding) {
    CAPTURE(name_of(coding));
    for (const std::string& text :
         {std::string(), std::string("x"), words(1000), words(65'537), noise(100'000)})
      for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096},
                                      std::size_t{65'536}, std::size_t{1'000'000}}) {
        if (piece == 1 && text.size() > 2000) continue;
        CAPTURE(piece);
        CHECK((decode(coding, encode(coding, text, piece), text.size()) == text));
      }
  }
}

TEST_CASE("ten million octets pass, the most that is ever encoded") {
  const std::string text = words(10'000'000);
  for (const Coding coding : kEveryCoding) {
    const std::string coded = encode(coding, text, 65'536);
    CHECK(coded.size() < text.size() / 2);
    CHECK((decode(coding, coded, text.size()) == text));
  }
}

TEST_CASE("a higher level makes less of the same") {
  const std::string text = words(200'000);
  const Levels low{.gzip = 1, .brotli = 0, .zstd = 1};
  const Levels high{.gzip = 9, .brotli = 11, .zstd = 19};
  for (const Coding coding : kEveryCoding) {
    CAPTURE(name_of(coding));
    CHECK(encode(coding, text, 65'536, high).size() < encode(coding, text, 65'536, low).size());
  }
}

TEST_CASE("equal content makes equal octets") {
  const std::string text = words(50'000);
  for (const Coding coding : kEveryCoding)
    CHECK((encode(coding, text, 4096) == encode(coding, text, 4096)));
}

TEST_CASE("the formats' first octets are those of their RFCs") {
  const std::string gzip = encode(Coding::Gzip, words(2000), 2000);
  CHECK(gzip.substr(0, 3) == "\x1F\x8B\x08");        // RFC 1952 section 2.3.1
  CHECK(gzip.substr(4, 4) == std::string(4, '\0'));  // no time: the same on every edge
  const std::string zstd = encode(Coding::Zstd, words(2000), 2000);
  CHECK(zstd.substr(0, 4) == "\x28\xB5\x2F\xFD");  // RFC 8878 section 3.1.1
}

TEST_CASE("more octets than were announced are an error where the format says how many there are") {
  const auto encoder = make_encoder(Coding::Zstd, 3, 10);
  std::string out;
  const bool good =
      encoder->encode("eleven octets and more", false, out) && encoder->encode({}, true, out);
  CHECK_FALSE(good);
}

TEST_CASE("Zstandard's window is no larger than browsers take: RFC 9659") {
  const std::string coded = encode(Coding::Zstd, words(10'000'000), 65'536, {.zstd = 19});
  // RFC 8878 section 3.1.1.1: bit 5 of the descriptor says that there is no window, only content.
  const auto descriptor = static_cast<unsigned char>(coded[4]);
  REQUIRE((descriptor & 0x20U) == 0);
  const auto window = static_cast<unsigned char>(coded[5]);
  const std::uint64_t base = std::uint64_t{1} << (10 + (window >> 3U));
  CHECK(base + base / 8 * (window & 7U) <= 8 * 1024 * 1024);
}
