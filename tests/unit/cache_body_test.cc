// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "appliance/cache/body.h"
#include "tests/support/test_loop.h"

using headgate::base::make_ref;
using headgate::base::Ref;
using headgate::cache::Body;
using headgate::cache::BodyReader;
using headgate::test::ManualLoop;
using Status = BodyReader::Status;

namespace {

std::string pattern(std::size_t size, std::size_t from = 0) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (from + i) % 23);
  return text;
}

/// A reader that counts its calls and joins what it reads.
struct Reading {
  Reading(const Ref<Body>& body, ManualLoop& loop, std::uint64_t first = 0,
          std::uint64_t end = UINT64_MAX)
      : reader(std::make_unique<BodyReader>(
            body, loop, [this] { ++ready_calls; }, first, end)) {}

  Status read(std::size_t max_octets = SIZE_MAX, std::size_t max_slices = 1000) {
    slices.clear();
    const Status status = reader->read(max_octets, max_slices, slices, last);
    for (const std::string_view slice : slices) text += slice;
    return status;
  }
  /// Reads while there is Data.
  Status drain() {
    Status status = read();
    while (status == Status::Data) status = read();
    return status;
  }

  int ready_calls = 0;
  bool last = false;
  std::string text;
  std::vector<std::string_view> slices;
  std::unique_ptr<BodyReader> reader;
};

/// Records what the producer is told.
struct Producing {
  Producing(const Ref<Body>& body, ManualLoop& loop) {
    body->set_producer(loop, [this](bool abandoned) { ++(abandoned ? abandons : demands); });
  }
  int demands = 0;
  int abandons = 0;
};

}  // namespace

TEST_CASE("a complete body is read as it was written, and in one piece when it is small") {
  ManualLoop loop;
  const auto body = Body::of("hello, world");
  CHECK(body->complete());
  CHECK(body->storable());
  CHECK(body->size() == 12);
  CHECK(body->contiguous() == "hello, world");
  Reading reading(body, loop);
  CHECK(reading.read() == Status::Data);
  CHECK(reading.last);
  CHECK(reading.text == "hello, world");
  CHECK(reading.read() == Status::End);
  CHECK(loop.posts() == 0);
}

TEST_CASE("an empty body ends at once") {
  ManualLoop loop;
  Reading reading(Body::of(""), loop);
  CHECK(reading.read() == Status::End);
  CHECK(Body::of("")->contiguous() == "");
}

