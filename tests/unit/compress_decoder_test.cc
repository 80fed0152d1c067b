// SPDX-License-Identifier: MIT
// Decoders against the edge's own encoders, piece by piece.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "appliance/compress/decoder.h"
#include "appliance/compress/encoder.h"

namespace {

using namespace headgate;
using compress::make_decoder;

constexpr std::size_t kNoEnd = std::size_t{1} << 30;

std::string encoded(http::Coding coding, const std::string& octets) {
  std::string out;
  REQUIRE(compress::make_encoder(coding, 5, octets.size())->encode(octets, true, out));
  return out;
}

std::unique_ptr<compress::Decoder> decoder_of(std::string_view coding) {
  const std::array fields = {http::Field{"content-type", "text/html"},
                             http::Field{"content-encoding", coding}};
  return make_decoder(fields);
}

std::string sample() {
  std::string octets;
  for (int i = 0; i < 20'000; ++i) octets += std::to_string(i * i % 997) + ",";
  return octets;
}

TEST_CASE("every coding is read in pieces of any length") {
  const std::string octets = sample();
  for (const http::Coding coding : http::kEveryCoding) {
    CAPTURE(http::name_of(coding));
    const std::string sent = encoded(coding, octets);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, sent.size()}) {
      const auto decoder = decoder_of(http::name_of(coding));
      REQUIRE(decoder != nullptr);
      std::string out;
      for (std::size_t at = 0; at < sent.size(); at += piece)
        REQUIRE(decoder->decode(std::string_view(sent).substr(at, piece), kNoEnd, out));
      CHECK(out == octets);
    }
  }
}

TEST_CASE("as much is decoded as is asked for, however much there is") {
  const std::string octets(64 << 20, 'x');
  for (const http::Coding coding : http::kEveryCoding) {
    CAPTURE(http::name_of(coding));
    std::string out;
    REQUIRE(decoder_of(http::name_of(coding))->decode(encoded(coding, octets), 100'001, out));
    CHECK(out == std::string(100'001, 'x'));
    CHECK(out.capacity() < 1 << 20);
  }
}

TEST_CASE("what is malformed is told") {
  for (const http::Coding coding : http::kEveryCoding) {
    CAPTURE(http::name_of(coding));
    std::string out;
    CHECK_FALSE(decoder_of(http::name_of(coding))->decode(std::string(500, '\xff'), kNoEnd, out));
  }
  std::string sent = encoded(http::Coding::Gzip, sample());
  sent[sent.size() - 6] ^= 1;  // of its CRC
  std::string out;
  CHECK_FALSE(decoder_of("gzip")->decode(sent, kNoEnd, out));
}

TEST_CASE("members of gzip are read one after the other, garbage behind them is not") {
  const std::string twice = encoded(http::Coding::Gzip, "one") + encoded(http::Coding::Gzip, "two");
  std::string out;
  CHECK(decoder_of("X-GZIP")->decode(twice + "garbage", kNoEnd, out));
  CHECK(out == "onetwo");
}

TEST_CASE("there is no decoder for other codings, several, and none") {
  CHECK(decoder_of("compress") == nullptr);
  CHECK(decoder_of("gzip, gzip") == nullptr);
  CHECK(decoder_of("identity") == nullptr);
  const std::array twice = {http::Field{"content-encoding", "gzip"},
                            http::Field{"content-encoding", "br"}};
  CHECK(make_decoder(twice) == nullptr);
}

}  // namespace
