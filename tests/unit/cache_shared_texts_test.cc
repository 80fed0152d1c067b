// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "appliance/cache/packed/fields.h"
#include "appliance/cache/packed/shared_texts.h"

namespace headgate::cache {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

/// Until it is shared; how often it came before.
int come(SharedTexts& texts, const std::string& text) {
  for (int before = 0; before < 1000; ++before)
    if (texts.take(text) != SharedTexts::kNone) return before;
  return -1;
}

TEST_CASE("a text that comes again and again gets a number, and keeps it until nobody uses it") {
  SharedTexts texts(64 * kMiB);
  CHECK(texts.take("max-age=60") == SharedTexts::kNone);
  CHECK(come(texts, "max-age=60") == 2);
  const auto number = texts.take("max-age=60");
  CHECK(texts.text(number) == "max-age=60");
  CHECK(texts.take("max-age=61") == SharedTexts::kNone);
  texts.give_back(number);
  CHECK(texts.text(number) == "max-age=60");
  CHECK(texts.size() == 1);
  const std::uint64_t bytes = texts.memory_bytes();
  texts.give_back(number);
  CHECK(texts.size() == 0);
  CHECK(texts.memory_bytes() < bytes);
  CHECK(texts.take("max-age=60") == SharedTexts::kNone);  // it begins anew
}

TEST_CASE("texts that come once each leave no trace, however many") {
  SharedTexts texts(64 * kMiB);
  const std::uint64_t bytes = texts.memory_bytes();
  for (int i = 0; i < 200'000; ++i) CHECK(texts.take(std::to_string(i)) == SharedTexts::kNone);
  CHECK(texts.size() == 0);
  CHECK(texts.memory_bytes() == bytes);
}

TEST_CASE("what comes most still gets in when much has come before") {
  SharedTexts texts(1 * kMiB);  // 64 numbers
  int rare = 0;
  for (; rare < 1000 && texts.size() < 50; ++rare)
    for (int i = 0; i < 5; ++i) texts.take("rare " + std::to_string(rare));
  CHECK(texts.size() < 50);  // half of the numbers are left for what comes often
  CHECK(texts.size() >= 20);
  std::size_t before = texts.size();
  for (int i = 0; i < 10; ++i) come(texts, "often " + std::to_string(i));
  CHECK(texts.size() > before);
  for (int i = 0; i < 1000; ++i) come(texts, "more " + std::to_string(i));
  CHECK(texts.size() == 64);
}

TEST_CASE("a long text is not shared, and all together have a bound") {
  SharedTexts texts(1 * kMiB);
  CHECK(come(texts, std::string(SharedTexts::kLongest + 1, 'x')) == -1);
  for (int i = 0; i < 64; ++i)
    come(texts, std::to_string(i) + std::string(SharedTexts::kLongest - 10, 'x'));
  CHECK(texts.memory_bytes() < 64 * 1024);
  CHECK(texts.size() > 0);
}

TEST_CASE("fields that many responses have are references, those of their own are not") {
  SharedTexts texts(64 * kMiB);
  const std::vector<http::Field> fields = {{"content-type", "text/html; charset=utf-8"},
                                           {"x-frame-options", "DENY"},
                                           {"x-ours", "a value"},
                                           {"etag", "\"1\""},
                                           {"date", "Tue, 24 Sep 2024 11:55:29 GMT"},
                                           {"vary", ""}};
  std::vector<std::string> all;
  for (int i = 0; i < 6; ++i) all.push_back(pack(fields, &texts));
  CHECK(texts.size() == 3);
  CHECK(all.back().size() == 3 * 3 + (2 + 3) + (2 + 29) + 2);
  for (const std::string& packed : all) {
    const FieldList back(packed, &texts);
    REQUIRE(back.size() == fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      CHECK(back.data()[i].name == fields[i].name);
      CHECK(back.data()[i].value == fields[i].value);
    }
  }
  for (const std::string& packed : all) give_back(packed, texts);
  CHECK(texts.size() == 0);
}

TEST_CASE("numbers are taken, read and given back by many threads") {
  SharedTexts texts(64 * kMiB);
  const auto work = [&texts](unsigned seed) {
    std::vector<SharedTexts::Number> used;
    for (unsigned i = 0; i < 30'000; ++i) {
      seed = seed * 1103515245 + 12345;
      const std::string text = "text " + std::to_string((seed >> 16) % 37);
      if (const auto number = texts.take(text); number != SharedTexts::kNone) {
        REQUIRE(texts.text(number) == text);
        used.push_back(number);
      }
      if (used.size() <= (seed >> 20) % 8) continue;
      for (const auto number : used) texts.give_back(number);
      used.clear();
    }
    for (const auto number : used) texts.give_back(number);
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  CHECK(texts.size() == 0);
}

}  // namespace
}  // namespace headgate::cache
