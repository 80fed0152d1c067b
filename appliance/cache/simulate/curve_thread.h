// SPDX-License-Identifier: MIT
// The thread that works on a miss curve, beside the request path.
#pragma once

#include <condition_variable>
#include <thread>

#include "appliance/base/mutex.h"
#include "appliance/cache/simulate/miss_curve.h"

namespace headgate::cache {

/// Looks at what was recorded ten times a second, and gives way to threads that answer requests.
/// Threads: made and destroyed by one.
class CurveThread {
 public:
  explicit CurveThread(MissCurve& curve);
  ~CurveThread();
  CurveThread(const CurveThread&) = delete;
  CurveThread& operator=(const CurveThread&) = delete;

 private:
  void run();

  MissCurve& curve_;
  base::Mutex mutex_;
  std::condition_variable ending_changed_;
  bool ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace headgate::cache
