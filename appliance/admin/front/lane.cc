// SPDX-License-Identifier: MIT
// Runs lanes.
#include "appliance/admin/front/lane.h"

#include "appliance/admin/front/responder.h"
#include "appliance/base/background.h"

namespace headgate::admin {

Lane::Lane(std::size_t threads, const MakeResponder& make_responder) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, make_responder] { run(make_responder); });
  }
}

Lane::~Lane() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Lane::add(Job job) {
  {
    const base::MutexLock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void Lane::run(const MakeResponder& make_responder) {
  base::work_in_background(0);  // a page of metrics must not take a worker's processor
  const auto responder = make_responder();
  for (;;) {
    Job job;
    {
      base::MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) lock.wait(changed_);
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(*responder);
  }
}

}  // namespace headgate::admin