TEST_CASE("a reader gets only its range, within the limits of each read") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  const std::string text = pattern(300'000);
  for (std::size_t at = 0; at < text.size(); at += 7'000)
    CHECK(body->append(std::string_view(text).substr(at, 7'000)));
  body->finish();
  CHECK_FALSE(body->contiguous());

  Reading reading(body, loop, 1'000, 250'000);
  std::size_t reads = 0;
  while (reading.read(10'000, 2) == Status::Data) {
    ++reads;
    std::size_t got = 0;
    for (const std::string_view slice : reading.slices) got += slice.size();
    REQUIRE(got <= 10'000);
    REQUIRE(reading.slices.size() <= 2);
    REQUIRE(reading.last == (reading.text.size() == 249'000));
  }
  CHECK(reads >= 25);
  CHECK(reading.text == text.substr(1'000, 249'000));

  Reading beyond(body, loop, 300'000);
  CHECK(beyond.read() == Status::End);
}

TEST_CASE("a reader of a growing body is woken once for a burst of appends") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading a(body, loop);
  Reading b(body, loop);
  CHECK(a.read() == Status::Wait);
  CHECK(b.read() == Status::Wait);
  CHECK(body->append("one "));
  CHECK(body->append("two "));
  CHECK(body->append("three"));
  CHECK(a.ready_calls == 0);  // never from inside append
  CHECK(loop.posts() == 1);   // for both readers and all appends
  loop.turn();
  CHECK(a.ready_calls == 1);
  CHECK(b.ready_calls == 1);
  CHECK(a.read() == Status::Data);
  CHECK_FALSE(a.last);
  CHECK(a.read() == Status::Wait);
  body->finish();
  loop.turn();
  CHECK(a.ready_calls == 2);
  CHECK(b.ready_calls == 1);  // it did not wait
  CHECK(a.read() == Status::End);
  CHECK(b.drain() == Status::End);
  CHECK(a.text == "one two three");
  CHECK(b.text == "one two three");
}

TEST_CASE("one who begins to wait while a wake is under way is woken by the same") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading a(body, loop);
  CHECK(a.read() == Status::Wait);
  CHECK(body->append("one"));
  Reading b(body, loop);
  CHECK(b.drain() == Status::Wait);
  CHECK(body->append("two"));
  CHECK(loop.posts() == 1);
  loop.turn();
  CHECK(a.ready_calls == 1);
  CHECK(b.ready_calls == 1);
  CHECK(a.drain() == Status::Wait);
  CHECK(body->append("three"));
  CHECK(loop.posts() == 2);
}

TEST_CASE("each loop gets its own wake") {
  ManualLoop first;
  ManualLoop second;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading a(body, first);
  Reading b(body, second);
  CHECK(a.read() == Status::Wait);
  CHECK(b.read() == Status::Wait);
  CHECK(body->append("x"));
  second.turn();
  CHECK(a.ready_calls == 0);
  CHECK(b.ready_calls == 1);
  first.turn();
  CHECK(a.ready_calls == 1);
}

TEST_CASE("a reader that ends while its wake is under way is not called") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading a(body, loop);
  Reading b(body, loop);
  CHECK(a.read() == Status::Wait);
  CHECK(b.read() == Status::Wait);
  CHECK(body->append("x"));
  a.reader.reset();
  loop.turn();
  CHECK(a.ready_calls == 0);
  CHECK(b.ready_calls == 1);
}

TEST_CASE("a reader may end itself and another one from its call-back") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  std::unique_ptr<BodyReader> a;
  std::unique_ptr<BodyReader> b;
  int calls = 0;
  const auto end_both = [&] {
    ++calls;
    a.reset();
    b.reset();
  };
  a = std::make_unique<BodyReader>(body, loop, end_both);
  b = std::make_unique<BodyReader>(body, loop, end_both);
  std::vector<std::string_view> slices;
  bool last = false;
  CHECK(a->read(1, 1, slices, last) == Status::Wait);
  CHECK(b->read(1, 1, slices, last) == Status::Wait);
  CHECK(body->append("x"));
  loop.turn();
  CHECK(calls == 1);
}

TEST_CASE("a failure comes after everything that arrived before it, and never looks like an end") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All, 100);
  Reading reading(body, loop);
  Reading part(body, loop, 0, 4);
  CHECK(body->append("truncated"));
  body->fail();
  CHECK(body->failed());
  CHECK_FALSE(body->complete());
  CHECK_FALSE(body->storable());
  CHECK(reading.read() == Status::Data);
  CHECK_FALSE(reading.last);
  CHECK(reading.read() == Status::Failed);
  CHECK(reading.text == "truncated");
  CHECK(part.read() == Status::Data);
  CHECK(part.last);
  CHECK(part.read() == Status::End);  // its range had arrived whole
  Reading late(body, loop, 50);
  CHECK(late.read() == Status::Failed);
}

TEST_CASE("a waiting reader is woken by a failure") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading reading(body, loop);
  CHECK(reading.read() == Status::Wait);
  body->fail();
  loop.turn();
  CHECK(reading.ready_calls == 1);
  CHECK(reading.read() == Status::Failed);
}

TEST_CASE(
    "a window body pauses its producer beyond the window and resumes when the slowest reader has "
    "caught up") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::Window);
  Producing producer(body, loop);
  Reading fast(body, loop);
  Reading slow(body, loop);
  const std::string text = pattern(Body::kWindow + 1);
  CHECK(body->append(std::string_view(text).substr(0, Body::kWindow)));
  CHECK_FALSE(body->append(std::string_view(text).substr(Body::kWindow)));  // taken all the same
  CHECK(body->size() == text.size());
  CHECK(fast.drain() == Status::Wait);
  loop.turn();
  CHECK(producer.demands == 0);  // the slow one has read nothing
  CHECK(slow.drain() == Status::Wait);
  loop.turn();
  CHECK(producer.demands == 1);
  CHECK(slow.text == text);
  CHECK(fast.text == text);
  CHECK(producer.abandons == 0);
}

