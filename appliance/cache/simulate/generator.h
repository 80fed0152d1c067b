// SPDX-License-Identifier: MIT
// Makes traces of requests as a CDN sees them.
#pragma once

#include <cstdint>
#include <string>

namespace headgate::cache {

/// A few objects are asked for again and again (Zipf), some once only; sizes are log-normal; now
/// and then a crawler walks through what nobody else asks for; what is popular changes. The same
/// options give the same trace, on any machine. Threads: none of its own.
class TraceGenerator {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::uint64_t requests = 1'000'000;
    std::uint64_t objects = 100'000;   ///< that are popular at one time
    double zipf = 0.9;                 ///< the exponent; 0: all are equally popular
    double one_hit = 0.2;              ///< the part of requests for objects asked for once
    double median_size = 24.0 * 1024;  ///< octets
    double sigma = 1.5;                ///< of the logarithm of sizes; 0: all are equal
    std::uint64_t max_size = std::uint64_t{4} << 30;
    std::uint64_t scan_every = 0;        ///< requests between the beginnings of scans; 0: none
    std::uint64_t scan_length = 10'000;  ///< objects, the same in each scan
    std::uint64_t lifetime = 0;          ///< requests until another object has a rank; 0: never
    double requests_per_second = 1000;
  };

  struct Request {
    double time_s = 0;
    char kind = 'o';  ///< o: popular, u: asked for once, s: of a scan
    std::uint64_t object = 0;
    std::uint64_t size_bytes = 0;
  };

  explicit TraceGenerator(const Options& options);

  bool done() const { return position_ == options_.requests; }
  Request next();

 private:
  double uniform();
  std::uint64_t rank();
  std::uint64_t size_of(char kind, std::uint64_t object) const;
  double integral(double x) const;
  double inverse(double y) const;

  const Options options_;
  const double least_;     ///< of the integral, where ranks begin
  const double greatest_;  ///< … and end
  std::uint64_t position_ = 0;
  std::uint64_t state_;
};

/// "o17": a key for a trace.
std::string key_of(const TraceGenerator::Request& request);

}  // namespace headgate::cache
