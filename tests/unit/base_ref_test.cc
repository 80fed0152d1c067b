// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "appliance/base/ref.h"

using headgate::base::adopt_ref;
using headgate::base::make_ref;
using headgate::base::Ref;

namespace {

struct Counted final : headgate::base::RefCounted<Counted> {
  explicit Counted(int& destroyed) : destroyed_(destroyed) {}
  ~Counted() { ++destroyed_; }
  int& destroyed_;
};

}  // namespace

TEST_CASE("the last Ref deletes the object, once") {
  int destroyed = 0;
  auto a = make_ref<Counted>(destroyed);
  Ref<Counted> b = a;
  CHECK(a->use_count() == 2);
  a.reset();
  CHECK_FALSE(a);
  CHECK(destroyed == 0);
  b = std::move(b);
  Ref<Counted>& same = b;
  b = same;
  CHECK(destroyed == 0);
  b = Ref<Counted>();
  CHECK(destroyed == 1);
}

TEST_CASE("moving a Ref does not touch the counter") {
  int destroyed = 0;
  auto a = make_ref<Counted>(destroyed);
  const Ref<Counted> b = std::move(a);
  CHECK(b->use_count() == 1);
  CHECK(a.get() == nullptr);  // NOLINT(bugprone-use-after-move): that is what is tested
}

TEST_CASE("what release gives away, adopt_ref takes back") {
  int destroyed = 0;
  auto a = make_ref<Counted>(destroyed);
  Counted* raw = a.release();
  CHECK(destroyed == 0);
  CHECK(raw->use_count() == 1);
  { const Ref<Counted> back = adopt_ref(raw); }
  CHECK(destroyed == 1);
  CHECK_FALSE(adopt_ref<Counted>(nullptr));
}

TEST_CASE("threads that copy and drop Refs leave exactly one deletion") {
  int destroyed = 0;
  auto object = make_ref<Counted>(destroyed);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([object] {
      for (int i = 0; i < 10'000; ++i) {
        const Ref<Counted> copy = object;
        const Ref<const Counted> read_only = copy;
      }
    });
  object.reset();
  for (std::thread& thread : threads) thread.join();
  CHECK(destroyed == 1);
}
