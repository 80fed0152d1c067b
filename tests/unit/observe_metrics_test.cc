// SPDX-License-Identifier: MIT
// The page that Prometheus scrapes: names, numbers, format.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "appliance/observe/access_log.h"
#include "appliance/observe/metrics.h"
#include "appliance/observe/text.h"

using headgate::guard::Reason;
using headgate::observe::CacheOutcome;
using headgate::observe::Family;
using headgate::observe::Metrics;
using headgate::observe::QuicEvent;
using headgate::observe::RequestRecord;
using headgate::observe::Transport;

namespace {

/// Of a page: sample (name and labels) to value.
std::map<std::string, std::string> samples(const std::string& page) {
  std::map<std::string, std::string> result;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line[0] == '#') continue;
    const auto space = line.rfind(' ');
    CHECK_MESSAGE(result.emplace(line.substr(0, space), line.substr(space + 1)).second,
                  "twice: ", line);
  }
  return result;
}

std::string value(const Metrics& metrics, const std::string& sample) {
  const auto all = samples(metrics.text());
  const auto found = all.find(sample);
  return found == all.end() ? "absent" : found->second;
}

/// The families of a page: name to type.
std::map<std::string, std::string> families(const std::string& page) {
  std::map<std::string, std::string> result;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, type;
    words >> hash >> keyword >> name >> type;
    if (hash == "#" && keyword == "TYPE")
      CHECK_MESSAGE(result.emplace(name, type).second, "twice: ", name);
  }
  return result;
}

/// Families of the process differ from run to run.
std::string without_process(const std::string& page) {
  std::string result;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("process_") == std::string::npos &&
        line.find("headgate_build_info{") == std::string::npos) {
      result += line + "\n";
    }
  }
  return result;
}

bool take_name(std::string_view& rest) {
  const auto size = std::min(rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), rest.size());
  rest.remove_prefix(size);
  return size > 0;
}
bool take(std::string_view& rest, std::string_view what) {
  if (rest.substr(0, what.size()) != what) return false;
  rest.remove_prefix(what.size());
  return true;
}
/// `"…"` with a backslash only before a backslash, a quote or an n.
bool take_quoted(std::string_view& rest) {
  if (!take(rest, "\"")) return false;
  while (!rest.empty() && rest[0] != '"') {
    if (rest[0] == '\\') {
      if (rest.size() < 2 || std::string_view("\\\"n").find(rest[1]) == std::string_view::npos)
        return false;
      rest.remove_prefix(1);
    }
    rest.remove_prefix(1);
  }
  return take(rest, "\"");
}
/// `name{label="value",…} number`
bool is_sample(std::string_view rest) {
  if (!take_name(rest)) return false;
  if (take(rest, "{")) {
    do {
      if (!take_name(rest) || !take(rest, "=") || !take_quoted(rest)) return false;
    } while (take(rest, ","));
    if (!take(rest, "}")) return false;
  }
  if (!take(rest, " ") || rest.empty()) return false;
  const std::string number(rest);
  char* end = nullptr;
  std::strtod(number.c_str(), &end);
  return *end == '\0';
}
bool is_comment(std::string_view rest) {
  if (take(rest, "# HELP ")) return take_name(rest) && take(rest, " ") && !rest.empty();
  return take(rest, "# TYPE ") && take_name(rest) &&
         (rest == " counter" || rest == " gauge" || rest == " histogram");
}

std::string read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

}  // namespace

