// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "appliance/compress/pool.h"
#include "tests/support/gate.h"

using headgate::compress::Pool;
using headgate::test::Gate;

TEST_CASE("a strand's tasks run in order and never two at a time") {
  Pool pool(4);
  const auto strand = pool.make_strand();
  std::vector<int> order;  // no mutex: that is the promise
  Gate done;
  for (int i = 0; i < 1000; ++i)
    strand->post([&, i] {
      order.push_back(i);
      if (i == 999) done.open();
    });
  REQUIRE(done.wait());
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("strands take turns: one that always has more does not hold up another") {
  Pool pool(1);
  const auto busy = pool.make_strand();
  const auto other = pool.make_strand();
  Gate reached;
  std::atomic<bool> stop{false};
  struct Again {
    headgate::base::Loop& loop;
    std::atomic<bool>& stop;
    void operator()() const {
      if (!stop) loop.post(Again(*this));
    }
  };
  busy->post(Again{*busy, stop});
  other->post([&] { reached.open(); });
  CHECK(reached.wait());
  stop = true;
}

TEST_CASE("different strands run at the same time") {
  Pool pool(2);
  const auto first = pool.make_strand();
  const auto second = pool.make_strand();
  Gate a, b, done_a, done_b;
  first->post([&] {
    a.open();
    if (b.wait()) done_a.open();
  });
  second->post([&] {
    b.open();
    if (a.wait()) done_b.open();
  });
  CHECK(done_a.wait());
  CHECK(done_b.wait());
}

TEST_CASE("after stop nothing runs, and what was due is destroyed, even if it owns its strand") {
  const auto witness = std::make_shared<int>(0);
  std::atomic<int> ran{0};
  {
    Pool pool(1);
    auto strand = pool.make_strand();
    Gate running, go_on;
    strand->post([&] {
      running.open();
      if (go_on.wait()) ++ran;
    });
    REQUIRE(running.wait());
    strand->post([strand, witness, &ran] { ++ran; });
    // Stopping waits for the task that runs; it is let go only once stopping has begun or not: both
    // orders end with at most one more task.
    go_on.open();
    pool.stop();
    const int so_far = ran;
    strand->post([witness, &ran] { ++ran; });
    CHECK(ran == so_far);
  }
  CHECK(witness.use_count() == 1);
}
