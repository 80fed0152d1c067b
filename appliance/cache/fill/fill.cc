// SPDX-License-Identifier: MIT
#include "appliance/cache/fill/fill.h"

#include <utility>

#include "appliance/base/assert.h"
#include "appliance/cache/wake_list.h"
#include "appliance/http/vary.h"

namespace headgate::cache {

struct Fill::Shared {
  mutable base::Mutex mutex;
  State state GUARDED_BY(mutex) = State::Waiting;
  base::Ref<StoredResponse> response GUARDED_BY(mutex);
  FillFailure failure GUARDED_BY(mutex);
  std::vector<std::string> vary_names GUARDED_BY(mutex);
  std::string vary_values GUARDED_BY(mutex);
  WakeList waiters GUARDED_BY(mutex);

  void settle(State to) REQUIRES(mutex) {
    HG_ASSERT(state == State::Waiting);
    state = to;
    waiters.wake_all();
  }
};

Fill::Fill(const Key& key, Stamp stamp, const void* judge)
    : key_hash_(key.hash),
      key_text_(key.text),
      distribution_(key.distribution),
      path_(key.path),
      stamp_(stamp),
      judge_(judge),
      shared_(std::make_unique<Shared>()) {}

Fill::~Fill() = default;

void Fill::respond(base::Ref<StoredResponse> response, bool shared, http::Fields request) {
  http::Vary vary = http::parse_vary(response->fields());
  std::string values = http::vary_key(vary.names, request);
  // Fields that only the leader's client may have (RFC 9111 section 5.2.2.7) travel with it.
  shared = shared && !vary.everything && http::restricted_fields(response->fields()).empty();
  const base::MutexLock lock(shared_->mutex);
  shared_->vary_names = std::move(vary.names);
  shared_->vary_values = std::move(values);
  shared_->response = std::move(response);
  shared_->settle(shared ? State::Shared : State::Private);
}

void Fill::fail(FillFailure failure) {
  const base::MutexLock lock(shared_->mutex);
  shared_->failure = std::move(failure);
  shared_->settle(State::Failed);
}

void Fill::abandon() {
  const base::MutexLock lock(shared_->mutex);
  shared_->settle(State::Abandoned);
}

Fill::State Fill::state() const {
  const base::MutexLock lock(shared_->mutex);
  return shared_->state;
}

base::Ref<StoredResponse> Fill::response() const {
  const base::MutexLock lock(shared_->mutex);
  return shared_->response;
}

FillFailure Fill::failure() const {
  const base::MutexLock lock(shared_->mutex);
  return shared_->failure;
}

bool Fill::matches(http::Fields request) const {
  const base::MutexLock lock(shared_->mutex);
  return shared_->vary_names.empty() ||
         shared_->vary_values == http::vary_key(shared_->vary_names, request);
}

Fill::Waiter::Waiter(base::Ref<Fill> fill, base::Loop& loop,
                     base::UniqueFunction<void()> on_settled)
    : fill_(std::move(fill)),
      sleeper_(std::make_shared<WakeList::Sleeper>(loop, std::move(on_settled))) {
  Shared& shared = *fill_->shared_;
  const base::MutexLock lock(shared.mutex);
  shared.waiters.attach(sleeper_);
  shared.waiters.wait(sleeper_);
  if (shared.state != State::Waiting) shared.waiters.wake_all();
}

Fill::Waiter::~Waiter() {
  sleeper_->cancelled = true;
  const base::MutexLock lock(fill_->shared_->mutex);
  fill_->shared_->waiters.detach(sleeper_);
}

FillLead::FillLead(FillTable& table, base::Ref<Fill> fill)
    : table_(&table), fill_(std::move(fill)) {}

FillLead::FillLead(FillLead&& other) noexcept
    : table_(other.table_), fill_(std::move(other.fill_)) {}

FillLead& FillLead::operator=(FillLead&& other) noexcept {
  end();
  table_ = other.table_;
  fill_ = std::move(other.fill_);
  return *this;
}

FillLead::~FillLead() { end(); }

void FillLead::end() {
  if (!fill_) return;
  if (fill_->state() == Fill::State::Waiting) fill_->abandon();
  table_->finish(*fill_);
  fill_.reset();
}

}  // namespace headgate::cache
