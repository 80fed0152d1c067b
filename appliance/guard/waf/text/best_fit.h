// SPDX-License-Identifier: MIT
// The ASCII characters that look most like others: what Windows makes of them in code page 20127.
#pragma once

#include <cstdint>

namespace headgate::guard::waf::text {

/// NUL where there is none.
char best_fit(std::uint16_t character);

}  // namespace headgate::guard::waf::text
