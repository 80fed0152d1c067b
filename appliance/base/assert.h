// SPDX-License-Identifier: MIT
// For invariants of ours that do not hold. Untrusted input never gets here.
#pragma once

#include <cstdio>
#include <cstdlib>

#define HG_ASSERT(condition)                                                                \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "headgate: broken invariant at %s:%d: %s\n", __FILE__, __LINE__, \
                   #condition);                                                             \
      std::abort();                                                                         \
    }                                                                                       \
  } while (false)
