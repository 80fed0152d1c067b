// SPDX-License-Identifier: MIT
// Ranks are drawn by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate
// variates from monotone discrete distributions", 1996): no table, whatever the number of objects.
#include "appliance/cache/simulate/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace headgate::cache {
namespace {

/// splitmix64 (Steele et al., OOPSLA 2014): also a hash of what it is given.
std::uint64_t split(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// In (0, 1).
double unit(std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

}  // namespace

TraceGenerator::TraceGenerator(const Options& options)
    : options_(options),
      least_(integral(1.5) - 1),
      greatest_(integral(static_cast<double>(options.objects) + 0.5)),
      state_(split(options.seed)) {}

double TraceGenerator::uniform() {
  state_ += 0x9e3779b97f4a7c15;
  return unit(split(state_));
}

/// Of x^-zipf, up to a constant.
double TraceGenerator::integral(double x) const {
  if (options_.zipf == 1) return std::log(x);
  return std::pow(x, 1 - options_.zipf) / (1 - options_.zipf);
}

double TraceGenerator::inverse(double y) const {
  if (options_.zipf == 1) return std::exp(y);
  return std::pow(std::max(y * (1 - options_.zipf), 0.0), 1 / (1 - options_.zipf));
}

std::uint64_t TraceGenerator::rank() {
  const auto last = static_cast<double>(options_.objects);
  for (;;) {
    const double y = least_ + uniform() * (greatest_ - least_);
    const double k = std::clamp(std::floor(inverse(y) + 0.5), 1.0, last);
    if (y >= integral(k + 0.5) - std::pow(k, -options_.zipf)) return static_cast<std::uint64_t>(k);
  }
}

std::uint64_t TraceGenerator::size_of(char kind, std::uint64_t object) const {
  const std::uint64_t seed =
      split(options_.seed ^ split(object) ^ static_cast<unsigned char>(kind));
  // Box and Muller, 1958.
  const double normal =
      std::sqrt(-2 * std::log(unit(seed))) * std::cos(2 * std::numbers::pi * unit(split(seed)));
  const double size = options_.median_size * std::exp(options_.sigma * normal);
  return static_cast<std::uint64_t>(std::clamp(size, 1.0, static_cast<double>(options_.max_size)));
}

TraceGenerator::Request TraceGenerator::next() {
  const std::uint64_t position = position_++;
  Request request;
  request.time_s = static_cast<double>(position) / options_.requests_per_second;
  request.object = position;
  const std::uint64_t since_scan =
      options_.scan_every == 0 ? UINT64_MAX : position % options_.scan_every;
  if (position >= options_.scan_every && since_scan < options_.scan_length) {
    request.kind = 's';
    request.object = since_scan;
  } else if (uniform() < options_.one_hit) {
    request.kind = 'u';
  } else {
    // Each rank has a phase of its own: what is popular changes a little all the time.
    const std::uint64_t slot = rank() - 1;
    const std::uint64_t generation =
        options_.lifetime == 0 ? 0
                               : (position + split(slot) % options_.lifetime) / options_.lifetime;
    request.object = generation * options_.objects + slot;
  }
  request.size_bytes = size_of(request.kind, request.object);
  return request;
}

std::string key_of(const TraceGenerator::Request& request) {
  return fmt::format("{}{}", request.kind, request.object);
}

}  // namespace headgate::cache