TEST_CASE("a window body holds no more than the window and what readers hold") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::Window);
  Producing producer(body, loop);
  Reading reading(body, loop);
  std::string text;
  for (int i = 0; i < 500; ++i) {
    const std::string piece = pattern(10'000, text.size());
    text += piece;
    if (body->append(piece)) continue;
    CHECK(reading.drain() == Status::Wait);
    loop.turn();
    REQUIRE(body->memory_bytes() < 2 * Body::kWindow);
  }
  body->finish();
  CHECK(reading.drain() == Status::End);
  CHECK(reading.text == text);
  CHECK_FALSE(body->storable());
}

TEST_CASE("slices stay valid until the next read although the window has moved on") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::Window);
  Reading reading(body, loop);
  const std::string text = pattern(100'000);
  CHECK(body->append(text));
  CHECK(reading.read() == Status::Data);
  const std::vector<std::string_view> held = reading.slices;
  CHECK(body->append(pattern(50'000)));
  body->finish();
  std::string joined;
  for (const std::string_view slice : held) joined += slice;
  CHECK(joined == text);  // AddressSanitizer would see freed memory
}

TEST_CASE("slices of a growing body stay valid when finishing shrinks its last chunk") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Reading reading(body, loop);
  CHECK(body->append("short"));
  CHECK(reading.read() == Status::Data);
  body->finish();
  CHECK(reading.slices.at(0) == "short");
  CHECK(reading.read() == Status::End);
  CHECK(body->contiguous() == "short");
}

TEST_CASE(
    "what a reader took while the body grew does not outlive its next read, finished or not") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  static_cast<void>(body->append(pattern(10'000)));
  Reading early(body, loop);
  CHECK(early.read() == Status::Data);
  body->finish();  // shrinks the chunk, which moves its octets
  CHECK_FALSE(early.reader->keeper());
  CHECK(early.read() == Status::End);

  Reading late(body, loop);
  CHECK(late.read() == Status::Data);
  const std::vector<std::string_view> taken = late.slices;
  const Ref<Body> keeper = late.reader->keeper();
  REQUIRE(keeper);
  CHECK(late.read() == Status::End);
  late.reader.reset();
  REQUIRE(taken.size() == 1);
  CHECK(taken.front() == pattern(10'000));
}

TEST_CASE("a window body is abandoned when its last reader goes, not before its first comes") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::Window);
  Producing producer(body, loop);
  CHECK(body->append("x"));
  loop.turn();
  CHECK(producer.abandons == 0);
  auto a = std::make_unique<Reading>(body, loop);
  auto b = std::make_unique<Reading>(body, loop);
  a.reset();
  loop.turn();
  CHECK(producer.abandons == 0);
  b.reset();
  CHECK(producer.abandons == 0);  // never from inside
  loop.turn();
  CHECK(producer.abandons == 1);
}

TEST_CASE("a reader that begins beyond the window of a paused body sets it going again") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::Window);
  Producing producer(body, loop);
  CHECK_FALSE(body->append(pattern(Body::kWindow + 1)));
  Reading far(body, loop, 10'000'000);
  CHECK(far.read() == Status::Wait);
  loop.turn();
  CHECK(producer.demands == 1);
}

TEST_CASE("a body that is kept is not abandoned by its readers") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Producing producer(body, loop);
  { Reading reading(body, loop); }
  loop.turn();
  CHECK(producer.abandons == 0);
  CHECK(body->append("x"));
}

TEST_CASE("a body that becomes a window after its readers have gone is abandoned then") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Producing producer(body, loop);
  { Reading reading(body, loop); }
  CHECK(body->append(pattern(1'000'000)));
  body->switch_to_window();
  loop.turn();
  CHECK(producer.abandons == 1);
  CHECK(body->memory_bytes() < 10'000);
}

TEST_CASE("switching to a window keeps what attached readers still need and refuses late ones") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Producing producer(body, loop);
  Reading behind(body, loop);
  Reading ahead(body, loop);
  const std::string text = pattern(1'000'000);
  CHECK(body->append(text));
  CHECK(ahead.drain() == Status::Wait);
  CHECK(behind.read(400'000) == Status::Data);
  const std::uint64_t before = body->memory_bytes();
  body->switch_to_window();
  CHECK(body->memory_bytes() < before);
  Reading late(body, loop);
  CHECK_FALSE(late.reader->attached());
  CHECK(late.read() == Status::Failed);
  Reading later_part(body, loop, 900'000);
  CHECK(later_part.reader->attached());
  CHECK_FALSE(body->append("!"));
  CHECK(behind.drain() == Status::Wait);
  CHECK(behind.text == text + "!");
  CHECK(ahead.drain() == Status::Wait);
  CHECK(later_part.drain() == Status::Wait);
  CHECK(later_part.text == text.substr(900'000) + "!");
  loop.turn();
  CHECK(producer.demands == 1);
}

TEST_CASE("a reader that holds up others for too long is left behind, and holds nothing any more") {
  ManualLoop loop;
  const auto body = make_ref<Body>(Body::Keep::All);
  Producing producer(body, loop);
  const std::string text = pattern(1'000'000);
  Reading fast(body, loop);
  Reading stuck(body, loop);
  CHECK(body->append(text));
  body->switch_to_window();
  CHECK_FALSE(body->append("!"));
  body->leave_slow_readers_behind();  // both are as slow
  CHECK(body->kept_bytes() == text.size() + 1);
  CHECK(fast.drain() == Status::Wait);
  loop.turn();
  CHECK(producer.demands == 0);  // the other one has read nothing
  body->leave_slow_readers_behind();
  loop.turn();
  CHECK(producer.demands == 1);
  CHECK(body->kept_bytes() == 0);
  CHECK(stuck.read() == Status::Failed);
  CHECK(stuck.text.empty());
  CHECK(body->append("?"));
  body->finish();
  CHECK(fast.drain() == Status::End);
  CHECK(fast.text == text + "!?");
}

TEST_CASE("a producer that has detached, finished or failed is not called any more") {
  ManualLoop loop;
  for (int how = 0; how < 3; ++how) {
    CAPTURE(how);
    const auto body = make_ref<Body>(Body::Keep::Window);
    Producing producer(body, loop);
    auto reading = std::make_unique<Reading>(body, loop);
    CHECK_FALSE(body->append(pattern(Body::kWindow + 1)));
    CHECK(reading->read() == Status::Data);  // posts the demand
    if (how == 0) body->detach_producer();
    if (how == 1) body->finish();
    if (how == 2) body->fail();
    reading.reset();
    loop.turn();
    CHECK(producer.demands + producer.abandons == 0);
  }
}

TEST_CASE("a claimed length of 10 GiB allocates nothing up front, and an honest one exactly") {
  const auto huge = make_ref<Body>(Body::Keep::All, std::uint64_t{10} << 30);
  CHECK(huge->append("x"));
  CHECK(huge->memory_bytes() < 64 * 1024);
  const auto honest = make_ref<Body>(Body::Keep::All, 500'000);
  for (int i = 0; i < 50; ++i) CHECK(honest->append(pattern(10'000)));
  honest->finish();
  CHECK(honest->contiguous().value().size() == 500'000);
  CHECK(honest->memory_bytes() < 502'000);
  const auto lying = make_ref<Body>(Body::Keep::All, 10);
  CHECK(lying->append(pattern(40'000)));
  lying->finish();
  CHECK(lying->size() == 40'000);
}

TEST_CASE("a finished body of unknown length wastes little memory") {
  const auto body = make_ref<Body>(Body::Keep::All);
  CHECK(body->append(pattern(1'000)));
  body->finish();
  CHECK(body->memory_bytes() < 2'000);
}
