// SPDX-License-Identifier: MIT
#include "appliance/server/transfer/slices/slice_reader.h"

#include <algorithm>
#include <utility>

#include "appliance/cache/fill/slice_fill.h"
#include "appliance/server/transfer/slices/slice_read.h"

namespace headgate::server {
namespace {

/// cache.md section 4.8.
constexpr std::uint64_t kAhead = 2;
/// http-caching.md: collapsed requests wait less than 10 s before going alone.
constexpr Duration kCollapseTimeout = std::chrono::seconds(8);

}  // namespace

SliceReader::SliceReader(FetchContext context, std::shared_ptr<const SlicedObject> object)
    : context_(context), object_(std::move(object)), wait_timer_(context.loop.timers(), [this] {
        waiter_.reset();
        fetch_alone();
      }) {}

SliceReader::~SliceReader() { end_own(); }

void SliceReader::end_own() {
  reader_.reset();
  if (const auto job = own_.lock()) job->cancel();
  own_.reset();
  alone_ = false;
}

void SliceReader::notify() {
  const auto on_ready = on_ready_;
  if (on_ready) (*on_ready)();
}

void SliceReader::seek(std::uint64_t first, std::uint64_t end) {
  if (next_ == first && end_ == end) return;
  next_ = first;
  end_ = end;
  open();
}

void SliceReader::open() {
  end_own();
  index_ = next_ / cache::kSliceBytes;
  context_.store.use_sliced(object_->whole_key(), object_->whole->sliced()->id);
  waiter_.reset();
  failure_.reset();
  tried_again_ = false;
  fill_ = take_ahead();
  const cache::SliceKey key(*object_->whole, index_);
  const auto stored =
      fill_ ? base::Ref<cache::StoredResponse>() : context_.store.find_slice(key.key());
  asked_ahead_ = bool(fill_);
  was_stored_ = bool(stored);
  if (stored) return attach(stored->body());
  if (fill_) {
    wait_for(std::exchange(fill_, {}));
  } else {
    fetch();
  }
  look_ahead();
}

/// What was asked for ahead is no use any more once it is behind.
base::Ref<cache::Fill> SliceReader::take_ahead() {
  base::Ref<cache::Fill> fill;
  for (Ahead& ahead : ahead_)
    if (ahead.index == index_) fill = std::move(ahead.fill);
  std::erase_if(ahead_, [this](const Ahead& ahead) {
    return ahead.index <= index_ || ahead.index > index_ + kAhead;
  });
  return fill;
}

void SliceReader::fetch() {
  if (!context_.store.accepts_fills()) return fetch_alone();
  const cache::SliceKey key(*object_->whole, index_);
  const snapshot::Snapshot& snapshot = *object_->snapshot;
  auto joined = cache::join_slice(context_.store, context_.fills, key.key(), *snapshot.purges,
                                  context_.changes, snapshot.generation, context_.loop.now());
  switch (joined.role) {
    case cache::FillTable::Role::Leader:
      return wait_for(begin_slice(context_, object_, index_,
                                  cache::FillLead(context_.fills, std::move(joined.fill))));
    case cache::FillTable::Role::Follower:
      wait_for(std::move(joined.fill));
      if (!ready()) wait_timer_.schedule_after(kCollapseTimeout);
      return;
    case cache::FillTable::Role::Alone:
      return fetch_alone();
  }
}

void SliceReader::fetch_alone() {
  const auto job = SliceJob::start(context_, object_, index_, cache::Body::Keep::Window, {});
  own_ = job;
  alone_ = true;
  wait_for(job->fill());
}

/// Only while slices are missing: a run of stored ones needs no help.
void SliceReader::look_ahead() {
  for (std::uint64_t index = index_ + 1;
       index <= index_ + kAhead && index * cache::kSliceBytes < end_; ++index) {
    const auto is_there = [index](const Ahead& ahead) { return ahead.index == index; };
    if (std::any_of(ahead_.begin(), ahead_.end(), is_there)) continue;
    const cache::SliceKey key(*object_->whole, index);
    if (!context_.store.accepts_fills() || context_.store.contains(key.key())) continue;
    const snapshot::Snapshot& snapshot = *object_->snapshot;
    auto joined = cache::join_slice(context_.store, context_.fills, key.key(), *snapshot.purges,
                                    context_.changes, snapshot.generation, context_.loop.now());
    if (joined.role == cache::FillTable::Role::Alone) continue;
    if (joined.role == cache::FillTable::Role::Leader)
      joined.fill = begin_slice(context_, object_, index,
                                cache::FillLead(context_.fills, std::move(joined.fill)));
    ahead_.push_back({index, std::move(joined.fill)});
  }
}

void SliceReader::wait_for(base::Ref<cache::Fill> fill) {
  fill_ = std::move(fill);
  if (fill_->state() != cache::Fill::State::Waiting) return settle();
  waiter_.emplace(fill_, context_.loop, [this] {
    wait_timer_.cancel();
    settle();
    if (ready()) notify();
  });
}

void SliceReader::settle() {
  switch (fill_->state()) {
    case cache::Fill::State::Waiting:
      return;
    case cache::Fill::State::Shared: {
      const auto slice = fill_->response();
      was_stored_ = slice->came_from_disk();
      return attach(slice->body());
    }
    case cache::Fill::State::Private:
      return alone_ ? attach(fill_->response()->body()) : fetch_alone();
    case cache::Fill::State::Failed:
      // What was asked for ahead may have failed long ago.
      if (!fill_->failure().outdated && asked_ahead_ && try_again()) return;
      failure_ = fill_->failure();
      return;
    case cache::Fill::State::Abandoned:
      if (!try_again())
        failure_ = cache::FillFailure{
            .status = 502, .proxy_error = "connection_terminated", .details = "fetch abandoned"};
      return;
  }
}

void SliceReader::attach(const base::Ref<cache::Body>& body) {
  const auto range = cache::slice_range(*object_->whole->sliced(), index_);
  reader_.emplace(
      body, context_.loop, [this] { notify(); }, next_ - range.first,
      std::min(end_, range.end) - range.first);
}

/// Once a slice: a connection on which a slow viewer has made us pause may be gone by now.
bool SliceReader::try_again() {
  if (std::exchange(tried_again_, true)) return false;
  end_own();
  fetch_alone();
  return true;
}

base::Ref<cache::Body> SliceReader::keeper() const {
  return reader_ ? reader_->keeper() : base::Ref<cache::Body>();
}

SliceReader::Status SliceReader::read(std::size_t max_octets, std::size_t max_slices,
                                      std::vector<std::string_view>& slices, bool& last) {
  last = false;
  for (;;) {
    if (failure_) return Status::Failed;
    if (!reader_) return Status::Wait;
    const std::size_t before = slices.size();
    bool last_of_slice = false;
    switch (reader_->read(max_octets, max_slices, slices, last_of_slice)) {
      case Status::Data:
        for (std::size_t i = before; i < slices.size(); ++i) next_ += slices[i].size();
        last = last_of_slice && next_ == end_;
        return Status::Data;
      case Status::Wait:
        return Status::Wait;
      case Status::End:
        if (next_ == end_) return Status::End;
        open();
        break;
      case Status::Failed:
        if (!try_again()) return Status::Failed;
        break;
    }
  }
}

}  // namespace headgate::server
