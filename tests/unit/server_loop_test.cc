// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "appliance/server/connection/listen.h"
#include "appliance/server/h2o_loop.h"
#include "appliance/server/local_snapshot.h"

using headgate::base::Timer;
using headgate::server::Datagrams;
using headgate::server::H2oLoop;

TEST_CASE("tasks run on the loop's thread in the order in which they were posted, whoever posts") {
  H2oLoop loop;
  std::vector<int> order;
  std::thread::id ran_on;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
    order.push_back(2);  // posting never runs the task at once
  });
  std::thread other([&] {
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.post([&] { loop.stop(); });
    });
  });
  other.join();
  loop.run();
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("timers fire in the order of their deadlines, and a cancelled one does not") {
  H2oLoop loop;
  std::string fired;
  Timer second(loop.timers(), [&] {
    fired += "2";
    loop.stop();
  });
  Timer first(loop.timers(), [&] { fired += "1"; });
  Timer never(loop.timers(), [&] { fired += "x"; });
  loop.post([&] {
    second.schedule_after(std::chrono::milliseconds(20));
    first.schedule_after(std::chrono::milliseconds(10));
    never.schedule_after(std::chrono::milliseconds(15));
    never.cancel();
  });
  loop.run();
  CHECK(fired == "12");
}

TEST_CASE(
    "a watch tells of readable descriptors until it is destroyed, and leaves the descriptor open") {
  H2oLoop loop;
  const int fd = eventfd(0, EFD_NONBLOCK);
  int calls = 0;
  std::unique_ptr<headgate::base::Loop::Watch> watch;
  watch = loop.watch_readable(fd, [&] {
    eventfd_t value = 0;
    eventfd_read(fd, &value);
    if (++calls == 2) {
      loop.post([&] {
        watch.reset();
        loop.stop();
      });
    } else {
      eventfd_write(fd, 1);
    }
  });
  eventfd_write(fd, 1);
  loop.run();
  CHECK(calls == 2);
  CHECK(eventfd_write(fd, 1) == 0);
  close(fd);
}

TEST_CASE("a task that never ran is destroyed with the loop") {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = owned;
  {
    H2oLoop loop;
    loop.post([kept = std::move(owned)] {});
  }
  CHECK(seen.expired());
}

TEST_CASE(
    "an address that is taken is refused with its name, also by another appliance that shares "
    "ports") {
  auto first = headgate::server::listen_on("127.0.0.1:0", 2, Datagrams::Too);
  REQUIRE(first.has_value());
  CHECK(first->descriptors.size() == 2);
  CHECK(first->datagrams.size() == 2);
  CHECK(first->port != 0);
  const auto second = headgate::server::listen_on(first->address, 2, Datagrams::Too);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().context.find(first->address) != std::string::npos);
  CHECK(second.error().context.find("another process") != std::string::npos);
  for (const int fd : first->descriptors) close(fd);
  // With TCP free again, UDP alone is taken.
  const auto third = headgate::server::listen_on(first->address, 1, Datagrams::Too);
  REQUIRE_FALSE(third.has_value());
  CHECK(third.error().context.find("UDP " + first->address) != std::string::npos);
  for (const int fd : first->datagrams) close(fd);
}

TEST_CASE("an address that is none says so") {
  for (const char* text : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999",
                           "example.com:80", "127.0.0.1:80x"}) {
    CAPTURE(std::string(text));
    const auto bound = headgate::server::listen_on(text, 1, Datagrams::Too);
    REQUIRE_FALSE(bound.has_value());
    CHECK(bound.error().blame == headgate::Blame::Config);
  }
}

TEST_CASE("a pin keeps its snapshot while newer ones are published, and lets go of it") {
  namespace snapshot = headgate::snapshot;
  snapshot::SnapshotHolder holder;
  headgate::server::LocalSnapshot local(holder);
  CHECK_FALSE(static_cast<bool>(local.pin()));

  const auto publish = [&](std::uint64_t generation) {
    auto next = std::make_shared<snapshot::Snapshot>();
    next->generation = generation;
    std::weak_ptr<const snapshot::Snapshot> seen = next;
    holder.publish(std::move(next));
    return seen;
  };
  const auto one = publish(1);
  auto pin = local.pin();
  const auto two = publish(2);
  CHECK(pin->generation == 1);
  CHECK(local.pin()->generation == 2);
  CHECK_FALSE(one.expired());
  const auto three = publish(3);
  CHECK_FALSE(one.expired());  // pinned
  pin = {};
  CHECK(one.expired());
  CHECK_FALSE(two.expired());  // the holder keeps the one before the current one
  CHECK_FALSE(three.expired());
}
