// SPDX-License-Identifier: MIT
// Body: chunks behind one mutex while they grow, behind none once complete.
//
//                     append            finish                fail
//   Growing, All      kept, true        Complete, no lock     Failed
//   Growing, Window   kept until taken  Complete, locked      Failed
//
// A reader of a growing body shares the ownership of the chunks that it has been handed, so
// dropping and shrinking chunks never takes memory away from it. Lock order: State::mutex, then
// those inside WakeList and Loop::post.
#include "appliance/cache/body.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "appliance/base/assert.h"
#include "appliance/cache/response.h"
#include "appliance/cache/wake_list.h"

namespace headgate::cache {
namespace {

constexpr std::size_t kSmallestChunk = 16 * 1024;
constexpr std::size_t kLargestChunk = 256 * 1024;
/// Content-Length is the origin's word: up to here it decides an allocation.
constexpr std::uint64_t kTrustedLength = 1024 * 1024;

struct Chunk {
  std::uint64_t offset = 0;
  std::size_t size = 0;
  std::size_t capacity = 0;
  std::shared_ptr<char[]> data;

  std::uint64_t end() const { return offset + size; }
};

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

enum class Phase { Growing, Complete, Failed };

struct Producer {
  base::Loop& loop;
  base::UniqueFunction<void(bool)> on_demand;
  bool attached = true;  // the producer's loop only
};

/// Adds the octets [next, end) of `chunks` to `slices` within the limits; calls `use` with each
/// chunk touched. Returns the new `next`.
template <class Use>
std::uint64_t slice(const std::vector<Chunk>& chunks, std::uint64_t next, std::uint64_t end,
                    std::size_t max_octets, std::size_t max_slices,
                    std::vector<std::string_view>& slices, Use use) {
  end = std::min(end, next + std::min<std::uint64_t>(max_octets, UINT64_MAX - next));
  auto chunk = std::upper_bound(chunks.begin(), chunks.end(), next,
                                [](std::uint64_t at, const Chunk& c) { return at < c.end(); });
  for (; next < end && max_slices > 0 && chunk != chunks.end(); ++chunk, --max_slices) {
    const std::uint64_t to = std::min(end, chunk->end());
    slices.emplace_back(chunk->data.get() + (next - chunk->offset), to - next);
    use(*chunk);
    next = to;
  }
  return next;
}

}  // namespace

struct BodyReader::Place {
  std::uint64_t next = 0;                     // by State::mutex
  bool left_behind = false;                   // by State::mutex
  std::vector<std::shared_ptr<char[]>> held;  // the reader's loop only
  WakeList::SleeperPtr sleeper;
};

struct Body::State {
  struct Growth {
    std::vector<BodyReader::Place*> readers;
    WakeList sleepers;
    std::shared_ptr<Producer> producer;
    bool paused = false;
    bool demand_posted = false;
  };

  State(Keep keep, std::optional<std::uint64_t> expected)
      : expected_length(expected), windowed(keep == Keep::Window) {}

  const std::uint64_t id = next_id();
  const std::optional<std::uint64_t> expected_length;
  base::Mutex mutex;
  /// Without the mutex once `phase` is Complete and not `windowed`: then they never change.
  std::vector<Chunk> chunks;
  std::atomic<Phase> phase{Phase::Growing};
  std::atomic<bool> windowed;  // changes only while Growing
  std::atomic<std::uint64_t> size{0};
  std::uint64_t kept_from GUARDED_BY(mutex) = 0;
  bool had_reader GUARDED_BY(mutex) = false;
  /// Of no use, and gone, once it is complete and kept, and those have gone who came before.
  std::unique_ptr<Growth> growth GUARDED_BY(mutex) = std::make_unique<Growth>();
  Charge charge;

  bool lock_free() const {
    return phase.load(std::memory_order_acquire) == Phase::Complete &&
           !windowed.load(std::memory_order_relaxed);
  }
  bool growing() const { return phase.load(std::memory_order_relaxed) == Phase::Growing; }
  bool is_abandoned() const REQUIRES(mutex) {
    return windowed && growing() && had_reader && growth->readers.empty();
  }

