// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "appliance/http/accept_encoding.h"
#include "appliance/http/accept_language.h"
#include "appliance/http/weight.h"

using namespace headgate::http;

namespace {

using List = std::vector<Field>;

constexpr CodingSet kAll = CodingSet().add(Coding::Brotli).add(Coding::Zstd).add(Coding::Gzip);

std::string_view chosen(std::string_view accept, CodingSet available = kAll) {
  return name_of(AcceptEncoding(List{{"accept-encoding", accept}}).choose(available));
}

std::string_view normalized(std::string_view accept, CodingSet offered = kAll) {
  return to_field(AcceptEncoding(List{{"accept-encoding", accept}}).among(offered));
}

std::string_view language(std::string_view accept) {
  static const std::vector<std::string> kSupported = {"en", "de", "pt-BR", "zh-Hant"};
  return lookup_language(List{{"accept-language", accept}}, kSupported, "en");
}

}  // namespace

TEST_CASE("a weight is 0 to 1 with three decimals at most, and nothing else is accepted") {
  CHECK(weight_of("q=1") == 1000);
  CHECK(weight_of("q=0.001") == 1);
  CHECK(weight_of(" Q=0.5 ") == 500);
  CHECK(weight_of("level=9;q=0.25") == 250);
  CHECK(weight_of("") == kFullWeight);
  CHECK(weight_of("q=0.") == 0);
  for (const char* bad : {"q=", "q=2", "q=1.1", "q=-1", "q=.5", "q=0.1234", "q=0,5", "q=x"})
    CHECK_MESSAGE(weight_of(bad) == 0, bad);
}

TEST_CASE("Brotli, Zstandard, gzip is the order among equals, and weights come first") {
  CHECK(chosen("gzip, deflate, br, zstd") == "br");
  CHECK(chosen("gzip, zstd") == "zstd");
  CHECK(chosen("x-gzip") == "gzip");
  CHECK(chosen("GZIP") == "gzip");
  CHECK(chosen("br;q=0.5, gzip;q=0.8, zstd;q=0.7") == "gzip");
  CHECK(chosen("br, gzip", CodingSet().add(Coding::Gzip)) == "gzip");
}

TEST_CASE("identity stands where nothing else is accepted, or where it is preferred") {
  CHECK(AcceptEncoding({}).choose(kAll) == Coding::Identity);
  CHECK(chosen("") == "identity");
  CHECK(chosen("deflate") == "identity");
  CHECK(chosen("br;q=0, gzip;q=0.000") == "identity");
  CHECK(chosen("identity, gzip;q=0.5") == "identity");
  CHECK(chosen("identity, gzip") == "gzip");
  CHECK(chosen("identity;q=0, gzip;q=0.1") == "gzip");
  CHECK(chosen("gzip;q=0.001") == "gzip");
  CHECK(chosen("gzip;q=oops") == "identity");
  CHECK(chosen("gzip", {}) == "identity");
}

TEST_CASE("a star stands for the codings that are not named") {
  CHECK(chosen("*") == "br");
  CHECK(chosen("br;q=0, *") == "zstd");
  CHECK(chosen("*;q=0, gzip") == "gzip");
  CHECK(chosen("*;q=0") == "identity");
}

TEST_CASE("several lines are one list, in which the first naming counts") {
  const List lines = {{"accept-encoding", "br;q=0"}, {"accept-encoding", "br, gzip"}};
  CHECK(AcceptEncoding(lines).choose(kAll) == Coding::Gzip);
}

TEST_CASE("a set is written in one order whatever was sent") {
  CHECK(normalized("zstd, gzip;q=0.1, br, deflate") == "br,zstd,gzip");
  CHECK(normalized("gzip, br", CodingSet().add(Coding::Gzip).add(Coding::Brotli)) == "br,gzip");
  CHECK(normalized("zstd", CodingSet().add(Coding::Gzip)) == "");
  CHECK(normalized("gzip, zstd") == "zstd,gzip");
  CHECK(normalized("br, zstd") == "br,zstd");
}

TEST_CASE("a language is looked up by weight, then subtag by subtag: RFC 4647 section 3.4") {
  CHECK(language("de-AT, en;q=0.9") == "de");
  CHECK(language("fr, de;q=0.2, en;q=0.1") == "de");
  CHECK(language("en;q=0.1, de;q=0.2") == "de");
  CHECK(language("PT-br") == "pt-BR");
  CHECK(language("zh-Hant-TW") == "zh-Hant");
  CHECK(language("zh-Hant-x-private") == "zh-Hant");
  CHECK(language("pt") == "en");  // look-up never lengthens a range
  CHECK(language("fr, *;q=0.5, de;q=0.4") == "en");
  CHECK(language("de;q=0") == "en");
  CHECK(language("") == "en");
}

TEST_CASE("more members than anybody sends are not read") {
  std::string many;
  for (int i = 0; i < 40; ++i) many += "xx, ";
  CHECK(language(many + "de") == "en");
  CHECK(language("de, " + many) == "de");
}
