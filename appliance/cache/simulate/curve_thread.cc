// SPDX-License-Identifier: MIT
#include "appliance/cache/simulate/curve_thread.h"

#include <pthread.h>

#include <chrono>
#include <csignal>

#include "appliance/base/background.h"

namespace headgate::cache {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr int kNice = 10;

}  // namespace

CurveThread::CurveThread(MissCurve& curve) : curve_(curve), thread_([this] { run(); }) {}

CurveThread::~CurveThread() {
  {
    const base::MutexLock lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_one();
  thread_.join();
}

void CurveThread::run() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-curve");
  base::work_in_background(kNice);
  base::MutexLock lock(mutex_);
  while (!ending_) {
    curve_.work();
    lock.wait_until(ending_changed_, std::chrono::steady_clock::now() + kInterval);
  }
}

}  // namespace headgate::cache
