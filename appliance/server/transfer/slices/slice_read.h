// SPDX-License-Identifier: MIT
// One slice of a large response for all who wait for it: from the cache's disk, or the origin.
#pragma once

#include <memory>

#include "appliance/cache/tier/disk_tier.h"
#include "appliance/server/transfer/slices/slice_job.h"

namespace headgate::server {

/// Fetches the slice whose fill is led by `lead`: from the disk when it may be there, and when it
/// is not after all by a SliceJob. Returns the fill. Threads: the worker's.
base::Ref<cache::Fill> begin_slice(FetchContext context, std::shared_ptr<const SlicedObject> object,
                                   std::uint64_t index, cache::FillLead lead);

/// A read that its worker keeps alive until it has ended, whoever still wants it. Threads: the
/// worker's.
class SliceRead final : public Job {
 public:
  SliceRead(FetchContext context, std::shared_ptr<const SlicedObject> object, std::uint64_t index,
            cache::FillLead lead);
  static void start(const std::shared_ptr<SliceRead>& read);
  void cancel() override;

 private:
  void on_answer(const cache::DiskTier::Found& found);

  FetchContext context_;
  const std::shared_ptr<const SlicedObject> object_;
  const std::uint64_t index_;
  const cache::SliceKey key_;
  cache::FillLead lead_;
};

}  // namespace headgate::server