TEST_CASE("the page is the one of the golden file") {
  Metrics metrics;
  const auto shop = metrics.slot("shop", "/api/*");
  const auto quotes = metrics.slot("a\"b", "back\\slash\nline");
  auto& first = metrics.add_worker();
  auto& second = metrics.add_worker();
  RequestRecord record;
  record.metric_slot = shop;
  record.status = 200;
  record.outcome = CacheOutcome::FreshHit;
  record.bytes_sent = 1024;
  record.duration_us = 70;
  record.time_to_first_byte_us = 50;
  first.record(record);
  second.record(record);
  record.outcome = CacheOutcome::Miss;
  record.bytes_received = 5;
  record.duration_us = 31'000'000;
  record.time_to_first_byte_us = 2500;
  second.record(record);
  RequestRecord denied;
  denied.metric_slot = quotes;
  denied.status = 403;
  denied.reason = Reason::Geo;
  first.record(denied);
  RequestRecord aborted;
  aborted.aborted = true;
  first.record(aborted);
  first.connection_opened(Transport::Tcp);
  first.connection_opened(Transport::Tls);
  second.connection_opened(Transport::Tls);
  second.connection_opened(Transport::Quic);
  second.connection_closed();
  first.quic_event(QuicEvent::Retry);
  second.quic_event(QuicEvent::Retry);
  second.quic_event(QuicEvent::Forwarded);
  second.tls_handshake_failed();
  first.limit_exceeded(headgate::guard::Limit::MaxConnections);
  second.limit_exceeded(headgate::guard::Limit::MaxConnections);
  second.limit_exceeded(headgate::guard::Limit::MaxUseless);
  first.malformed_request();
  first.origin_request_started();
  first.origin_request_started();
  first.origin_request_ended(true);
  metrics.contribute([] {
    return std::vector<Family>{
        {"headgate_snapshot_generation", "The generation that serves.", "gauge", {{"", 412}}},
        {"headgate_source_last_success_timestamp_seconds",
         "A\nhelp \\ text.",
         "gauge",
         {{"", 1.7e9 + 0.25}}}};
  });
  const std::string golden = HEADGATE_SOURCE_DIR "/tests/golden/observe/metrics.txt";
  const auto page = without_process(metrics.text());
  if (std::getenv("HEADGATE_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << page;
  CHECK(page == read(golden));
}

TEST_CASE("every line is of the format's grammar") {
  Metrics metrics;
  auto& worker = metrics.add_worker();
  RequestRecord record;
  record.metric_slot = metrics.slot("d\"\\\n\xff", "\xC3\xA4");
  record.status = 200;
  worker.record(record);
  const auto page = metrics.text();
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK((line[0] == '#' ? is_comment(line) : is_sample(line)));
  }
  CHECK(page.back() == '\n');
  CHECK(page.find("distribution=\"d\\\"\\\\\\n\xEF\xBF\xBD\",behavior=\"\xC3\xA4\"") !=
        std::string::npos);
}

TEST_CASE("counters end in _total, and all names are ours or the process's") {
  for (const auto& family : families(Metrics().text())) {
    const auto& name = family.first;
    const auto& type = family.second;
    CAPTURE(name);
    CHECK((name.rfind("headgate_", 0) == 0 || name.rfind("process_", 0) == 0));
    CHECK((type == "counter") == (name.size() > 6 && name.substr(name.size() - 6) == "_total"));
  }
}

TEST_CASE("the table in the README is what the registry has") {
  const auto readme = read(HEADGATE_SOURCE_DIR "/appliance/observe/README.md");
  std::map<std::string, std::string> documented;
  // | `name{labels}` | type | what |
  std::istringstream lines(readme);
  for (std::string line; std::getline(lines, line);) {
    const std::string_view rest = line;
    if (rest.rfind("| `headgate_", 0) != 0 && rest.rfind("| `process_", 0) != 0) continue;
    const auto name = rest.substr(3, rest.find_first_of("{`", 3) - 3);
    const auto type_start = rest.find("` | ") + 4;
    const auto type = rest.substr(type_start, rest.find(" |", type_start) - type_start);
    CHECK_MESSAGE(documented.emplace(name, type).second, "twice: ", name);
  }
  Metrics metrics;
  const auto log = headgate::observe::AccessLog::open("/dev/null");
  REQUIRE(log.has_value());
  metrics.contribute([&] { return headgate::observe::access_log_families(**log); });
  CHECK(documented == families(metrics.text()));
}

TEST_CASE("histograms are cumulative and their bounds inclusive") {
  Metrics metrics;
  auto& worker = metrics.add_worker();
  RequestRecord record;
  record.status = 200;
  for (const std::uint64_t us : {0, 50, 51, 1000, 1001, 30'000'000, 30'000'001}) {
    record.duration_us = us;
    worker.record(record);
  }
  const auto bucket = [&](const char* le) {
    return value(metrics, fmt::format("headgate_request_duration_seconds_bucket{{le=\"{}\"}}", le));
  };
  CHECK(bucket("5e-05") == "2");
  CHECK(bucket("0.0001") == "3");
  CHECK(bucket("0.001") == "4");
  CHECK(bucket("0.0025") == "5");
  CHECK(bucket("10") == "5");
  CHECK(bucket("30") == "6");
  CHECK(bucket("+Inf") == "7");
  CHECK(value(metrics, "headgate_request_duration_seconds_count") == "7");
  CHECK(value(metrics, "headgate_request_duration_seconds_sum") == "60.002103");
}

TEST_CASE("a request without a response has no first byte and the status none") {
  Metrics metrics;
  auto& worker = metrics.add_worker();
  RequestRecord record;
  record.aborted = true;
  worker.record(record);
  record.status = 99'999;
  worker.record(record);
  CHECK(value(metrics, "headgate_time_to_first_byte_seconds_count") == "1");
  CHECK(
      value(metrics,
            "headgate_requests_total{distribution=\"other\",behavior=\"other\",status=\"none\"}") ==
      "2");
  CHECK(value(metrics, "headgate_requests_aborted_total") == "2");
}

TEST_CASE("a pair of distribution and behavior keeps its slot, and slots are bounded") {
  Metrics metrics;
  const auto first = metrics.slot("shop", "/a");
  CHECK(first != 0);
  CHECK(metrics.slot("shop", "/b") != first);
  CHECK(metrics.slot("shop", "/a") == first);
  for (int i = 0; i < 5000; ++i) metrics.slot("shop", std::to_string(i));
  CHECK(metrics.slot("shop", "one too many") == 0);
  CHECK(metrics.slot("shop", "/a") == first);
  auto& worker = metrics.add_worker();
  RequestRecord record;
  record.status = 200;
  for (const std::uint32_t slot : {0u, 4095u, 4096u, 0xffffffffu}) {
    record.metric_slot = slot;
    worker.record(record);
  }
  CHECK(
      value(metrics,
            "headgate_requests_total{distribution=\"other\",behavior=\"other\",status=\"2xx\"}") ==
      "3");
}

TEST_CASE("families of the same name from several contributors are one") {
  Metrics metrics;
  for (const char* which : {"a", "b"}) {
    metrics.contribute([which] {
      return std::vector<Family>{
          {"headgate_x", "Help.", "gauge", {{headgate::observe::label("which", which), 1}}}};
    });
  }
  CHECK(families(metrics.text()).count("headgate_x") == 1);
  CHECK(value(metrics, "headgate_x{which=\"a\"}") == "1");
  CHECK(value(metrics, "headgate_x{which=\"b\"}") == "1");
}

TEST_CASE("the process's numbers are there and make sense") {
  const auto all = samples(Metrics().text());
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_start_time_seconds"}) {
    CAPTURE(name);
    REQUIRE(all.count(name) == 1);
    CHECK(std::stod(all.at(name)) >= 0);
  }
  CHECK(std::stod(all.at("process_resident_memory_bytes")) > 1e6);
  CHECK(std::stod(all.at("process_open_fds")) >= 3);
  CHECK(std::stod(all.at("process_start_time_seconds")) > 1.7e9);
}

