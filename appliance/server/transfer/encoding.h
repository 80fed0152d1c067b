// SPDX-License-Identifier: MIT
// Encodes a response while it arrives: its octets once through each coding that a behavior offers,
// off the loops, into bodies that are read while they grow.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/cache/store/store.h"
#include "appliance/compress/encoder.h"
#include "appliance/compress/pool.h"

namespace headgate::server {

/// Since the start.
struct EncodingStats {
  struct OfCoding {
    std::uint64_t made = 0;
    std::uint64_t failed = 0;       ///< the origin broke off, or the library has failed
    std::uint64_t useless = 0;      ///< made, and no smaller than what they were made of
    std::uint64_t input_bytes = 0;  ///< of those that were made
    std::uint64_t output_bytes = 0;
    std::uint64_t cpu_ns = 0;
  };
  std::array<OfCoding, http::kCodings> codings;  ///< by http::Coding
  std::uint64_t refused = 0;                     ///< responses for which there was no room
  std::uint64_t running = 0;                     ///< responses that are being encoded
};

class Encodings;

/// The encodings of one response. Threads: any.
class Encoding {
 public:
  /// To be set beside the response's body; they still grow.
  const std::vector<cache::EncodedBody>& bodies() const { return bodies_; }
  /// The response has been stored under `key`: when the encodings are complete, which may be now,
  /// they are set beside it in `store`. Those that are no smaller than the response are left out.
  void stored(cache::Store& store, const cache::Key& key);

 private:
  friend class Encodings;
  struct Track {
    http::Coding coding;
    base::Ref<cache::Body> body;
    std::unique_ptr<compress::Encoder> encoder;  ///< null until there is something to encode
    std::uint64_t cpu_ns = 0;
    bool good = true;
  };
  struct Place {
    cache::Store* store;
    base::Hash128 hash;
    std::string text;
    std::string distribution;
    std::string path;
  };

  Encoding(Encodings& owner, std::shared_ptr<base::Loop> strand, base::Ref<cache::Body> source,
           std::uint64_t length, http::CodingSet codings, const compress::Levels& levels);
  void begin();
  bool whole_is_there();
  void pump();
  void encode(Track& track, std::string_view octets, bool last);
  void end(bool whole);
  void settle(const Place& place);

  Encodings& owner_;
  const std::shared_ptr<base::Loop> strand_;
  const base::Ref<cache::Body> source_;
  const std::uint64_t length_;
  const compress::Levels levels_;
  std::vector<cache::EncodedBody> bodies_;
  // The strand's.
  std::vector<Track> tracks_;
  std::optional<cache::BodyReader> reader_;
  std::vector<std::string_view> slices_;
  std::string made_;
  bool awaited_ = false;  ///< a small one has come whole

  base::Mutex mutex_;
  bool complete_ GUARDED_BY(mutex_) = false;
  std::optional<Place> place_ GUARDED_BY(mutex_);
};

/// Every encoding under way; bounded by number and by memory, beyond which responses stay as they
/// are for now. Threads: any.
class Encodings {
 public:
  explicit Encodings(unsigned threads);
  ~Encodings();

  /// Begins to encode `source`, which will have `length` octets. Null when there is no room.
  std::shared_ptr<Encoding> begin(base::Ref<cache::Body> source, std::uint64_t length,
                                  http::CodingSet codings, const compress::Levels& levels);
  EncodingStats stats() const;

 private:
  friend class Encoding;
  struct Counters {
    std::atomic<std::uint64_t> made{0}, failed{0}, useless{0}, input{0}, output{0}, cpu_ns{0};
  };
  void count(const Encoding::Track& track, std::uint64_t input);
  void finished(Encoding& encoding);

  std::array<Counters, http::kCodings> counters_;
  std::atomic<std::uint64_t> refused_{0};
  mutable base::Mutex mutex_;
  std::unordered_map<Encoding*, std::shared_ptr<Encoding>> running_ GUARDED_BY(mutex_);
  std::uint64_t memory_ GUARDED_BY(mutex_) = 0;  ///< what the running ones may need, in octets
  compress::Pool pool_;                          ///< last: its threads end before what they use
};

}  // namespace headgate::server
