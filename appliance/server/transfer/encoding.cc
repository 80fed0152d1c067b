// SPDX-License-Identifier: MIT
// An Encoding is one more reader of the response's body, on a strand of the pool:
//
//   begin ─▶ pump ─ data ─▶ encode a piece in every coding, append, pump again in turn
//                 ─ wait ─▶ the body wakes the strand when there is more
//                 ─ end, failed ─▶ complete or fail the encoded bodies; set them beside the stored
//                                  response, whichever of the two comes last
#include "appliance/server/transfer/encoding.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace headgate::server {
namespace {

/// What is encoded before the next response has its turn.
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kSlices = 4;
constexpr std::size_t kMostAtOnce = 1024;
constexpr std::uint64_t kMostMemory = 128 * 1024 * 1024;

/// What has come whole is encoded in one turn, so that encoders live only while a thread works with
/// them.
bool is_small(std::uint64_t length) { return length <= kPiece; }

/// Of the three encoders together for as long as a response arrives: tables of fixed size, and
/// windows that grow with the content. Small responses need none to speak of.
std::uint64_t memory_for(std::uint64_t length) {
  return is_small(length) ? 0 : 3 * 1024 * 1024 + 2 * length;
}

std::uint64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

Encoding::Encoding(Encodings& owner, std::shared_ptr<base::Loop> strand,
                   base::Ref<cache::Body> source, std::uint64_t length, http::CodingSet codings,
                   const compress::Levels& levels)
    : owner_(owner),
      strand_(std::move(strand)),
      source_(std::move(source)),
      length_(length),
      levels_(levels) {
  for (const http::Coding coding : http::kEveryCoding) {
    if (!codings.contains(coding)) continue;
    auto body = base::make_ref<cache::Body>(cache::Body::Keep::All);
    bodies_.push_back({coding, body});
    tracks_.push_back({coding, std::move(body), nullptr});
  }
}

void Encoding::begin() {
  // Of a small one nothing is read before its last octet is there.
  const std::uint64_t first = is_small(length_) && length_ > 0 ? length_ - 1 : 0;
  reader_.emplace(
      source_, *strand_, [this] { pump(); }, first);
  strand_->post([this] { pump(); });
}

bool Encoding::whole_is_there() {
  bool last = false;
  const auto status = reader_->read(kPiece, kSlices, slices_, last);
  slices_.clear();
  if (status == cache::BodyReader::Status::Wait) return false;
  reader_.emplace(source_, *strand_, [this] { pump(); });
  return true;
}

void Encoding::pump() {
  if (is_small(length_) && !awaited_ && !(awaited_ = whole_is_there())) return;
  for (;;) {
    slices_.clear();
    bool last = false;
    const auto status = reader_->read(kPiece, kSlices, slices_, last);
    using Status = cache::BodyReader::Status;
    if (status == Status::Wait) return;
    if (status == Status::Failed) return end(false);
    last = last || status == Status::End;
    for (Track& track : tracks_) {
      for (const std::string_view slice : slices_) encode(track, slice, false);
      if (last) encode(track, {}, true);
    }
    if (last) return end(true);
    if (!is_small(length_)) return strand_->post([this] { pump(); });
  }
}

void Encoding::encode(Track& track, std::string_view octets, bool last) {
  if (!track.good) return;
  made_.clear();
  const std::uint64_t began = thread_cpu_ns();
  if (track.encoder == nullptr)
    track.encoder = compress::make_encoder(track.coding, levels_.of(track.coding), length_);
  track.good = track.encoder != nullptr && track.encoder->encode(octets, last, made_);
  track.cpu_ns += thread_cpu_ns() - began;
  if (!track.good) return track.body->fail();
  if (!made_.empty()) static_cast<void>(track.body->append(made_));  // it keeps all: no pause
  if (last) track.body->finish();
}

void Encoding::end(bool whole) {
  reader_.reset();
  for (Track& track : tracks_) {
    if (!whole && track.good) track.body->fail();
    track.good = track.good && whole;
    track.encoder.reset();
    owner_.count(track, source_->size());
  }
  std::optional<Place> place;
  {
    const base::MutexLock lock(mutex_);
    complete_ = true;
    place = place_;
  }
  if (place) settle(*place);
  owner_.finished(*this);  // which may be the last owner
}

void Encoding::stored(cache::Store& store, const cache::Key& key) {
  Place place{&store, key.hash, std::string(key.text), std::string(key.distribution),
              std::string(key.path)};
  {
    const base::MutexLock lock(mutex_);
    place_ = place;
    if (!complete_) return;
  }
  settle(place);
}

void Encoding::settle(const Place& place) {
  std::vector<cache::EncodedBody> useful;
  for (const auto& encoded : bodies_)
    if (encoded.body->complete() && encoded.body->size() < source_->size())
      useful.push_back(encoded);
  const cache::Key key{place.hash, place.text, place.distribution, place.path};
  place.store->set_encodings(key, *source_, std::move(useful));
}

Encodings::Encodings(unsigned threads) : pool_(threads) {}

Encodings::~Encodings() {
  pool_.stop();
  std::unordered_map<Encoding*, std::shared_ptr<Encoding>> left;
  const base::MutexLock lock(mutex_);
  left.swap(running_);
}

std::shared_ptr<Encoding> Encodings::begin(base::Ref<cache::Body> source, std::uint64_t length,
                                           http::CodingSet codings,
                                           const compress::Levels& levels) {
  const std::shared_ptr<Encoding> encoding(
      new Encoding(*this, pool_.make_strand(), std::move(source), length, codings, levels));
  {
    const base::MutexLock lock(mutex_);
    if (running_.size() >= kMostAtOnce || memory_ + memory_for(length) > kMostMemory) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return nullptr;
    }
    running_.emplace(encoding.get(), encoding);
    memory_ += memory_for(length);
  }
  encoding->begin();
  return encoding;
}

void Encodings::count(const Encoding::Track& track, std::uint64_t input) {
  Counters& counters = counters_[static_cast<std::size_t>(track.coding)];
  const auto add = [](std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
    counter.fetch_add(amount, std::memory_order_relaxed);
  };
  add(counters.cpu_ns, track.cpu_ns);
  if (!track.good) return add(counters.failed, 1);
  add(counters.made, 1);
  add(counters.input, input);
  add(counters.output, track.body->size());
  if (track.body->size() >= input) add(counters.useless, 1);
}

void Encodings::finished(Encoding& encoding) {
  std::shared_ptr<Encoding> gone;  // ends after the mutex is free
  const base::MutexLock lock(mutex_);
  memory_ -= memory_for(encoding.length_);
  const auto found = running_.find(&encoding);
  gone = std::move(found->second);
  running_.erase(found);
}

EncodingStats Encodings::stats() const {
  EncodingStats stats;
  const auto read = [](const std::atomic<std::uint64_t>& value) {
    return value.load(std::memory_order_relaxed);
  };
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    const Counters& counters = counters_[i];
    stats.codings[i] = {read(counters.made),  read(counters.failed), read(counters.useless),
                        read(counters.input), read(counters.output), read(counters.cpu_ns)};
  }
  stats.refused = read(refused_);
  const base::MutexLock lock(mutex_);
  stats.running = running_.size();
  return stats;
}

}  // namespace headgate::server
