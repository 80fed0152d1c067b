// SPDX-License-Identifier: MIT
// Reads the objects of a repository through git: what its files do to the one who reads them, they
// do to another process.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/process/coprocess.h"

namespace headgate::reconciler {

struct ObjectHeader {
  std::string id;    ///< full, lower-case hex
  std::string type;  ///< as git names it: "blob"
  std::size_t size = 0;
};

struct ObjectContent {
  ObjectHeader header;
  std::string octets;  ///< not held against the id
};

/// Packs and indexes are mapped by who reads them, git and libgit2 alike; where a file is cut
/// short, or its disk gives an error, that is a SIGBUS. Here it is one for `git cat-file`, and an
/// Error for us. The program is started by the first question, and again when it has ended; objects
/// that came later are found. Nothing in the repository's configuration can make it run or fetch
/// anything. Threads: one at a time.
class ObjectReader {
 public:
  static constexpr std::size_t kMaxOctets = std::size_t{64} << 20;

  /// `git_folder`: bare, or the .git of a working folder.
  explicit ObjectReader(std::string git_folder) : git_folder_(std::move(git_folder)) {}

  /// Objects in another folder of objects, too.
  void add(const std::string& objects_folder);

  /// Of the object of that id, or beginning of an id. nullopt: there is none, or what is there is
  /// damaged. Errors: Blame::Self; Blame::Config when several begin so.
  Result<std::optional<ObjectHeader>> header(const std::string& id);
  /// The same with its content. Errors also: beyond kMaxOctets.
  Result<std::optional<ObjectContent>> read(const std::string& id);
  /// The headers of many, in their order, for the price of few.
  Result<std::vector<std::optional<ObjectHeader>>> headers(const std::vector<std::string>& ids);

  /// Ends the program, until the next question.
  void rest() { git_.reset(); }

 private:
  template <class Conversation>
  auto ask(const Conversation& conversation) -> decltype(conversation());
  Status start();
  Result<std::optional<ObjectHeader>> read_header(const std::string& id);

  std::string git_folder_;
  std::vector<std::string> others_;
  std::unique_ptr<Coprocess> git_;
};

}  // namespace headgate::reconciler
