// SPDX-License-Identifier: MIT
// Bodies, fills and the store under real threads. What is asserted is what must hold in every order
// of events; ThreadSanitizer watches the rest.
#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "appliance/cache/fill/fill.h"
#include "appliance/cache/store/store.h"
#include "tests/support/cache_fixture.h"
#include "tests/support/test_loop.h"

using namespace headgate;
using namespace headgate::cache;
using test::OwnedFields;
using test::OwnedKey;
using test::ThreadLoop;
using ReadStatus = BodyReader::Status;

namespace {

char octet_at(std::uint64_t offset) { return static_cast<char>('a' + offset % 251 % 26); }

/// Opens when it has been counted down to zero.
class Latch {
 public:
  explicit Latch(std::size_t count) : count_(count) {}
  void count_down() {
    const base::MutexLock lock(mutex_);
    if (--count_ == 0) open_.notify_all();
  }
  void wait() {
    base::MutexLock lock(mutex_);
    while (count_ > 0) lock.wait(open_);
  }

 private:
  base::Mutex mutex_;
  std::condition_variable open_;
  std::size_t count_ GUARDED_BY(mutex_);
};

/// Reads a body on its loop to the end, or until it has had enough, checking every octet.
class Consumer {
 public:
  Consumer(const base::Ref<Body>& body, base::Loop& loop, std::uint64_t first, std::uint64_t enough,
           Latch& done)
      : enough_(enough), at_(first), done_(done) {
    reader_ = std::make_unique<BodyReader>(
        body, loop, [this] { read(); }, first);
    attached = reader_->attached();
  }
  void read() {
    bool last = false;
    ReadStatus status = ReadStatus::Data;
    while (status == ReadStatus::Data && at_ < enough_) {
      slices_.clear();
      status = reader_->read(30'000, 4, slices_, last);
      for (const std::string_view slice : slices_)
        for (const char octet : slice) wrong += octet != octet_at(at_++);
    }
    if (status == ReadStatus::Wait) return;
    ended = status == ReadStatus::End;
    failed = status == ReadStatus::Failed;
    reader_.reset();
    done_.count_down();
  }

  bool attached = false;
  bool ended = false;
  bool failed = false;
  std::uint64_t wrong = 0;
  std::uint64_t at() const { return at_; }

 private:
  const std::uint64_t enough_;
  std::uint64_t at_;
  Latch& done_;
  std::vector<std::string_view> slices_;
  std::unique_ptr<BodyReader> reader_;
};

/// Writes `total` octets on its loop, pausing when told to.
class Source {
 public:
  Source(base::Ref<Body> body, base::Loop& loop, std::uint64_t total, std::uint64_t switch_at)
      : body_(std::move(body)), loop_(loop), total_(total), switch_at_(switch_at) {
    body_->set_producer(loop, [this](bool abandoned) {
      if (abandoned) return stop();
      produce();
    });
  }
  void produce() {
    if (stopped_) return;
    for (int pieces = 0; at_ < total_; ++pieces) {
      if (pieces == 8) return loop_.post([this] { produce(); });  // as a socket would: in bursts
      std::string piece(std::min<std::uint64_t>(7'001, total_ - at_), '\0');
      for (char& octet : piece) octet = octet_at(at_++);
      if (at_ >= switch_at_) body_->switch_to_window();
      if (!body_->append(piece)) return;
    }
    stopped_ = true;
    body_->finish();
  }

  std::atomic<bool> was_abandoned{false};

 private:
  void stop() {
    stopped_ = true;
    was_abandoned = true;
    body_->fail();
  }

  const base::Ref<Body> body_;
  base::Loop& loop_;
  const std::uint64_t total_;
  const std::uint64_t switch_at_;
  std::uint64_t at_ = 0;
  bool stopped_ = false;
};

/// One producer, readers on four loops that come before and while it writes; `impatient` leave
/// half-way.
void stream(Body::Keep keep, std::uint64_t switch_at, bool impatient) {
  constexpr std::uint64_t kTotal = 3'000'000;
  constexpr std::size_t kReaders = 24;
  const auto body = base::make_ref<Body>(keep);
  Latch done(kReaders);
  std::vector<std::unique_ptr<Consumer>> consumers(kReaders);
  ThreadLoop producer_loop;
  std::array<ThreadLoop, 4> loops;
  Source source(body, producer_loop, kTotal, switch_at);
  const auto attach = [&](std::size_t i) {
    ThreadLoop& loop = loops[i % loops.size()];
    const std::uint64_t enough = impatient && i % 3 != 0 ? kTotal / 2 : UINT64_MAX;
    loop.run_and_wait([&, enough] {
      consumers[i] = std::make_unique<Consumer>(body, loop, 0, enough, done);
      consumers[i]->read();
    });
  };
  for (std::size_t i = 0; i < kReaders / 2; ++i) attach(i);
  producer_loop.post([&source] { source.produce(); });
  for (std::size_t i = kReaders / 2; i < kReaders; ++i) attach(i);
  done.wait();
  producer_loop.run_and_wait([] {});
  for (ThreadLoop& loop : loops) loop.run_and_wait([] {});
  for (const auto& consumer : consumers) {
    CHECK(consumer->wrong == 0);
    if (consumer->ended) CHECK(consumer->at() == kTotal);
    if (consumer->failed) CHECK_FALSE(consumer->attached);  // came too late for a window
  }
  CHECK(consumers[0]->ended);
  CHECK_FALSE(source.was_abandoned);
  CHECK(body->complete());
}

std::string content(std::string_view path, std::string_view variant, const Stamp& stamp) {
  return std::string(path) + "|" + std::string(variant) + "|" + std::to_string(stamp.epoch);
}

}  // namespace

TEST_CASE("readers on four loops get every octet of a body that is kept") {
  stream(Body::Keep::All, UINT64_MAX, false);
}

TEST_CASE("readers on four loops get every octet of a body that is not kept") {
  stream(Body::Keep::Window, 0, false);
}

TEST_CASE("readers that leave do not hold up those that stay, while a body becomes a window") {
  stream(Body::Keep::All, 1'000'000, true);
}

TEST_CASE("a producer whose readers all leave is told so, wherever they were") {
  constexpr std::size_t kReaders = 16;
  const auto body = base::make_ref<Body>(Body::Keep::Window);
  Latch done(kReaders);
  Latch abandoned(1);
  std::vector<std::unique_ptr<Consumer>> consumers(kReaders);
  ThreadLoop producer_loop;
  std::array<ThreadLoop, 4> loops;
  body->set_producer(producer_loop, [&](bool is_abandoned) {
    if (!is_abandoned)
      return static_cast<void>(body->append(std::string(1, octet_at(body->size()))));
    body->detach_producer();
    abandoned.count_down();
  });
  for (std::size_t i = 0; i < kReaders; ++i)
    loops[i % 4].run_and_wait([&, i] {
      consumers[i] = std::make_unique<Consumer>(body, loops[i % 4], 0, 10'000, done);
      consumers[i]->read();
    });
  producer_loop.run_and_wait([&body] {
    std::string text(200'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = octet_at(i);
    CHECK_FALSE(body->append(text));
  });
  done.wait();
  abandoned.wait();
  for (const auto& consumer : consumers) CHECK(consumer->wrong == 0);
}

TEST_CASE("of many requests on four loops one leads, and all get what it fetched") {
  constexpr int kRounds = 50;
  constexpr std::size_t kPerLoop = 6;
  FillTable table;
  const PurgeTable purges;
  const UriInvalidations changes;
  std::array<ThreadLoop, 4> loops;
  for (int round = 0; round < kRounds; ++round) {
    const OwnedKey key("shop", "/" + std::to_string(round));
    const bool dies = round % 3 == 0;
    Latch joined(loops.size() * kPerLoop);
    Latch done(loops.size() * kPerLoop - 1);
    std::atomic<int> leaders{0};
    std::atomic<int> wrong{0};
    struct Request {
      base::Ref<Fill> fill;
      std::unique_ptr<Fill::Waiter> waiter;
      std::unique_ptr<Consumer> consumer;
    };
    std::deque<Request> requests(loops.size() * kPerLoop);
    base::Mutex mutex;
    base::Ref<Fill> led;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ThreadLoop& loop = loops[i % loops.size()];
      Request& request = requests[i];
      loop.post([&, dies] {
        auto result = table.join(key.key(), purges, changes, 1, {});
        if (result.role == FillTable::Role::Leader) {
          ++leaders;
          const base::MutexLock lock(mutex);
          led = std::move(result.fill);
        } else {
          request.fill = std::move(result.fill);
          request.waiter = std::make_unique<Fill::Waiter>(request.fill, loop, [&, dies] {
            const bool shared = request.fill->state() == Fill::State::Shared;
            if (shared == dies) ++wrong;
            if (!shared) return done.count_down();
            request.consumer = std::make_unique<Consumer>(request.fill->response()->body(), loop, 0,
                                                          UINT64_MAX, done);
            request.consumer->read();
          });
        }
        joined.count_down();
      });
    }
    joined.wait();
    CHECK(leaders == 1);
    FillLead lead(table, std::move(led));
    if (!dies) {
      const auto body = base::make_ref<Body>(Body::Keep::All);
      lead.fill()->respond(
          StoredResponse::make(key.key(), 200, http::Fields(), body, Stamp(), base::MonoTime(),
                               base::MonoTime(), test::kSomeTime, Duration()),
          true);
      for (std::uint64_t at = 0; at < 50'000; ++at) {
        const char octet = octet_at(at);
        static_cast<void>(body->append({&octet, 1}));
      }
      body->finish();
    }
    lead.end();
    done.wait();
    for (std::size_t i = 0; i < loops.size(); ++i)
      loops[i].run_and_wait([&] {
        for (std::size_t j = i; j < requests.size(); j += loops.size()) {
          if (requests[j].consumer && requests[j].consumer->wrong != 0) ++wrong;
          requests[j] = Request();
        }
      });
    CHECK(wrong == 0);
    CHECK(table.size() == 0);
  }
}

TEST_CASE("whatever threads insert, find and purge, nobody gets another's or a purged response") {
  constexpr std::uint64_t kBudget = 3 << 20;
  Store store(kBudget, 8);
  base::Mutex mutex;
  auto table = std::make_shared<const PurgeTable>();
  const auto current = [&] {
    const base::MutexLock lock(mutex);
    return table;
  };
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> over_budget{0};
  std::atomic<std::uint64_t> hits{0};
  const auto work = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<base::Ref<StoredResponse>> held(8);
    for (int step = 0; step < 4'000; ++step) {
      const auto purges = current();
      const OwnedKey key("shop", "/" + std::to_string(std::min(random() % 300, random() % 300)));
      const std::string language(1, static_cast<char>('a' + random() % 3));
      const OwnedFields request = {{"accept-language", language}};
      const auto found = store.find(key.key(), request, *purges);
      if (found.response) {
        ++hits;
        const Stamp stamp = found.response->stamp();
        const std::string text(found.response->body()->contiguous().value().substr(
            0, content(key.path, language, stamp).size()));
        if (text != content(key.path, language, stamp)) ++wrong;
        // The table's own slow path says whether anything newer hits it.
        if (purges->check("shop", key.path, stamp) != found.purged) ++wrong;
        held[random() % held.size()] = found.response;
      }
      if (!found.response || found.purged != Purged::No) {
        const Stamp stamp{.epoch = purges->epoch(), .generation = 0};
        const std::string body =
            content(key.path, language, stamp) + std::string(random() % 20'000, '.');
        store.insert(
            key.key(), request,
            test::make_response(key.key(), OwnedFields{{"vary", "accept-language"}}, body, stamp));
      }
      if (random() % 50 == 0) {
        const base::MutexLock lock(mutex);
        auto next = std::make_shared<PurgeTable>(*table);
        const std::string path = random() % 10 == 0 ? "/1*" : key.path;
        next->add("shop", {path}, random() % 2 == 0 ? PurgeMode::Delete : PurgeMode::Revalidate,
                  table->epoch() + 1);
        table = std::move(next);
      }
      if (store.stats().resident_bytes > kBudget) ++over_budget;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 8; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(over_budget == 0);
  CHECK(hits > 1'000);
  CHECK(store.stats().evictions > 100);
  CHECK(store.stats().pinned_bytes == 0);  // nothing is held any more
}
