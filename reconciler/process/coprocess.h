// SPDX-License-Identifier: MIT
// Another program that is asked, and answers, again and again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "reconciler/process/child.h"
#include "reconciler/process/descriptor.h"
#include "schema/base/units.h"

namespace headgate::reconciler {

/// What fails once fails for good: an answer that was not read to its end would be taken for that
/// to the next question. Threads: one, the one that started it.
class Coprocess {
 public:
  /// `patience` is how long each call waits for the program to take or to give an octet.
  /// Errors: Blame::Self when it cannot be started.
  static Result<std::unique_ptr<Coprocess>> start(const Program& program, Duration patience);

  /// Errors of all: Blame::Self: the program has ended (with how, and its last words), or does not
  /// answer.
  Status write(std::string_view octets);
  /// Up to the next line feed, without it. Errors also: longer than a line may be, 64 KiB.
  Result<std::string> read_line();
  Result<std::string> read(std::size_t size);

 private:
  Coprocess(Child child, Descriptor ours, Descriptor errors, std::string name, Duration patience)
      : child_(std::move(child)),
        stream_(std::move(ours)),
        errors_(std::move(errors)),
        name_(std::move(name)),
        patience_(patience) {}
  Status wait(short events);
  Status fill();
  void listen_to_errors();
  tl::unexpected<Error> explain_end();

  Child child_;
  Descriptor stream_;
  Descriptor errors_;
  std::string name_;
  Duration patience_;
  std::string unread_;
  std::size_t read_ = 0;    ///< of unread_
  std::string last_words_;  ///< the end of what it wrote to its standard error
};

}  // namespace headgate::reconciler
