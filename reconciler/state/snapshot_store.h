// SPDX-License-Identifier: MIT
// Configuration trees on local disk, so that the appliance boots with the source unreachable.
//
// A file is named by the SHA-256 of all of its octets, so it proves itself. Its content:
//
//   headgate snapshot 1\n
//   FILES\n                                  number of files
//   PATH-OCTETS CONTENT-OCTETS ID\n PATH CONTENT \n    once for each, by path
//
// Where the tree has a layout, it begins with
//
//   headgate snapshot 2\n
//   PATH-OCTETS OVERLAY-OCTETS\n PATH OVERLAY \n
//
// Good: one read, one hash, no index to disagree with. Bad: unchanged files are written again with
// every change (a few MB at most).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/state/disk.h"
#include "schema/load.h"

namespace headgate::reconciler {

/// The files of a configuration in memory.
class StoredTree final : public schema::Tree {
 public:
  const std::vector<Entry>& entries() const override { return entries_; }
  Result<std::string> read(const Entry& entry) const override;
  void add(Entry entry, std::string content);

 private:
  std::vector<Entry> entries_;
  std::vector<std::string> contents_;  ///< in the order of entries_
};

/// The files named by `paths` out of `tree`, as the text of a snapshot file. `paths` in any order.
/// Errors: of reading.
Result<std::string> pack_tree(const schema::Tree& tree, std::vector<std::string> paths);
/// Errors: Blame::Self when `packed` is not exactly what pack_tree makes.
Result<std::unique_ptr<StoredTree>> unpack_tree(std::string_view packed);
/// The name that proves `packed`: SHA-256, lower-case hex.
std::string digest_of(std::string_view packed);

/// Threads: one at a time.
class SnapshotStore {
 public:
  SnapshotStore(std::string folder, Disk& disk) : folder_(std::move(folder)), disk_(disk) {}
  /// Durable when it returns. A whole file that is there already is left alone, a damaged one
  /// replaced.
  Status write(const std::string& digest, std::string_view packed);
  /// Errors: Blame::Self when it is missing, cut short or altered.
  Result<std::unique_ptr<StoredTree>> read(const std::string& digest) const;
  /// Removes every file but those of `digests`.
  void keep_only(const std::vector<std::string>& digests);

 private:
  std::string path_of(const std::string& digest) const { return folder_ + "/" + digest; }
  std::string folder_;
  Disk& disk_;
};

}  // namespace headgate::reconciler
