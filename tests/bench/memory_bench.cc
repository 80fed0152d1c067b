// SPDX-License-Identifier: MIT
// What small responses cost in memory beyond what they carry: N of 1 KiB (10 million, or as many as
// the first argument says) go through the product's Store, with keys and fields as the edge makes
// them of files that nginx serves: nine fields, or three when the second argument is "few". The
// third one is the policy. Beyond the payload is everything that the process holds (resident pages,
// not what it accounts for) less the bodies and the fields as they are sent: "name: value\r\n".
// Then invalidations among that many, and the sweep that frees what they select. Prints JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/cache/purge/sweep.h"
#include "appliance/cache/store/store.h"
#include "appliance/http/caching.h"

namespace {

using namespace headgate;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBodyBytes = 1024;
constexpr std::uint64_t kBudget = std::uint64_t{64} << 30;  // nothing is evicted

double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// A key as snapshot/request/cache_key.cc makes it.
class Request {
 public:
  explicit Request(std::size_t number)
      : path_(fmt::format("/products/{:08}.html", number)),
        text_(fmt::format("shop\nGET\nwww.example.com\n{}", path_)) {}

  cache::Key key() const {
    return {.hash = base::hash128(text_),
            .text = text_,
            .distribution = "shop",
            .path = std::string_view(text_).substr(text_.size() - path_.size()),
            .host = {},
            .behavior = "*"};
  }

 private:
  std::string path_;
  std::string text_;
};

std::string date_of(std::size_t seconds) {
  std::string text(29, ' ');
  http::format_http_date(base::WallTime(std::chrono::seconds(seconds)), text.data());
  return text;
}

/// What of a file's fields is its own: validators and dates differ, as those of many files do.
class Response {
 public:
  Response(std::size_t number, bool many)
      : etag_(fmt::format("\"{:08x}-400\"", 0x66f2a8b1 + number)),
        date_(date_of(1'727'178'929 + number)),
        modified_(date_of(1'700'000'000 + 7 * number)) {
    fields_ = {{"content-type", "text/html"}, {"cache-control", "max-age=3600"}, {"etag", etag_}};
    if (!many) return;
    fields_.insert(fields_.end(), {{"server", "nginx/1.22.1"},
                                   {"date", date_},
                                   {"content-length", "1024"},
                                   {"last-modified", modified_},
                                   {"accept-ranges", "bytes"},
                                   {"via", "1.1 headgate"}});
  }
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  http::Fields fields() const { return fields_; }
  std::size_t wire_bytes() const {
    std::size_t bytes = 0;
    for (const http::Field& field : fields_) bytes += field.name.size() + field.value.size() + 4;
    return bytes;
  }

 private:
  const std::string etag_;
  const std::string date_;
  const std::string modified_;
  std::vector<http::Field> fields_;
};

/// As a fetch does: the head first, then the body that grows, then the store.
void fetch(cache::Store& store, const cache::Key& key, http::Fields fields, std::string_view body) {
  const auto growing = base::make_ref<cache::Body>(cache::Body::Keep::All, body.size());
  const auto response = cache::StoredResponse::make(
      key, 200, fields, growing, {.epoch = 1, .generation = 12}, base::mono_now(), base::mono_now(),
      base::wall_now(), std::chrono::milliseconds(7));
  static_cast<void>(growing->append(body));
  growing->finish();
  store.insert(key, {}, response);
}

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

/// From an invalidation to the look-up that obeys it, without the journal's fsync, which is the
/// disk's. The table with the rules that there are is made anew for each, as an activation does.
std::string bench_purges(cache::Store& store, std::size_t objects) {
  constexpr std::uint64_t kPurges = 1000;
  cache::PurgeTable purges;
  std::vector<double> took;
  std::size_t obeyed = 0;
  for (std::uint64_t i = 0; i < kPurges; ++i) {
    const Request request(i * 7919 % objects);
    const std::uint64_t epoch = 2 + i;
    const auto start = Clock::now();
    cache::PurgeTable next = purges;
    next.add("shop", {std::string(request.key().path)}, cache::PurgeMode::Delete, epoch);
    purges = std::move(next);
    obeyed += !store.find(request.key(), {}, purges).response;
    took.push_back(us_since(start));
  }
  return fmt::format(R"({{"purges": {}, "obeyed": {}, "p50Us": {:.1f}, "p99Us": {:.1f}}})", kPurges,
                     obeyed, percentile(took, 0.5), percentile(took, 0.99));
}

/// What a sweep does after an invalidation of everything: it visits all and removes a tenth.
std::string bench_sweep(cache::Store& store) {
  const auto start = Clock::now();
  std::size_t visited = 0;
  std::size_t removed = 0;
  store.visit_older(1'000'000, [&](const cache::StoredResponse&) {
    const bool remove = visited++ % 10 == 0;
    removed += remove;
    return remove ? cache::Store::Visit::Remove : cache::Store::Visit::Keep;
  });
  return fmt::format(R"({{"visited": {}, "removed": {}, "seconds": {:.2f}}})", visited, removed,
                     us_since(start) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t objects = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  const bool many = argc <= 2 || std::string_view(argv[2]) != "few";
  const auto policy = cache::policy_named(argc > 3 ? argv[3] : "s3fifo");
  if (!policy) {
    fmt::print(stderr, "memory_bench [OBJECTS [many|few [s3fifo|lru|gdsf]]]\n");
    return 2;
  }
  const Response first(0, many);
  const std::string body(kBodyBytes, 'x');

  cache::Store store(kBudget, 4, *policy);
  const std::uint64_t before = resident_bytes();
  const auto start = Clock::now();
  for (std::size_t i = 0; i < objects; ++i)
    fetch(store, Request(i).key(), Response(i, many).fields(), body);
  const double insert_ns = us_since(start) * 1000 / static_cast<double>(objects);
  const auto stored = static_cast<double>(store.stats().objects);
  const double each = static_cast<double>(resident_bytes() - before) / stored;
  const auto stats = store.stats();
  const double accounted = static_cast<double>(stats.resident_bytes + stats.index_bytes) / stored;
  const auto payload = static_cast<double>(kBodyBytes + first.wire_bytes());

  const std::string purges = bench_purges(store, objects);
  const std::string sweep = bench_sweep(store);
  fmt::print(
      "{{\"objects\": {}, \"fields\": {}, \"payloadOctets\": {}, \"residentOctets\": {:.1f}, "
      "\"beyondPayload\": {:.1f}, \"accountedBeyondPayload\": {:.1f}, \"insertNs\": {:.0f}, "
      "\"purges\": {}, \"sweep\": {}}}\n",
      stored, first.fields().size(), payload, each, each - payload, accounted - payload, insert_ns,
      purges, sweep);
  return 0;
}
