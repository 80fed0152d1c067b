// SPDX-License-Identifier: MIT
// Countries from MMDB files of both layouts, and what is done with them.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "appliance/guard/geo.h"

using headgate::base::IpAddress;
using headgate::guard::Country;
using headgate::guard::GeoDatabase;
using headgate::guard::GeoRule;

namespace {

class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "headgate-geo-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }

  std::string make(const std::string& options, const std::string& networks) const {
    const auto path = (folder_ / "geo.mmdb").string();
    const auto command = std::string(HEADGATE_SOURCE_DIR "/tests/support/make_mmdb.pl ") + options +
                         " " + path + " " + networks;
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                    "needs libmaxmind-db-writer-perl: ", command);
    return path;
  }
  std::string write(const std::string& name, const std::string& content) const {
    const auto path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

 private:
  std::filesystem::path folder_;
};

std::string read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

std::string country_of(const GeoDatabase& database, const char* address) {
  return std::string(database.country(*IpAddress::parse(address)).text());
}

constexpr const char* kNetworks =
    "192.0.2.0/24=DE 198.51.100.0/25=cu 2001:db8::/32=FR 2001:db8:1::/48=CH";

}  // namespace

TEST_CASE("both layouts give the country of IPv4 and IPv6 addresses") {
  const Scratch scratch;
  for (const char* layout : {"--layout nested", "--layout flat"}) {
    CAPTURE(layout);
    const auto database = GeoDatabase::open(scratch.make(layout, kNetworks));
    REQUIRE_MESSAGE(database.has_value(), database.error().context);
    CHECK(country_of(**database, "192.0.2.77") == "DE");
    CHECK(country_of(**database, "::ffff:192.0.2.77") == "DE");
    CHECK(country_of(**database, "198.51.100.127") == "CU");  // written in lower case there
    CHECK(country_of(**database, "198.51.100.128") == "");
    CHECK(country_of(**database, "2001:db8::9") == "FR");
    CHECK(country_of(**database, "2001:db8:1::9") == "CH");
    CHECK(country_of(**database, "2001:db9::9") == "");
    CHECK_FALSE((*database)->country(IpAddress()).known());
  }
}

TEST_CASE("a tree of IPv4 only knows no IPv6 address") {
  const Scratch scratch;
  const auto database = GeoDatabase::open(scratch.make("--ip-version 4", "192.0.2.0/24=DE"));
  REQUIRE_MESSAGE(database.has_value(), database.error().context);
  CHECK(country_of(**database, "192.0.2.1") == "DE");
  CHECK(country_of(**database, "2001:db8::9") == "");
}

TEST_CASE("a database without countries is refused with a hint") {
  const Scratch scratch;
  const auto database = GeoDatabase::open(scratch.make("--layout none", kNetworks));
  REQUIRE_FALSE(database.has_value());
  CHECK(database.error().blame == headgate::Blame::Config);
  CHECK(database.error().context.find("geo.mmdb") != std::string::npos);
  CHECK(database.error().context.find("no record of it has a country") != std::string::npos);
}

TEST_CASE("what is not an MMDB file is refused with its path and the reason") {
  const Scratch scratch;
  const auto missing = GeoDatabase::open("/nonexistent/geo.mmdb");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().context.find("/nonexistent/geo.mmdb: No such file") != std::string::npos);
  for (const std::string& content :
       {std::string(), std::string("hello"), std::string(100'000, 'x')}) {
    const auto path = scratch.write("not.mmdb", content);
    const auto database = GeoDatabase::open(path);
    REQUIRE_FALSE(database.has_value());
    CHECK(database.error().context.find(path) != std::string::npos);
  }
  CHECK_FALSE(GeoDatabase::open("/tmp").has_value());
}

TEST_CASE("a truncated or damaged file is refused, or answers without harm") {
  const Scratch scratch;
  const auto whole = read(scratch.make("--layout nested", kNetworks));
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    CAPTURE(length);
    const auto database = GeoDatabase::open(scratch.write("cut.mmdb", whole.substr(0, length)));
    CHECK_FALSE(database.has_value());
  }
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    const auto database = GeoDatabase::open(scratch.write("damaged.mmdb", damaged));
    if (!database) {
      ++refused;
      continue;
    }
    for (const char* address :
         {"192.0.2.77", "198.51.100.1", "2001:db8::9", "::", "255.255.255.255"}) {
      const auto country = country_of(**database, address);
      CHECK((country.empty() || country.size() == 2));
    }
  }
  CHECK(refused > 10);
}

TEST_CASE("who has a database open keeps it, whatever is written into its file") {
  const Scratch scratch;
  const auto path = scratch.make("--layout nested", kNetworks);
  const auto database = GeoDatabase::open(path);
  REQUIRE(database.has_value());
  SUBCASE("cut short") { std::filesystem::resize_file(path, 10); }
  SUBCASE("another one, by cp") {
    scratch.write("geo.mmdb", std::string(std::filesystem::file_size(path), 'x'));
  }
  CHECK(country_of(**database, "192.0.2.77") == "DE");
  CHECK(country_of(**database, "2001:db8:1::9") == "CH");
}

TEST_CASE("a country is two letters, in upper case, or unknown") {
  CHECK(Country("de").text() == "DE");
  CHECK(Country("DE") == Country("de"));
  CHECK(Country("AA").index() == 0);
  CHECK(Country("ZZ").index() == 675);
  for (const char* text : {"", "D", "DEU", "D1", "1D", "\xC3\x84", "  "})
    CHECK_FALSE(Country(text).known());
}

TEST_CASE("a whitelist, a blacklist, and the unknown country in both") {
  const GeoRule none;
  CHECK_FALSE(none.restricts());
  CHECK(none.allows(Country("KP")));
  CHECK(none.allows(Country()));

  const GeoRule whitelist(GeoRule::Type::Whitelist, {"DE", "AT", "AA", "ZZ"}, false);
  CHECK(whitelist.restricts());
  for (const char* listed : {"DE", "AT", "AA", "ZZ"}) CHECK(whitelist.allows(Country(listed)));
  CHECK_FALSE(whitelist.allows(Country("CH")));
  CHECK_FALSE(whitelist.allows(Country()));

  const GeoRule blacklist(GeoRule::Type::Blacklist, {"CU", "KP"}, true);
  CHECK_FALSE(blacklist.allows(Country("CU")));
  CHECK(blacklist.allows(Country("DE")));
  CHECK(blacklist.allows(Country()));
  CHECK_FALSE(GeoRule(GeoRule::Type::Blacklist, {"CU"}, false).allows(Country()));
  CHECK(GeoRule(GeoRule::Type::Whitelist, {"CU"}, true).allows(Country()));
}

TEST_CASE("every code has a bit of its own") {
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'A'; b <= 'Z'; ++b) {
      const std::string code{a, b};
      const GeoRule rule(GeoRule::Type::Whitelist, {code}, false);
      int allowed = 0;
      for (char c = 'A'; c <= 'Z'; ++c) {
        for (char d = 'A'; d <= 'Z'; ++d)
          allowed += rule.allows(Country(std::string{c, d})) ? 1 : 0;
      }
      REQUIRE(allowed == 1);
      REQUIRE(rule.allows(Country(code)));
    }
  }
}