  std::size_t next_capacity(std::size_t wanted) const;
  void add(std::string_view octets) REQUIRES(mutex);
  std::uint64_t taken_by_all() const REQUIRES(mutex);
  bool leave_slow_behind() REQUIRES(mutex);
  void drop_taken() REQUIRES(mutex);
  void demand_if_due(Body& body) REQUIRES(mutex);
  static void run_demand(Body& body, Producer& producer);
  void settle(Phase to) REQUIRES(mutex);
  void shrink() REQUIRES(mutex);
};

std::size_t Body::State::next_capacity(std::size_t wanted) const {
  const std::uint64_t so_far = size.load(std::memory_order_relaxed);
  if (windowed) return std::clamp(wanted, kSmallestChunk, kLargestChunk);
  if (expected_length && *expected_length <= kTrustedLength && so_far + wanted <= *expected_length)
    return static_cast<std::size_t>(*expected_length - so_far);
  const std::size_t last = chunks.empty() ? 0 : chunks.back().capacity;
  return std::clamp(std::max(wanted, 2 * last), kSmallestChunk, kLargestChunk);
}

void Body::State::add(std::string_view octets) {
  std::uint64_t at = size.load(std::memory_order_relaxed);
  while (!octets.empty()) {
    if (chunks.empty() || chunks.back().size == chunks.back().capacity) {
      const std::size_t capacity = next_capacity(octets.size());
      chunks.push_back({.offset = at,
                        .size = 0,
                        .capacity = capacity,
                        .data = std::shared_ptr<char[]>(new char[capacity])});
    }
    Chunk& chunk = chunks.back();
    const std::size_t n = std::min(octets.size(), chunk.capacity - chunk.size);
    std::memcpy(chunk.data.get() + chunk.size, octets.data(), n);
    chunk.size += n;
    at += n;
    octets.remove_prefix(n);
  }
  size.store(at, std::memory_order_release);
}

std::uint64_t Body::State::taken_by_all() const {
  const std::uint64_t all = size.load(std::memory_order_relaxed);
  if (growth->readers.empty()) return had_reader ? all : kept_from;
  std::uint64_t taken = all;
  for (const BodyReader::Place* place : growth->readers) taken = std::min(taken, place->next);
  return taken;
}

/// Whether anybody was: not when all are as slow.
bool Body::State::leave_slow_behind() {
  const std::uint64_t end = size.load(std::memory_order_relaxed);
  const auto is_slow = [end](const BodyReader::Place* place) {
    return place->next + kWindow / 2 < end;
  };
  if (std::all_of(growth->readers.begin(), growth->readers.end(), is_slow)) return false;
  return std::erase_if(growth->readers, [&is_slow](BodyReader::Place* place) {
           return place->left_behind = is_slow(place);
         }) > 0;
}

void Body::State::drop_taken() {
  if (!windowed) return;
  const std::uint64_t taken = taken_by_all();
  const auto keep = std::find_if(chunks.begin(), chunks.end(),
                                 [taken](const Chunk& chunk) { return chunk.end() > taken; });
  if (keep == chunks.begin()) return;
  kept_from = std::prev(keep)->end();
  chunks.erase(chunks.begin(), keep);
}

void Body::State::demand_if_due(Body& body) {
  if (growth->producer == nullptr || growth->demand_posted) return;
  const std::uint64_t unread = size.load(std::memory_order_relaxed) - taken_by_all();
  // Half a window of slack, so that a reader does not wake the producer for every few octets.
  if (!is_abandoned() && !(growth->paused && unread <= kWindow / 2)) return;
  growth->demand_posted = true;
  growth->producer->loop.post(
      [self = base::Ref<Body>(&body), to = growth->producer] { run_demand(*self, *to); });
}

void Body::State::run_demand(Body& body, Producer& producer) {
  if (!producer.attached) return;
  bool abandoned = false;
  {
    State& state = *body.state_;
    const base::MutexLock lock(state.mutex);
    state.growth->demand_posted = false;
    abandoned = state.is_abandoned();
    const std::uint64_t unread = state.size.load(std::memory_order_relaxed) - state.taken_by_all();
    if (!abandoned && (!state.growth->paused || unread > kWindow)) return;
    state.growth->paused = false;
  }
  producer.on_demand(abandoned);
}

void Body::State::settle(Phase to) {
  HG_ASSERT(growing());
  if (growth->producer != nullptr) growth->producer->attached = false;
  growth->producer.reset();
  phase.store(to, std::memory_order_release);
  growth->sleepers.wake_all();
  shrink();
}

void Body::State::shrink() {
  if (lock_free() && growth->readers.empty()) growth.reset();
}

Body::Body(Keep keep, std::optional<std::uint64_t> expected_length)
    : size_in_block_(kNotInBlock), state_(new State(keep, expected_length)) {}

Body::Body(InBlock, const Body& from, std::uint16_t units_before)
    : size_in_block_(static_cast<std::uint16_t>(from.size())),
      units_before_(units_before),
      id_(from.id()) {
  char* to = reinterpret_cast<char*>(this + 1);
  from.each_piece([&to](std::string_view piece) {
    std::copy(piece.begin(), piece.end(), to);
    to += piece.size();
  });
}

Body::~Body() {
  if (!in_block()) delete state_;
}

void Body::end_of_life() const {
  if (in_block()) return StoredResponse::end_block_of(*this);
  delete this;
}

std::uint64_t Body::id() const { return in_block() ? id_ : state_->id; }

std::optional<std::uint64_t> Body::expected_length() const {
  return in_block() ? size_in_block_ : state_->expected_length;
}

template <class Use>
void Body::each_piece(Use use) const {
  HG_ASSERT(storable());
  if (in_block()) return use(octets_in_block());
  for (const Chunk& chunk : state_->chunks) use(std::string_view(chunk.data.get(), chunk.size));
}

base::Ref<Body> Body::of(std::string_view octets) {
  auto body = base::make_ref<Body>(Keep::All, octets.size());
  static_cast<void>(body->append(octets));  // nothing pauses a body that keeps everything
  body->finish();
  return body;
}

void Body::set_producer(base::Loop& loop, base::UniqueFunction<void(bool abandoned)> on_demand) {
  const base::MutexLock lock(state_->mutex);
  state_->growth->producer = std::make_shared<Producer>(
      Producer{.loop = loop, .on_demand = std::move(on_demand), .attached = true});
  state_->demand_if_due(*this);
}

void Body::detach_producer() {
  std::shared_ptr<Producer> gone;  // its captures end without the mutex
  const base::MutexLock lock(state_->mutex);
  if (state_->growth == nullptr || state_->growth->producer == nullptr) return;
  state_->growth->producer->attached = false;
  gone = std::move(state_->growth->producer);
}

bool Body::append(std::string_view octets) {
  State& state = *state_;
  const base::MutexLock lock(state.mutex);
  HG_ASSERT(state.growing());
  state.add(octets);
  state.drop_taken();
  state.growth->sleepers.wake_all();
  if (!state.windowed) return true;
  if (state.is_abandoned()) state.demand_if_due(*this);
  state.growth->paused =
      state.is_abandoned() ||
      state.size.load(std::memory_order_relaxed) - state.taken_by_all() > kWindow;
  return !state.growth->paused;
}

void Body::finish() {
  std::shared_ptr<Producer> gone;
  State& state = *state_;
  const base::MutexLock lock(state.mutex);
  gone = state.growth->producer;
  if (!state.windowed && !state.chunks.empty()) {
    // What is stored lives long: do not keep a mostly empty chunk for it.
    Chunk& last = state.chunks.back();
    if (last.capacity - last.size > last.size / 8) {
      const std::shared_ptr<char[]> exact(new char[last.size]);
      std::memcpy(exact.get(), last.data.get(), last.size);
      last.data = exact;
      last.capacity = last.size;
    }
    state.chunks.shrink_to_fit();
  }
  state.settle(Phase::Complete);
}

void Body::fail() {
  std::shared_ptr<Producer> gone;
  const base::MutexLock lock(state_->mutex);
  gone = state_->growth->producer;
  state_->settle(Phase::Failed);
}

void Body::switch_to_window() {
  State& state = *state_;
  const base::MutexLock lock(state.mutex);
  if (!state.growing() || state.windowed.exchange(true)) return;
  state.drop_taken();
  state.demand_if_due(*this);
}

void Body::leave_slow_readers_behind() {
  State& state = *state_;
  const base::MutexLock lock(state.mutex);
  if (!state.windowed || !state.growing() || !state.leave_slow_behind()) return;
  state.drop_taken();
  state.demand_if_due(*this);
  state.growth->sleepers.wake_all();
}

bool Body::complete() const {
  return in_block() || state_->phase.load(std::memory_order_acquire) == Phase::Complete;
}

bool Body::failed() const {
  return !in_block() && state_->phase.load(std::memory_order_acquire) == Phase::Failed;
}

std::uint64_t Body::size() const {
  return in_block() ? size_in_block_ : state_->size.load(std::memory_order_acquire);
}

std::uint64_t Body::kept_bytes() const {
  if (in_block()) return size_in_block_;
  const base::MutexLock lock(state_->mutex);
  return state_->size.load(std::memory_order_relaxed) - state_->kept_from;
}

bool Body::was_read() const {
  if (in_block()) return false;
  const base::MutexLock lock(state_->mutex);
  return state_->had_reader;
}

bool Body::keeps_all() const {
  return in_block() || !state_->windowed.load(std::memory_order_relaxed);
}

bool Body::storable() const { return in_block() || state_->lock_free(); }

void Body::append_to(std::string& out) const {
  each_piece([&out](std::string_view piece) { out.append(piece); });
}

std::optional<std::string_view> Body::contiguous() const {
  if (in_block()) return octets_in_block();
  if (!state_->lock_free() || state_->chunks.size() > 1) return std::nullopt;
  if (state_->chunks.empty()) return std::string_view();
  return std::string_view(state_->chunks.front().data.get(), state_->chunks.front().size);
}

std::uint64_t Body::memory_bytes() const {
  constexpr std::uint64_t kControlBlock = 48;  // of a shared_ptr, and malloc's own words
  if (in_block()) return StoredResponse::block_bytes_of(*this);
  const base::MutexLock lock(state_->mutex);
  std::uint64_t bytes = sizeof(Body) + sizeof(State);
  for (const Chunk& chunk : state_->chunks) bytes += sizeof(Chunk) + kControlBlock + chunk.capacity;
  return bytes;
}

void Body::charge_to(const base::Ref<MemoryAccount>& account) const {
  // A block is counted as such.
  if (!in_block()) state_->charge.set(account, memory_bytes());
}

BodyReader::BodyReader(base::Ref<Body> body, base::Loop& loop,
                       base::UniqueFunction<void()> on_ready, std::uint64_t first,
                       std::uint64_t end)
    : body_(std::move(body)), next_(first), end_(end) {
  lasting_ = body_->storable();
  if (lasting_) return;
  Body::State& state = *body_->state_;
  auto place = std::make_unique<Place>();
  place->next = first;
  place->sleeper = std::make_shared<WakeList::Sleeper>(loop, std::move(on_ready));
  const base::MutexLock lock(state.mutex);
  attached_ = first >= state.kept_from;
  if (!attached_) return;
  state.had_reader = true;
  if (state.growth == nullptr) {  // it has just been completed
    lasting_ = true;
    return;
  }
  state.growth->readers.push_back(place.get());
  state.growth->sleepers.attach(place->sleeper);
  place_ = std::move(place);
  // The first reader may begin beyond what made the producer pause, and then has nothing to read.
  state.drop_taken();
  state.demand_if_due(*body_);
}

BodyReader::~BodyReader() {
  if (place_ == nullptr) return;
  place_->sleeper->cancelled = true;
  Body::State& state = *body_->state_;
  const base::MutexLock lock(state.mutex);
  std::erase(state.growth->readers, place_.get());
  state.growth->sleepers.detach(place_->sleeper);
  state.drop_taken();
  state.demand_if_due(*body_);
  state.shrink();
}

BodyReader::Status BodyReader::read(std::size_t max_octets, std::size_t max_slices,
                                    std::vector<std::string_view>& slices, bool& last) {
  HG_ASSERT(max_octets > 0 && max_slices > 0);
  last = false;
  if (!attached_) return Status::Failed;
  if (place_ != nullptr) place_->held.clear();
  if (!body_->storable()) return read_growing(max_octets, max_slices, slices, last);
  const std::uint64_t end = std::min(end_, body_->size());
  if (next_ >= end) return Status::End;
  if (body_->in_block()) {
    slices.push_back(body_->octets_in_block().substr(next_, std::min(end - next_, max_octets)));
    next_ += slices.back().size();
  } else {
    next_ = slice(body_->state_->chunks, next_, end, max_octets, max_slices, slices,
                  [](const Chunk&) {});
  }
  last = next_ == end;
  return Status::Data;
}

BodyReader::Status BodyReader::read_growing(std::size_t max_octets, std::size_t max_slices,
                                            std::vector<std::string_view>& slices, bool& last) {
  Body::State& state = *body_->state_;
  const base::MutexLock lock(state.mutex);
  if (place_->left_behind) return Status::Failed;
  const Phase phase = state.phase.load(std::memory_order_relaxed);
  const std::uint64_t end = std::min(end_, state.size.load(std::memory_order_relaxed));
  if (next_ < end) {
    next_ = slice(state.chunks, next_, end, max_octets, max_slices, slices,
                  [this](const Chunk& chunk) { place_->held.push_back(chunk.data); });
    place_->next = next_;
    last = next_ == end_ || (phase == Phase::Complete && next_ == end);
    state.drop_taken();
    state.demand_if_due(*body_);
    return Status::Data;
  }
  if (next_ >= end_ || phase == Phase::Complete) return Status::End;
  if (phase == Phase::Failed) return Status::Failed;
  state.growth->sleepers.wait(place_->sleeper);
  return Status::Wait;
}

}  // namespace headgate::cache
