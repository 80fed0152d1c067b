// SPDX-License-Identifier: MIT
#include "appliance/demo/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "appliance/http/caching.h"

namespace headgate::demo {
namespace {

constexpr std::int64_t kSlotSeconds = 5;

constexpr std::array<Product, 6> kProducts = {{
    {"sluice", "Sluice gate", "Opens slowly, closes at once. Cast iron, one owner.", 24900, 205,
     "<path d='M50 170V40h100v130M50 60h100M80 60v70h40V60M100 40V20'/>"},
    {"lantern", "Lock keeper's lantern", "Burns all night on a thimble of oil.", 4850, 38,
     "<path d='M75 160h50l8-70H67zM80 90V70h40v20M90 70a10 14 0 0 1 20 0M100 110v30'/>"},
    {"gauge", "Water gauge", "Enamelled, legible from the far bank.", 7900, 168,
     "<circle cx='100' cy='100' r='60'/><path d='M100 100l35-30M60 130a50 50 0 0 1 80 0'/>"},
    {"barge", "Model barge", "1:87, oak, with a cargo of gravel.", 12900, 14,
     "<path d='M30 120h140l-20 35H55zM60 120V90h60v30M80 90V60h10v30'/>"},
    {"heron", "Garden heron", "Stands on one leg. Frightens nobody.", 3600, 260,
     "<path d='M95 170v-50M85 120c-25-10-15-50 15-45 20 3 30 25 20 40-8 12-25 8-35 5zM100 75"
     "c0-30 15-40 25-40l25 12-22 2c-8 2-6 20-8 30'/>"},
    {"weir", "Pocket weir", "Folds flat. Not for salmon.", 1990, 320,
     "<path d='M30 80c25-18 45 18 70 0s45 18 70 0M30 120c25-18 45 18 70 0s45 18 70 0M40 "
     "150h120'/>"},
}};

std::string http_time(base::WallTime time) {
  char date[29];
  http::format_http_date(time, date);
  return std::string(date, sizeof date);
}

nlohmann::json as_json(const Product& product, std::int64_t slot) {
  const int cents = price_cents(product, slot);
  return {{"id", product.id},
          {"name", product.name},
          {"text", product.text},
          {"price", fmt::format("{}.{:02}", cents / 100, cents % 100)},
          {"image", fmt::format("/images/{}.svg", product.id)}};
}

nlohmann::json envelope(std::string_view origin, std::int64_t slot) {
  return {{"origin", origin}, {"priced_at", http_time(slot_start(slot))}};
}

}  // namespace

std::span<const Product> products() { return kProducts; }

const Product* find_product(std::string_view id) {
  const auto found = std::find_if(kProducts.begin(), kProducts.end(),
                                  [&](const Product& product) { return product.id == id; });
  return found == kProducts.end() ? nullptr : &*found;
}

std::int64_t price_slot(base::WallTime now) {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return since.count() / kSlotSeconds;
}

base::WallTime slot_start(std::int64_t slot) {
  return base::WallTime(std::chrono::seconds(slot * kSlotSeconds));
}

int price_cents(const Product& product, std::int64_t slot) {
  // A little up and down around the base price, the same for everybody who asks in the same slot.
  const auto mixed = (static_cast<std::uint64_t>(slot) + static_cast<std::uint64_t>(product.hue)) *
                     std::uint64_t{0x9e3779b97f4a7c15};
  const int tenths_of_percent = static_cast<int>(mixed >> 57) - 64;
  return product.base_cents + product.base_cents * tenths_of_percent / 1000;
}

std::string products_json(std::string_view origin, std::int64_t slot) {
  nlohmann::json body = envelope(origin, slot);
  for (const Product& product : kProducts) body["products"].push_back(as_json(product, slot));
  return body.dump(2) + "\n";
}

std::string product_json(std::string_view origin, const Product& product, std::int64_t slot) {
  nlohmann::json body = envelope(origin, slot);
  body["product"] = as_json(product, slot);
  return body.dump(2) + "\n";
}

}  // namespace headgate::demo
