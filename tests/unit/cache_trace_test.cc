// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "appliance/cache/simulate/generator.h"
#include "appliance/cache/simulate/trace.h"
#include "tests/support/scratch.h"

using headgate::cache::key_of;
using headgate::cache::TraceGenerator;
using headgate::cache::TraceReader;

namespace {

/// What a reader says of a file with this content: "key=size", or the problem without the path.
std::vector<std::string> read(const std::string& content) {
  const headgate::test::ScratchFolder scratch;
  const std::string path = scratch / "t.csv";
  std::ofstream(path, std::ios::binary) << content;
  auto trace = TraceReader::open(path);
  REQUIRE(trace);
  std::vector<std::string> said;
  TraceReader::Request request;
  for (;;) {
    switch (trace->next(request)) {
      case TraceReader::Got::End:
        CHECK(trace->bytes_read() == content.size());
        CHECK(trace->read_error() == 0);
        return said;
      case TraceReader::Got::Request:
        said.push_back(std::string(request.key) + "=" + std::to_string(request.size_bytes));
        break;
      case TraceReader::Got::Malformed:
        said.push_back(trace->problem().substr(trace->problem().rfind("t.csv") + 6));
    }
  }
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a trace is lines of time, key and size; the key may have commas") {
  CHECK(read("1,a,10\n2.5,b,c,20\n3,d,0\n") == Lines{"a=10", "b,c=20", "d=0"});
  CHECK(read("time,key,size\r\n1,a,10\r\n\r\n2,b,20") == Lines{"a=10", "b=20"});
  CHECK(read("").empty());
}

TEST_CASE("a malformed line is told with its number, and the next one is read") {
  CHECK(read("1,a,10\n1,b\nx,c,1\n1,,1\n1,d,-1\n1,e,99999999999999\n1,f,2\n") ==
        Lines{"a=10", "2: expected time,key,size, found \"1,b\"",
              "3: expected time,key,size, found \"x,c,1\"",
              "4: expected a key between the commas, found \"1,,1\"",
              "5: expected a size of 0 to 16 TiB in octets after the last comma, found \"1,d,-1\"",
              "6: expected a size of 0 to 16 TiB in octets after the last comma, found "
              "\"1,e,99999999999999\"",
              "f=2"});
  CHECK(read("1,\x1b[31m\n") == Lines{"1: expected time,key,size, found \"1,\\x1b[31m\""});
}

TEST_CASE("a line without end costs bounded memory") {
  const std::string key(200'000, 'k');
  const auto said = read("1,a,1\n1," + key + ",5\n1,b,2\n1," + key + key + key);
  REQUIRE(said.size() == 4);
  CHECK(said[0] == "a=1");
  CHECK(said[1].starts_with("2: expected at most 64 KiB in a line"));
  CHECK(said[2] == "b=2");
  CHECK(said[3].starts_with("4: expected at most 64 KiB in a line"));
  const std::string longest(TraceReader::kMaxLine - 4, 'k');
  CHECK(read("1," + longest + ",5\n") == Lines{longest + "=5"});
}

TEST_CASE("a trace that is not there, or a folder, is an error that names it") {
  const headgate::test::ScratchFolder scratch;
  auto missing = TraceReader::open(scratch / "none.csv");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().context.find("none.csv: No such file") != std::string::npos);
  CHECK_FALSE(TraceReader::open(scratch.path()));
}

TEST_CASE("generated traces have the popularity, the sizes and the one-hit wonders asked for") {
  TraceGenerator::Options options;
  options.requests = 200'000;
  options.objects = 1'000;
  options.zipf = 0.8;
  options.one_hit = 0.25;
  options.median_size = 1000;
  std::map<std::uint64_t, double> uses;
  double once = 0, logs = 0, squares = 0;
  for (TraceGenerator generator(options); !generator.done();) {
    const auto request = generator.next();
    if (request.kind == 'o')
      ++uses[request.object];
    else
      ++once;
    if (request.kind == 'o') continue;
    const double log = std::log(static_cast<double>(request.size_bytes));
    logs += log;
    squares += log * log;
  }
  CHECK(uses.size() == 1'000);
  CHECK(once / 200'000 == doctest::Approx(0.25).epsilon(0.02));
  CHECK(uses[0] / uses[99] == doctest::Approx(std::pow(100, 0.8)).epsilon(0.1));
  CHECK(logs / once == doctest::Approx(std::log(1000)).epsilon(0.01));
  const double mean = logs / once;
  CHECK(std::sqrt(squares / once - mean * mean) == doctest::Approx(options.sigma).epsilon(0.02));
}

TEST_CASE("scans ask for the same objects each time; popularity moves on") {
  TraceGenerator::Options options;
  options.requests = 30'000;
  options.objects = 100;
  options.one_hit = 0;
  options.scan_every = 10'000;
  options.scan_length = 500;
  options.lifetime = 5'000;
  std::map<std::string, int> uses;
  for (TraceGenerator generator(options); !generator.done();) ++uses[key_of(generator.next())];
  CHECK(uses["s0"] == 2);
  CHECK(uses["s499"] == 2);
  CHECK(uses.count("s500") == 0);
  std::size_t objects = 0;
  for (const auto& [key, count] : uses) objects += key[0] == 'o';
  CHECK(objects > 500);  // of six generations
  CHECK(objects <= 700);
}

TEST_CASE("a seed and its options always give the same trace") {
  const auto begin = [](std::uint64_t seed) {
    TraceGenerator::Options options;
    options.seed = seed;
    TraceGenerator generator(options);
    std::string text;
    for (int i = 0; i < 4; ++i) {
      const auto request = generator.next();
      text += key_of(request) + "=" + std::to_string(request.size_bytes) + " ";
    }
    return text;
  };
  CHECK(begin(1) == begin(1));
  CHECK(begin(1) != begin(2));
}