TEST_CASE("workers count while others scrape, and nothing is lost") {
  Metrics metrics;
  constexpr int kWorkers = 4;
  constexpr int kRequests = 20'000;
  std::atomic<int> running{kWorkers};
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i) {
    threads.emplace_back([&metrics, &running] {
      auto& worker = metrics.add_worker();
      RequestRecord record;
      record.status = 200;
      for (int request = 0; request < kRequests; ++request) {
        record.metric_slot = metrics.slot("shop", std::to_string(request % 200));
        worker.connection_opened(Transport::Tls);
        worker.record(record);
        worker.connection_closed();
      }
      --running;
    });
  }
  while (running > 0) CHECK_FALSE(metrics.text().empty());
  for (auto& thread : threads) thread.join();
  CHECK(value(metrics, "headgate_request_duration_seconds_count") ==
        std::to_string(kWorkers * kRequests));
  CHECK(value(metrics, "headgate_connections_total{transport=\"tls\"}") ==
        std::to_string(kWorkers * kRequests));
  CHECK(value(metrics, "headgate_connections_open") == "0");
  std::uint64_t requests = 0;
  for (const auto& [name, number] : samples(metrics.text())) {
    if (name.rfind("headgate_requests_total{", 0) == 0) requests += std::stoull(number);
  }
  CHECK(requests == kWorkers * kRequests);
}
