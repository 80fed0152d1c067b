// SPDX-License-Identifier: MIT
#include "appliance/cache/wake_list.h"

#include <algorithm>
#include <utility>

#include "appliance/base/assert.h"

namespace headgate::cache {

struct WakeList::Batch {
  explicit Batch(base::Loop& on) : loop(on) {}

  base::Loop& loop;
  std::size_t attached = 0;         // by the owner's mutex
  std::vector<SleeperPtr> waiting;  // by the owner's mutex

  base::Mutex mutex;  // taken after the owner's
  std::vector<SleeperPtr> ready GUARDED_BY(mutex);
  bool posted GUARDED_BY(mutex) = false;
};

void WakeList::attach(const SleeperPtr& sleeper) {
  auto found = std::find_if(batches_.begin(), batches_.end(),
                            [&](const auto& batch) { return &batch->loop == &sleeper->loop; });
  if (found == batches_.end())
    found = batches_.insert(batches_.end(), std::make_shared<Batch>(sleeper->loop));
  sleeper->batch = *found;
  ++sleeper->batch->attached;
}

void WakeList::detach(const SleeperPtr& sleeper) {
  const std::shared_ptr<Batch> batch = std::move(sleeper->batch);
  HG_ASSERT(batch != nullptr);
  if (sleeper->waiting) std::erase(batch->waiting, sleeper);
  sleeper->waiting = false;
  // A loop may end once nobody of it is attached; another may then have its address.
  if (--batch->attached == 0) std::erase(batches_, batch);
}

void WakeList::wait(const SleeperPtr& sleeper) {
  if (std::exchange(sleeper->waiting, true)) return;
  sleeper->batch->waiting.push_back(sleeper);
}

void WakeList::wake_all() {
  for (const std::shared_ptr<Batch>& batch : batches_) {
    if (batch->waiting.empty()) continue;
    for (const SleeperPtr& sleeper : batch->waiting) sleeper->waiting = false;
    const base::MutexLock lock(batch->mutex);
    batch->ready.insert(batch->ready.end(), batch->waiting.begin(), batch->waiting.end());
    batch->waiting.clear();
    if (std::exchange(batch->posted, true)) continue;
    batch->loop.post([batch] { run(batch); });
  }
}

void WakeList::run(const std::shared_ptr<Batch>& batch) {
  std::vector<SleeperPtr> ready;
  {
    const base::MutexLock lock(batch->mutex);
    batch->posted = false;
    ready.swap(batch->ready);
  }
  // One call may end another sleeper of this loop.
  for (const SleeperPtr& sleeper : ready)
    if (!sleeper->cancelled) sleeper->on_wake();
}

}  // namespace headgate::cache
