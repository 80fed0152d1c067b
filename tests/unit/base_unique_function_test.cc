// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "appliance/base/unique_function.h"

using headgate::base::UniqueFunction;

TEST_CASE("a UniqueFunction owns what cannot be copied, and frees it once") {
  auto shared = std::make_shared<int>(7);
  {
    UniqueFunction<int()> f = [owned = std::make_unique<int>(5), shared] {
      return *owned + *shared;
    };
    UniqueFunction<int()> moved = std::move(f);
    CHECK_FALSE(static_cast<bool>(f));  // NOLINT(bugprone-use-after-move)
    CHECK(moved() == 12);
    CHECK(shared.use_count() == 2);
  }
  CHECK(shared.use_count() == 1);
}

TEST_CASE("arguments are passed on as they are: references stay references, moves stay moves") {
  UniqueFunction<void(int&, std::unique_ptr<int>)> f = [](int& out, std::unique_ptr<int> in) {
    out = *in;
  };
  int value = 0;
  f(value, std::make_unique<int>(3));
  CHECK(value == 3);
}

TEST_CASE("an empty UniqueFunction says so, and a mutable callable keeps its state") {
  CHECK_FALSE(static_cast<bool>(UniqueFunction<void()>()));
  UniqueFunction<int()> counter = [n = 0]() mutable { return ++n; };
  counter();
  CHECK(counter() == 2);
}
