// SPDX-License-Identifier: MIT
// What metrics and the access log cost a request: nanoseconds of WorkerMetrics::record,
// LineFormatter::format and AccessLog::Channel::write. Prints numbers; asserts none.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>

#include "appliance/observe/access_log.h"
#include "appliance/observe/line.h"
#include "appliance/observe/metrics.h"

namespace {

using namespace headgate;
using observe::RequestRecord;

/// Of this thread: what others do on the machine does not count.
double cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// The median of 9 rounds, in CPU time.
template <class Work>
void measure(const char* what, Work work) {
  constexpr int kTimes = 200'000;
  std::array<double, 9> rounds;
  for (auto& round : rounds) {
    const double start = cpu_ns();
    for (int i = 0; i < kTimes; ++i) work(i);
    round = (cpu_ns() - start) / kTimes;
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("%-28s %7.1f ns\n", what, rounds[rounds.size() / 2]);
}

RequestRecord typical() {
  RequestRecord record;
  record.time = base::wall_now();
  record.client = *base::IpAddress::parse("2001:db8:85a3::8a2e:370:7334");
  record.client_port = 54321;
  record.country = "DE";
  record.method = "GET";
  record.scheme = "https";
  record.host = "shop.example.com";
  record.target = "/products/1234/images/front-large.webp?v=20260101&size=1200";
  record.protocol = "HTTP/2";
  record.tls_version = "TLSv1.3";
  record.user_agent =
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
      "Safari/537.36";
  record.referer = "https://shop.example.com/products/1234";
  record.request_id = "01JD3M8K9Q2W3E4R5T6Y7U8I9O";
  record.distribution = "shop";
  record.behavior = "/products/*/images/*";
  record.generation = "412-9f3c2ab";
  record.content_type = "image/webp";
  record.status = 200;
  record.outcome = observe::CacheOutcome::FreshHit;
  record.bytes_sent = 48'213;
  record.duration_us = 61;
  record.time_to_first_byte_us = 40;
  return record;
}

}  // namespace

int main() {
  auto record = typical();
  observe::Metrics metrics;
  auto& worker = metrics.add_worker();
  record.metric_slot = metrics.slot(record.distribution, record.behavior);
  measure("WorkerMetrics::record", [&](int) { worker.record(record); });

  observe::LineFormatter formatter;
  std::string line(observe::LineFormatter::kMaxLine, '\0');
  measure("LineFormatter::format", [&](int i) {
    record.time += Duration(i % 8 == 0);
    formatter.format(record, line.data());
  });

  auto log = observe::AccessLog::open("/dev/null");
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().context.c_str());
    return 1;
  }
  const auto channel = (*log)->add_worker();
  measure("AccessLog::Channel::write", [&](int) { channel->write(record); });
  std::printf("lines dropped: %llu\n", static_cast<unsigned long long>((*log)->lines_dropped()));
  return 0;
}
