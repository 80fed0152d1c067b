// SPDX-License-Identifier: MIT
// What the demo shop sells. Prices follow the clock, so that a cached answer can be told from a new
// one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/time.h"

namespace headgate::demo {

struct Product {
  std::string_view id;
  std::string_view name;
  std::string_view text;
  int base_cents = 0;
  int hue = 0;             ///< of its picture, degrees
  std::string_view shape;  ///< what is in its picture: SVG in a 200 by 200 box
};

std::span<const Product> products();
/// Null when there is none.
const Product* find_product(std::string_view id);

/// Prices hold for five seconds; this numbers the fives.
std::int64_t price_slot(base::WallTime now);
base::WallTime slot_start(std::int64_t slot);
int price_cents(const Product& product, std::int64_t slot);

/// `{"origin": …, "priced_at": …, "products": [{"id", "name", "text", "price", "image"}, …]}`
std::string products_json(std::string_view origin, std::int64_t slot);
std::string product_json(std::string_view origin, const Product& product, std::int64_t slot);

}  // namespace headgate::demo
